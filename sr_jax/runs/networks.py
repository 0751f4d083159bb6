"""Lists the published networks and what they cost.

Multiply-adds are those of convolutions, matrix products and Fourier transforms in the program that JAX traces. The receptive
field is measured: a NaN in one LR pixel of a strip spreads to every output pixel that depends on it.
"""

import math
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core
from tabulate import tabulate
from tqdm import tqdm

from sr_jax.assembly import zoo
from sr_jax.assembly.network import abstract_network
from sr_jax.config import NETWORKS, Config, DataConfig, load, no_such, title
from sr_jax.config.workdir import CONFIG
from sr_jax.errors import InputError, option
from sr_jax.models import About, Known, class_of
from sr_jax.weights import places
from sr_jax.weights.card import read_card
from sr_jax.weights.files import SUFFIX
from sr_jax.weights.zoo import missing

OUTPUT = (720, 1280)
"""Height and width of the output for which multiply-adds are counted, as in published tables. Both are rounded up to multiples
of the scale."""
STRIPS = (65, 161)
"""Lengths of the strips in which the receptive field is measured [LR pixels]."""
STRIP_WIDTH = 10


class Cost(NamedTuple):
    """What one network costs at one scale."""

    network: str
    year: int | None
    scale: int
    upsampler: str
    parameters: int
    multiply_adds: int
    """For one image of the size `OUTPUT`."""
    field: int | None
    """Side of the square of LR pixels on which an output pixel depends; None if it depends on the whole image."""


def costs(network_config: Any, scale: int) -> Cost:
    """Measures the cost of a network."""
    network = abstract_network(Config(model=network_config, scale=scale, data=DataConfig(patch=2 * scale)))
    about, params = network.about, network.params
    shape = tuple(-(-n // scale) for n in OUTPUT)
    traced = jax.make_jaxpr(network.apply)(params, *_inputs(about, shape, jax.ShapeDtypeStruct))
    field = receptive_field(network.apply, _filled(params), about, scale=scale)
    size = sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params))
    return Cost(title(network_config), about.year, scale, about.upsampler, size, multiply_adds(traced.jaxpr), field)


def table(rows: Sequence[Cost]) -> str:
    """Returns the costs as a table in Markdown."""
    lines = [
        (
            r.network,
            r.year or "",
            f"x{r.scale}",
            r.upsampler,
            f"{r.parameters:,}",
            f"{r.multiply_adds / 1e9:.1f}",
            _square(r.field),
        )
        for r in rows
    ]
    headers = ("network", "year", "scale", "upsampler", "parameters", "multiply-adds [G]", "receptive field [LR pixels]")
    align = ("left", "right", "left", "left", "right", "right", "right")
    return tabulate(lines, headers, tablefmt="github", colalign=align, disable_numparse=True)


def multiply_adds(jaxpr: core.Jaxpr) -> int:
    """Counts the multiply-adds of a program's convolutions, matrix products and Fourier transforms.

    Where a program has one form for CPUs and one for other platforms, the latter counts. A Fourier transform of n real numbers
    counts as 5/4 n log2 n, and one of n complex numbers as twice that: half the usual count of floating-point operations.
    """
    total = 0
    for equation in jaxpr.eqns:
        out = math.prod(_shape(equation.outvars[0]))
        match equation.primitive.name:
            case "conv_general_dilated":
                kernel, spec = _shape(equation.invars[1]), equation.params["dimension_numbers"].rhs_spec
                taps = math.prod(kernel) // kernel[spec[0]]
                total += out * taps // math.prod(equation.params["lhs_dilation"])  # the zeros of a dilated input are free
            case "dot_general":
                (contracted, _), _ = equation.params["dimension_numbers"]
                total += out * math.prod(_shape(equation.invars[0])[axis] for axis in contracted)
            case "fft":
                kind, lengths = equation.params["fft_type"].name, equation.params["fft_lengths"]
                n = math.prod(lengths)
                transforms = math.prod(_shape(equation.invars[0])[: -len(lengths)])
                total += int(transforms * n * math.log2(n) * (2.5 if kind in ("FFT", "IFFT") else 1.25))
            case "cond":
                total += multiply_adds(equation.params["branches"][-1].jaxpr)
            case "scan":
                total += equation.params["length"] * multiply_adds(equation.params["jaxpr"].jaxpr)
            case _:
                total += sum(multiply_adds(inner) for inner in _inner(equation.params))
    return total


def receptive_field(apply: Callable[..., Any], params: Any, about: About, *, scale: int) -> int | None:
    """Measures the side of the square of LR pixels on which an output pixel of `apply(params, LR)` depends.

    Returns:
      the side; None if an output pixel depends on the whole image.
    """
    run = jax.jit(apply)
    for length in STRIPS:
        lr, *known = _inputs(about, (length, STRIP_WIDTH), lambda shape, dtype: np.full(shape, 0.5, dtype))
        lr[0, length // 2, STRIP_WIDTH // 2] = np.nan
        rows = np.flatnonzero(np.isnan(np.asarray(run(params, lr, *known))).any((0, 2, 3))) // scale
        reach = int(np.abs(rows - length // 2).max())
        if reach < length // 2 - 1:
            return 2 * reach + 1
    return None


def _inputs(about: About, shape: tuple[int, ...], make: Callable[[tuple[int, ...], Any], Any]) -> tuple[Any, ...]:
    """Makes what a network reads: an LR image and, if the network is told the blur, a 9x9 kernel and the noise."""
    lr = make((1, *shape, about.channels), jnp.float32)
    return (lr, Known(make((1, 9, 9), jnp.float32), make((1,), jnp.float32))) if about.is_told else (lr,)


def _filled(params: Any) -> Any:
    """Fills abstract parameters with a number that is not zero."""
    return jax.tree.map(lambda leaf: np.full(leaf.shape, 0.01, np.float32), params)


def _inner(params: dict[str, Any]) -> list[core.Jaxpr]:
    """Returns the programs inside an operation, such as a jitted call."""
    values = [getattr(value, "jaxpr", value) for value in params.values()]
    return [value for value in values if isinstance(value, core.Jaxpr)]


def _shape(variable: Any) -> tuple[int, ...]:
    return variable.aval.shape


def _scales(network_config: Any) -> tuple[int, ...]:
    return class_of(network_config).about.scales


def _several(scales: Sequence[int]) -> str:
    return ", ".join(f"x{scale}" for scale in scales)


def _square(side: int | None) -> str:
    return "whole image" if side is None else f"{side}x{side}"


def show_zoo() -> None:
    """Prints the trained networks that come with the package, or where they should be."""
    listed = zoo.entries()
    if listed:
        print(f"Trained, as `--model NAME` and `sr_jax.load(NAME)` take them:\n\n{zoo.table(listed)}\n")
        print("Set5 and Set14: Y-PSNR and SSIM of bicubic interpolation → of the network.")
        where = f", {zoo.machine()}" if zoo.machine() else ""
        print(f"Time and memory: for a picture of 1000x1000 pixels{where}.\n\nArchitectures:\n", flush=True)
    else:
        print(f"{missing()}\n", file=sys.stderr)


def show(names: list[str], scales: list[int], *, says_what_is_missing: bool) -> int:
    """Prints the table of costs.

    Args:
      names: networks by name, or config files and work directories, whose networks may be the user's own.

    Raises:
      InputError: if there is no such network, or none of them has such a scale.
    """
    networks = {name: _find(name) for name in names}
    pairs = [(one, scale) for one in networks.values() for scale in scales if scale in _scales(one)]
    if not pairs:
        there_are = _several(sorted({scale for one in networks.values() for scale in _scales(one)}))
        asked = " ".join(map(str, scales))
        raise InputError(f"--scale {asked}: none of {', '.join(names)} has that scale; there are {there_are}")
    for name, one in networks.items() if says_what_is_missing else ():
        missing = [scale for scale in scales if scale not in _scales(one)]
        if missing:
            print(f"left out: {name} {_several(missing)}; it has {_several(_scales(one))}", file=sys.stderr)
    with tqdm(pairs, unit="network", leave=False, disable=None) as bar:
        print(table([costs(*pair) for pair in bar]))
    return 0


def _find(name: str) -> Any:
    """A network by its name in `NETWORKS`, or that of a config file or a work directory."""
    if name in NETWORKS:
        return NETWORKS[name]
    with option("--network"):
        path = places.path_of(name)
        if path.suffix == SUFFIX:
            return read_card(path).config.model
        if path.is_dir():
            return load(path / CONFIG).model
        if path.suffix in (".py", ".json"):
            return load(path).model
    raise InputError(f"--network {name}: {no_such('network', name, list(NETWORKS))}")
