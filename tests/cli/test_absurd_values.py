"""Every key of a config, and every option of a command, refuses values that nothing can be done with.

The keys come from the classes, so that a new key without bounds fails here.
"""

import dataclasses
import math
from typing import Any, get_args, get_origin, get_type_hints

import pytest

from sr_jax import config as configs
from sr_jax import train
from sr_jax.__main__ import COMMANDS
from sr_jax.assembly.network import make_network
from sr_jax.assembly.pipeline import make_pipeline
from sr_jax.assembly.training_images import TrainingImages
from sr_jax.cli.parsing import SHARED_FLAGS
from sr_jax.cli.values import check_values, types_of
from sr_jax.config import Config, DataConfig, EDSRConfig
from sr_jax.config.degradations import AnyStage
from sr_jax.data.pipelines import Images
from sr_jax.errors import InputError

GROUPS = [
    Config(),
    configs.DataConfig(),
    configs.OptimConfig(),
    configs.EvalConfig(),
    configs.Order(),
    *(group() for group in configs.NETWORK_GROUPS.values()),
    *(kind(**({"path": "k.npy"} if kind is configs.KernelFile else {})) for kind in get_args(AnyStage)),
]
LONG = "x" * 5000
TEXTS = ["", "a\nb", "a\0b", LONG]
NUMBERS = [-1.0, math.nan, math.inf, -math.inf, 1e99, 10**99, -(10**30), 10**400]


def keys(kinds: tuple[type, ...]) -> list[Any]:
    """All keys whose values, or the items of whose values, have one of these types."""

    def atoms(kind: Any) -> set[Any]:
        inner = get_args(kind) if get_origin(kind) is not None and not isinstance(get_args(kind)[0], str) else ()
        return set().union(*map(atoms, inner)) if inner else {kind}

    return [
        pytest.param(group, name, kind, id=f"{type(group).__name__}.{name}")
        for group in GROUPS
        for name, kind in get_type_hints(type(group)).items()
        if name not in ("name", "loss", "model", "degradation") and atoms(kind) & {*kinds}
    ]


def refuse(group: Any, name: str, kind: Any, value: Any) -> None:
    """Expects a message in one line that names the key, whether the value is one item or all."""
    size = len(get_args(kind)) if get_origin(kind) is tuple else 0
    with pytest.raises(InputError) as error:
        dataclasses.replace(group, **{name: (value,) * max(1, size - (... in get_args(kind))) if size else value})
    assert name in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("group", "name", "kind"), keys((int, float)))
def test_numbers(group, name, kind):
    for value in [*NUMBERS, "text", (), b""]:
        if not (name == "angle" and value == -1.0):
            refuse(group, name, kind, int(value) if int in (kind, *get_args(kind)) and math.isfinite(_float(value)) else value)


def _float(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return math.inf


@pytest.mark.parametrize(("group", "name", "kind"), keys((str,)))
def test_texts(group, name, kind):
    for value in [*TEXTS, 3, b""]:
        refuse(group, name, kind, value)


def flags() -> dict[str, Any]:
    """The types of all flags, of all networks, by command and flag."""
    found = {
        f"train --{flag}": kind
        for network in configs.NETWORK_GROUPS.values()
        for flag, kind in types_of(train.Arguments, {"config": Config(model=network())}, SHARED_FLAGS).items()
    }
    for name, command in COMMANDS.items():
        groups = {"config": Config(), "network": EDSRConfig()}
        own = {field.name for field in dataclasses.fields(command.Arguments)}
        groups = {key: group for key, group in groups.items() if key in own and name != "networks"}
        found |= {f"{name} --{flag}": kind for flag, kind in types_of(command.Arguments, groups, SHARED_FLAGS).items()}
    return found


@pytest.mark.parametrize(("option", "kind"), flags().items())
def test_words(option, kind):
    flag = option.partition(" ")[2]
    for word in ["", "a\nb", LONG]:
        with pytest.raises(InputError, match=rf"^{flag}[^\n]{{0,200}}$"):
            check_values([flag, word], {flag.removeprefix("--"): kind})


def test_a_network_that_no_memory_holds_is_refused_before_it_is_initialised():
    with pytest.raises(
        InputError, match=r"^model: edsr\(width=16384\) has 1\d\d,\d+,\d+,\d+ parameters. .* use a smaller network"
    ):
        make_network(Config(model=EDSRConfig(width=2**14), data=DataConfig(patch=48)))


def test_a_batch_that_no_memory_holds_is_refused():
    config = Config(data=DataConfig(batch=2**20, patch=1024))
    with pytest.raises(InputError, match=r"^data.batch=1048576: its HR patches take .* GiB on a device"):
        make_pipeline(config, TrainingImages([], [], Images(None, None), ""), margin=0)
