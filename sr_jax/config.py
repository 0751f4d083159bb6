"""The configuration of an experiment: every key, its type, its meaning and its default.

A config file holds one `config = Config(...)` that states what differs from the defaults here. Values are checked when a
config is made, so a wrong one is found in the file or the flag that gives it. Nothing heavy is imported: `--help` is quick.
"""

import dataclasses
import difflib
import functools
import json
import runpy
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, dataclass_transform

import pydantic.dataclasses
from pydantic import BeforeValidator, Field, NonNegativeInt, PositiveFloat, PositiveInt, TypeAdapter, ValidationError

from sr_jax.errors import InputError

T = TypeVar("T")


def _listed(value: Any) -> Any:
    """One name as a list of one; None, as older files have it, as an empty list."""
    return (value,) if isinstance(value, str) else tuple(value or ()) if isinstance(value, list | None) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_listed)]
Fraction = Annotated[float, Field(ge=0, lt=1)]


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(dataclasses.field,))
def _group(cls: type[T]) -> type[T]:
    """A frozen dataclass that checks types and ranges when it is made, and says in one line what is wrong."""
    made = pydantic.dataclasses.dataclass(cls, frozen=True, kw_only=True, config={"strict": True, "extra": "forbid"})
    checked_init = made.__init__

    @functools.wraps(checked_init)
    def __init__(self: Any, **values: Any) -> None:
        try:
            checked_init(self, **values)
        except ValidationError as error:
            raise InputError(_explain(error, made)) from None

    made.__init__ = __init__
    return made  # pyright: ignore[reportReturnType]


@_group
class FSRCNNConfig:
    """FSRCNN (Dong et al., ECCV 2016)."""

    name: Literal["fsrcnn"] = "fsrcnn"
    """Which model; the other keys of this group are its own."""
    d: PositiveInt = 56
    """Channels of the LR features."""
    s: PositiveInt = 12
    """Channels after shrinking, in which the mapping works."""
    m: PositiveInt = 4
    """Number of 3x3 mapping layers."""


TrainingSet = Literal[
    "photographs", "folder", "T91", "General-100", "BSDS200", "91", "291", "91+General-100", "DIV2K", "Flickr2K", "DF2K"
]


@_group
class DataConfig:
    """Training images and how batches are made of them."""

    name: TrainingSet = "photographs"
    """`photographs`: those that scikit-image carries, no network needed. `folder`: all images below `data.dir`. The others lie
    below `data.root`; DIV2K, Flickr2K and both together (DF2K) are downloaded to there if they are missing."""
    dir: Names = ()
    """The folders of images, for `data.name=folder`."""
    include: Names = ()
    """Only images whose names match one of these patterns, such as `holiday/*`; `*` matches `/` too. Without any: all."""
    exclude: Names = ()
    """No images whose names match one of these patterns."""
    root: str | None = None
    """The folder that holds the named sets, such as `T91/` or `Set5/HR/`. By default what the environment variable
    SR_JAX_DATA says, or else `datasets` in the cache folder."""
    leaks: Literal["refuse", "allow"] = "refuse"
    """Training images that are evaluation images, of this run or of Set5, Set14 and B100: `refuse` stops and names them,
    `allow` names them and goes on."""
    bad_images: Literal["refuse", "skip"] = "refuse"
    """Images that cannot be used: `refuse` stops and names them, `skip` names them and goes on without them."""
    batch: PositiveInt = 16
    """Patches in one step, over all devices together."""
    patch: PositiveInt = 48
    """Height and width of an HR patch [HR pixels]; a multiple of the scale."""
    lr: Literal["degrade", "files"] = "degrade"
    """Where LR patches come from. `degrade`: they are made of the HR patches, inside the compiled step. `files`: they are cut
    from LR images made beforehand."""
    pipeline: Literal["resident", "host"] = "resident"
    """`resident`: the images live in device memory and are cropped inside the compiled step. `host`: crops are made on the
    host (Grain) and sent. Both give the same bytes."""
    threads: PositiveInt = 1
    """Host threads that prepare batches. One is far ahead of any training step, and more do not cut faster."""
    prefetch: PositiveInt = 8
    """Dispatches prepared ahead and sent to the devices."""


@_group
class OptimConfig:
    """Adam with linear warm-up and cosine decay, and an exponential moving average (EMA) of the parameters."""

    lr: Annotated[PositiveFloat, Field(allow_inf_nan=False)] = 1e-3
    """Peak learning rate."""
    warmup_steps: NonNegativeInt = 100
    """Steps over which the learning rate rises from 0 to its peak."""
    final_lr: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1e-5
    """Learning rate at the last step."""
    b1: Fraction = 0.9
    """Adam's decay of the first moment."""
    b2: Fraction = 0.999
    """Adam's decay of the second moment."""
    ema_decay: Fraction = 0.999
    """Decay of the parameters' moving average, which is what evaluation uses. 0: no averaging."""


@_group
class EvalConfig:
    """Evaluation on whole images, during training and at its end."""

    sets: Annotated[Names, Field(min_length=1)] = ("photographs",)
    """Sets to evaluate on: `photographs` (its three held-out images), named sets below `data.root` (Set5, Set14, B100,
    Urban100, Manga109, DIV2K: its validation images) or folders of HR images."""
    every: PositiveInt = 1000
    """Steps between evaluations."""
    protocol: Literal["papers", "rgb-uint8"] = "papers"
    """How to score: docs/evaluation.md."""


@_group
class Config:
    """One experiment."""

    scale: PositiveInt = 2
    """Super-resolution factor."""
    steps: PositiveInt = 1000
    """Training steps."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Seed of the initialisation and of the sampling plan."""
    model: FSRCNNConfig = FSRCNNConfig()
    loss: Literal["l1", "mse"] = "l1"
    """Mean absolute or mean squared error, on values in [0, 1]."""
    compute: Literal["float32", "bfloat16"] = "float32"
    """Type in which the network computes in training. Parameters, loss and evaluation are always float32."""
    parallel: Literal["pmap", "shard_map"] = "shard_map"
    """How the per-device step is spread over the devices. Both give the same numbers."""
    steps_per_dispatch: PositiveInt = 1
    """Steps in one compiled call. More of them save overhead where a step is short, as on a GPU; on a CPU
    they save little, and more than 8 are slow."""
    data: DataConfig = DataConfig()
    optim: OptimConfig = OptimConfig()
    eval: EvalConfig = EvalConfig()
    log_every: PositiveInt = 100
    """Steps between reports."""
    checkpoint_every: PositiveInt = 1000
    """Steps between checkpoints."""
    keep: PositiveInt = 2
    """Latest checkpoints that are kept, beside the best one."""

    def __post_init__(self) -> None:
        if self.data.patch % self.scale:
            down = max(self.data.patch // self.scale, 1) * self.scale
            raise ValueError(
                f"data.patch={self.data.patch} is not a multiple of scale={self.scale}; use {down} or {down + self.scale}"
            )
        if self.data.patch < 2 * self.scale:
            raise ValueError(f"data.patch={self.data.patch} is too small for scale={self.scale}; use at least {2 * self.scale}")
        if self.data.name == "folder" and not self.data.dir:
            raise ValueError("data.name=folder needs data.dir, the folder of images")
        if self.data.name != "folder" and self.data.dir:
            places = " ".join(self.data.dir)
            raise ValueError(f"data.dir={places} is used with data.name=folder alone, but data.name={self.data.name}")
        if self.optim.final_lr > self.optim.lr:
            raise ValueError(f"optim.final_lr={self.optim.final_lr} must not be above optim.lr={self.optim.lr}")
        if self.optim.warmup_steps >= self.steps:
            raise ValueError(
                f"optim.warmup_steps={self.optim.warmup_steps} must be below steps={self.steps}, "
                "or the learning rate never reaches its peak"
            )
        intervals = {
            "steps": self.steps,
            "log_every": self.log_every,
            "checkpoint_every": self.checkpoint_every,
            "eval.every": self.eval.every,
        }
        for key, value in intervals.items():
            if value % self.steps_per_dispatch:
                raise ValueError(f"{key}={value} is not a multiple of steps_per_dispatch={self.steps_per_dispatch}")


def load(path: str | Path) -> Config:
    """Reads a config file: Python that defines `config`, or the `config.json` of a work directory.

    Raises:
      InputError: if there is no such file, or what it holds is not a valid Config.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"--config {path}: is a folder, not a file")
    if not path.is_file():
        near = difflib.get_close_matches(path.name, [p.name for p in path.parent.glob("*.py")], n=1)
        hint = f"; did you mean {path.parent / near[0]}?" if near else ""
        raise InputError(f"--config {path}: no such file{hint}")
    try:
        if path.suffix == ".json":
            return from_json(path.read_text())
        config = runpy.run_path(str(path)).get("config")
    except Exception as error:  # whatever the user's file raises
        kind = "" if isinstance(error, InputError) else f"{type(error).__name__}: "
        raise InputError(f"--config {path}: {kind}{error}") from error
    if not isinstance(config, Config):
        raise InputError(f"--config {path} must define `config = Config(...)`, but `config` is {config!r}")
    return config


def to_json(config: Config) -> str:
    return json.dumps(dataclasses.asdict(config), indent=2) + "\n"


def from_json(text: str) -> Config:
    """Reads what `to_json` wrote.

    Raises:
      InputError: if it is no valid config.
    """
    try:
        return TypeAdapter(Config).validate_json(text)
    except ValidationError as error:
        raise InputError(_explain(error, Config)) from error


def differences(ours: Config, theirs: Config) -> list[str]:
    """The keys in which two configs differ, each as a line `key: ours, theirs`."""
    a, b = flat(ours), flat(theirs)
    missing = "(no such key)"  # where the models differ, so do their keys
    keys = [*a, *(key for key in b if key not in a)]
    return [f"{key}: {a.get(key, missing)}, {b.get(key, missing)}" for key in keys if a.get(key) != b.get(key)]


def flat(config: Config) -> dict[str, Any]:
    """Every key, with dots, and its value."""
    return _flatten(dataclasses.asdict(config), "")


def _explain(error: ValidationError, group: type) -> str:
    """A pydantic error as one line: for each wrong key what would be right."""
    return "; ".join(_explain_one(detail, group) for detail in error.errors())


def _explain_one(detail: Any, group: Any) -> str:
    *owners, key = detail["loc"] or ("",)
    for owner in owners:
        group = next((field.type for field in dataclasses.fields(group) if field.name == owner), group)
    path = ".".join(map(str, [*owners, key]))
    if detail["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        names = [field.name for field in dataclasses.fields(group)]
        near = difflib.get_close_matches(str(key), names, n=1, cutoff=0.3)
        return f"{group.__name__} has no key {path!r}; " + (
            f"did you mean {near[0]!r}?" if near else f"it has {', '.join(names)}"
        )
    message = detail["msg"].removeprefix("Value error, ")
    return f"{path}={detail['input']!r}: {message[0].lower()}{message[1:]}" if key else message


def _flatten(tree: dict[str, Any], prefix: str) -> dict[str, Any]:
    pairs: dict[str, Any] = {}
    for key, value in tree.items():
        pairs |= _flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return pairs
