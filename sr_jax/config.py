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
from typing import Annotated, Any, Literal, TypeVar, dataclass_transform, get_args

import pydantic.dataclasses
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Tag,
    TypeAdapter,
    ValidationError,
)

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


def _in_order(bounds: tuple[Any, Any]) -> tuple[Any, Any]:
    if bounds[0] > bounds[1]:
        raise ValueError(f"the first bound must not be above the second; did you mean ({bounds[1]}, {bounds[0]})?")
    return bounds


def _odd(size: int) -> int:
    if size % 2 == 0:
        raise ValueError(f"a kernel needs a middle tap, so an odd size; use {size - 1} or {size + 1}")
    return size


def _sums_to_one(probabilities: tuple[float, ...]) -> tuple[float, ...]:
    if abs(sum(probabilities) - 1) > 1e-6:
        raise ValueError(f"probabilities must sum to 1, these sum to {sum(probabilities):g}")
    return probabilities


Probability = Annotated[float, Field(ge=0, le=1)]
Level = Annotated[float, Field(ge=0, le=1e4)]
Width = Annotated[float, Field(ge=0.1, le=100)]
KernelSize = Annotated[int, Field(ge=1, le=101), AfterValidator(_odd)]
Levels = Annotated[tuple[Level, Level], AfterValidator(_in_order)]
Widths = Annotated[tuple[Width, Width], AfterValidator(_in_order)]
Angles = Annotated[
    tuple[Annotated[float, Field(ge=-360, le=360)], Annotated[float, Field(ge=-360, le=360)]], AfterValidator(_in_order)
]
Quality = Annotated[int, Field(ge=1, le=100)]
Qualities = Annotated[tuple[Quality, Quality], AfterValidator(_in_order)]


@_group
class Bicubic:
    """MATLAB's bicubic reduction by the scale."""

    name: Literal["bicubic"] = "bicubic"


@_group
class Subsample:
    """Keeps the top left pixel of each scale x scale cell."""

    name: Literal["subsample"] = "subsample"
    aligned: bool = True
    """Whether the kernels of the blurs before it have their middle in the middle of the cell, so that LR lies as after a
    bicubic reduction. Otherwise it lies on the kept pixel, and LR is shifted by half of (scale - 1) HR pixels."""


@_group
class GaussianBlur:
    """Convolves with a Gaussian."""

    name: Literal["gaussian-blur"] = "gaussian-blur"
    size: KernelSize = 21
    """Taps a side, odd."""
    sigma: Widths = (0.2, 3.0)
    """Least and greatest standard deviation [HR pixels, LR pixels after a reduction]."""
    anisotropic: bool = False
    """Whether two standard deviations are drawn, and an angle."""


@_group
class MotionBlur:
    """Convolves with a straight line."""

    name: Literal["motion-blur"] = "motion-blur"
    size: KernelSize = 25
    """Taps a side, odd."""
    length: Levels = (0.0, 20.0)
    """Least and greatest length [pixels]."""
    angle: Angles = (0.0, 180.0)
    """Least and greatest angle [degrees, counter-clockwise from horizontal]."""

    def __post_init__(self) -> None:
        _check_reach("length", self.length[1], self.size - 4)


@_group
class ShakeBlur:
    """Convolves with the path of a shaking camera."""

    name: Literal["shake-blur"] = "shake-blur"
    size: KernelSize = 25
    """Taps a side, odd."""
    extent: Widths = (5.0, 20.0)
    """Least and greatest height or width of the path, whichever is larger [pixels]."""

    def __post_init__(self) -> None:
        _check_reach("extent", self.extent[1], self.size - 4)


@_group
class DiskBlur:
    """Convolves with a disk: a lens out of focus."""

    name: Literal["disk-blur"] = "disk-blur"
    size: KernelSize = 21
    """Taps a side, odd."""
    radius: Widths = (0.5, 8.0)
    """Least and greatest radius [pixels]."""

    def __post_init__(self) -> None:
        _check_reach("radius", self.radius[1], self.size // 2 - 2)


@_group
class ClassicalBlur:
    """Convolves with an anisotropic Gaussian or the path of a shaking camera: USRNet's training kernels (CVPR 2020)."""

    name: Literal["classical-blur"] = "classical-blur"
    size: KernelSize = 25
    """Taps a side, odd."""
    variance: Widths = (0.6, 12.0)
    """Least and greatest variance along the Gaussian's axes [pixels^2]."""
    extent: Widths = (5.0, 20.0)
    """Least and greatest height or width of the path, whichever is larger [pixels]."""
    shake_probability: Probability = 0.5
    """How often the kernel is a path."""

    def __post_init__(self) -> None:
        _check_reach("extent", self.extent[1], self.size - 4)


@_group
class KernelFile:
    """Convolves with one of the kernels of a file, as they are: tap (size - 1) / 2 lies on the kept pixel."""

    name: Literal["kernel-file"] = "kernel-file"
    path: str
    """A .npy, .npz, .mat or .png file."""


@_group
class GaussianNoise:
    """Adds white Gaussian noise."""

    name: Literal["gaussian-noise"] = "gaussian-noise"
    sigma: Levels = (0.0, 25.0)
    """Least and greatest standard deviation [grey levels of 255]."""
    gray: Probability = 0.0
    """How often the three channels get the same noise."""


@_group
class PoissonNoise:
    """Counts photons."""

    name: Literal["poisson-noise"] = "poisson-noise"
    peak: Annotated[
        tuple[Annotated[float, Field(ge=1, le=1e6)], Annotated[float, Field(ge=1, le=1e6)]], AfterValidator(_in_order)
    ] = (50.0, 1000.0)
    """Least and greatest number of photons of a white pixel; few are noisy."""
    gray: Probability = 0.0
    """How often the three channels get the same noise."""


@_group
class Jpeg:
    """Saves as JPEG and reads again, byte for byte as libjpeg."""

    name: Literal["jpeg"] = "jpeg"
    quality: Qualities = (30, 95)
    """Least and greatest quality, 1 to 100."""
    subsampling: Literal["4:2:0", "4:4:4"] = "4:2:0"
    """Whether chroma has half the resolution."""


@_group
class Order:
    """One pass of blur, resize, noise and JPEG. The defaults are the first pass of Real-ESRGAN."""

    blur: Probability = 1.0
    """How often there is a blur."""
    sinc: Probability = 0.1
    """How often its kernel is a sinc, which rings."""
    kinds: Annotated[
        tuple[Probability, Probability, Probability, Probability, Probability, Probability], AfterValidator(_sums_to_one)
    ] = (0.45, 0.25, 0.12, 0.03, 0.12, 0.03)
    """Probabilities of isotropic and anisotropic Gaussians, generalised ones, and plateaus."""
    sigma: Widths = (0.2, 3.0)
    """Least and greatest standard deviation [pixels]."""
    generalised_beta: Widths = (0.5, 4.0)
    """Least (at most 1) and greatest (at least 1) shape parameter of generalised Gaussians."""
    plateau_beta: Widths = (1.0, 2.0)
    """The same of plateaus."""
    resize: Annotated[tuple[Probability, Probability, Probability], AfterValidator(_sums_to_one)] = (0.2, 0.7, 0.1)
    """Probabilities to enlarge, to reduce, and to keep the size."""
    factor: Annotated[
        tuple[Annotated[float, Field(ge=0.05, le=1)], Annotated[float, Field(ge=1, le=4)]], AfterValidator(_in_order)
    ] = (0.15, 1.5)
    """Strongest reduction (at most 1) and enlargement (at least 1); in the second pass relative to LR."""
    gaussian: Probability = 0.5
    """How often noise is Gaussian, and not shot noise."""
    noise_sigma: Levels = (1.0, 30.0)
    """Least and greatest standard deviation of Gaussian noise [grey levels of 255]."""
    shot_scale: Levels = (0.05, 3.0)
    """Least and greatest multiple of the shot noise that 256 photons of white have."""
    gray: Probability = 0.4
    """How often the three channels get the same noise."""
    quality: Qualities = (30, 95)
    """Least and greatest JPEG quality."""

    def __post_init__(self) -> None:
        for key in ("generalised_beta", "plateau_beta"):
            low, high = getattr(self, key)
            if not low <= 1 <= high:
                raise ValueError(f"{key}=({low}, {high}) must hold 1 between its bounds")


@_group
class SecondOrder:
    """The blind chain of Real-ESRGAN (Wang et al., ICCV Workshops 2021), from HR to LR, with its published numbers."""

    name: Literal["second-order"] = "second-order"
    first: Order = Order()
    """The first pass."""
    second: Order = Order(
        blur=0.8,
        sigma=(0.2, 1.5),
        resize=(0.3, 0.4, 0.3),
        factor=(0.3, 1.2),
        noise_sigma=(1.0, 25.0),
        shot_scale=(0.05, 2.5),
    )
    """The second pass."""
    final_sinc: Probability = 0.8
    """How often there is a sinc filter at the end."""


def _check_reach(key: str, value: float, greatest: int) -> None:
    if value > greatest:
        raise ValueError(f"{key}: {value:g} does not fit a kernel of this size; use at most {greatest:g}, or a larger size")


AnyStage = (
    Bicubic
    | Subsample
    | GaussianBlur
    | MotionBlur
    | ShakeBlur
    | DiskBlur
    | ClassicalBlur
    | KernelFile
    | GaussianNoise
    | PoissonNoise
    | Jpeg
    | SecondOrder
)
STAGES: dict[str, Any] = {get_args(stage.__annotations__["name"])[0]: stage for stage in get_args(AnyStage)}
"""Name -> group."""
Stage = Annotated[AnyStage, Field(discriminator="name")]
Preset = Literal["bicubic", "classical", "real-esrgan"]
Stages = tuple[Stage, ...]
Degradation = Annotated[
    Annotated[Preset, Tag("preset")] | Annotated[Stages, Tag("stages")],
    Discriminator(lambda value: "preset" if isinstance(value, str) else "stages"),
]

PRESETS: dict[str, tuple[Any, ...]] = {
    "bicubic": (Bicubic(),),
    "classical": (ClassicalBlur(), Subsample(), GaussianNoise()),
    "real-esrgan": (SecondOrder(),),
}
"""What the named degradations stand for."""


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
    lr_source: Literal["degrade", "files"] = "degrade"
    """Where LR patches come from. `degrade`: they are made of the HR patches, inside the compiled step. `files`: they are cut
    from LR images made beforehand."""
    degradation: Degradation = "bicubic"
    """How LR is made of HR. `bicubic`: as MATLAB. `classical`: blur, subsampling and noise of USRNet. `real-esrgan`: its blind
    second-order chain. In a config file also stages of one's own: (GaussianBlur(sigma=(0.6, 2.4)), Subsample(), Jpeg())."""
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

    @property
    def stages(self) -> tuple[Any, ...]:
        """The stages of the degradation, of a named one too."""
        chosen = self.data.degradation
        return PRESETS[chosen] if isinstance(chosen, str) else chosen

    def __post_init__(self) -> None:
        if self.data.patch % self.scale:
            down = max(self.data.patch // self.scale, 1) * self.scale
            raise ValueError(
                f"data.patch={self.data.patch} is not a multiple of scale={self.scale}; use {down} or {down + self.scale}"
            )
        if self.data.patch < 2 * self.scale:
            raise ValueError(f"data.patch={self.data.patch} is too small for scale={self.scale}; use at least {2 * self.scale}")
        _check_reduction(self.stages, self.scale)
        if self.data.lr_source == "files" and self.data.degradation != "bicubic":
            raise ValueError("data.lr_source=files takes LR as it is; data.degradation does not go with it")
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


def _check_reduction(stages: tuple[Any, ...], scale: int) -> None:
    """Exactly one stage must go from HR to LR."""
    reducing = [stage.name for stage in stages if isinstance(stage, Bicubic | Subsample | SecondOrder)]
    if len(reducing) > 1:
        raise ValueError(f"data.degradation reduces more than once, by {' and '.join(reducing)}; leave one of them")
    if not reducing and scale > 1:
        raise ValueError(f"data.degradation has no stage that reduces by scale={scale}; add Bicubic() or Subsample()")


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
    path, owner = "", group
    for part in detail["loc"]:
        owner, fields = group, {field.name: field.type for field in dataclasses.fields(group)}
        if isinstance(part, int):
            path += f"[{part}]"
        elif part in STAGES and part not in fields:  # which member of the union of stages
            group = STAGES[part]
        elif part not in ("preset", "stages"):  # which kind of degradation
            path += f".{part}" if path else part
            group = fields[part] if dataclasses.is_dataclass(fields.get(part)) else group
    key = str(detail["loc"][-1]) if detail["loc"] else ""
    match detail["type"]:
        case "unexpected_keyword_argument" | "extra_forbidden":
            names = [field.name for field in dataclasses.fields(owner)]
            near = difflib.get_close_matches(key, names, n=1, cutoff=0.3)
            hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(names)}"
            return f"{owner.__name__} has no key {path!r}; {hint}"
        case "missing":
            return f"{owner.__name__} needs {path!r}"
        case "union_tag_invalid":
            near = difflib.get_close_matches(detail["ctx"]["tag"], list(STAGES), n=1, cutoff=0.3)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(STAGES)}"
            return f"{path}: there is no stage {detail['ctx']['tag']!r}; {hint}"
        case "union_tag_not_found":
            return f"{path}={detail['input']!r} is no stage of a degradation, such as Jpeg(quality=(30, 95))"
    message = detail["msg"].removeprefix("Value error, ")
    return f"{path}={detail['input']!r}: {message[0].lower()}{message[1:]}" if path else message


def _flatten(tree: dict[str, Any], prefix: str) -> dict[str, Any]:
    pairs: dict[str, Any] = {}
    for key, value in tree.items():
        pairs |= _flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return pairs
