"""The published networks and what they cost: `python -m sr_jax.models list`.

Parameters are counted on the network itself, multiply-adds on the program that JAX traces of it: those of convolutions, of
products of matrices and of Fourier transforms. The receptive field is measured: a NaN is put into a strip, and where it comes
out is what that pixel matters for.
"""

import math
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.extend import core
from tabulate import tabulate
from tqdm import tqdm

from sr_jax import models
from sr_jax.config import NETWORKS, no_such
from sr_jax.errors import InputError
from sr_jax.models import MODELS, About, Known

OUTPUT = (720, 1280)
"""Size of the output for which multiply-adds are counted, as in published tables; rounded up to a multiple of the scale."""
STRIPS = (65, 161)
"""Lengths of the strips in which the receptive field is sought [LR pixels]."""
STRIP_WIDTH = 10


class Cost(NamedTuple):
    """What one network costs at one scale."""

    network: str
    year: int
    scale: int
    upsampler: str
    parameters: int
    multiply_adds: int
    """Of one image of the size `OUTPUT`."""
    field: int | None
    """Side of the square of LR pixels on which an output pixel depends; None: the whole image."""


def costs(name: str, scale: int) -> Cost:
    """The cost of a published network, by its name in `NETWORKS`."""
    graph, variables = nnx.split(nnx.eval_shape(lambda: models.make(NETWORKS[name], scale=scale, seed=0)), nnx.Param)
    params = nnx.to_pure_dict(variables)

    def apply(params: Any, *inputs: Any) -> Any:
        return nnx.merge(graph, params)(*inputs)

    about = MODELS[NETWORKS[name].name].about
    shape = tuple(-(-n // scale) for n in OUTPUT)
    traced = jax.make_jaxpr(apply)(params, *_inputs(about, shape, jax.ShapeDtypeStruct))
    field = receptive_field(apply, _filled(params), about, scale=scale)
    size = sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params))
    return Cost(name, about.year, scale, about.upsampler, size, multiply_adds(traced.jaxpr), field)


def table(found: Sequence[Cost]) -> str:
    """The costs as a table in Markdown."""
    lines = [
        (r.network, r.year, f"x{r.scale}", r.upsampler, f"{r.parameters:,}", f"{r.multiply_adds / 1e9:.1f}", _square(r.field))
        for r in found
    ]
    headers = ("network", "year", "scale", "upsampler", "parameters", "multiply-adds [G]", "receptive field [LR pixels]")
    align = ("left", "right", "left", "left", "right", "right", "right")
    return tabulate(lines, headers, tablefmt="github", colalign=align, disable_numparse=True)


def multiply_adds(jaxpr: core.Jaxpr) -> int:
    """Multiply-adds of a program's convolutions, products of matrices and Fourier transforms.

    Of a choice between forms for different platforms, the one for others than CPUs counts. A Fourier transform of n real
    numbers counts as 5/4 n log2 n, of complex ones twice that: half of the usual count of its floating-point operations.
    """
    total = 0
    for equation in jaxpr.eqns:
        out = math.prod(_shape(equation.outvars[0]))
        match equation.primitive.name:
            case "conv_general_dilated":
                kernel, spec = _shape(equation.invars[1]), equation.params["dimension_numbers"].rhs_spec
                taps = math.prod(kernel) // kernel[spec[0]]
                total += out * taps // math.prod(equation.params["lhs_dilation"])  # the zeros between are not multiplied
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
    """Side of the square of LR pixels on which an output pixel of `apply(params, LR)` depends; None: the whole image."""
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
    """What a network reads of one LR image: the image, and where it is told, a kernel of 9x9 taps and the noise."""
    lr = make((1, *shape, about.channels), jnp.float32)
    return (lr, Known(make((1, 9, 9), jnp.float32), make((1,), jnp.float32))) if about.is_told else (lr,)


def _filled(params: Any) -> Any:
    """Parameters none of which is zero, in the place of abstract ones."""
    return jax.tree.map(lambda leaf: np.full(leaf.shape, 0.01, np.float32), params)


def _inner(params: dict[str, Any]) -> list[core.Jaxpr]:
    """The programs within an operation, such as a jitted call."""
    found = [getattr(value, "jaxpr", value) for value in params.values()]
    return [value for value in found if isinstance(value, core.Jaxpr)]


def _shape(variable: Any) -> tuple[int, ...]:
    return variable.aval.shape


def _scales(name: str) -> tuple[int, ...]:
    return MODELS[NETWORKS[name].name].about.scales


def _several(scales: Sequence[int]) -> str:
    return ", ".join(f"x{scale}" for scale in scales)


def _square(side: int | None) -> str:
    return "whole image" if side is None else f"{side}x{side}"


def show(names: list[str], scales: list[int], *, says_what_is_missing: bool) -> int:
    for name in names:
        if name not in NETWORKS:
            raise InputError(f"--model {name}: {no_such('network', name, list(NETWORKS))}")
    pairs = [(name, scale) for name in names for scale in scales if scale in _scales(name)]
    if not pairs:
        there_are = _several(sorted({scale for name in names for scale in _scales(name)}))
        asked = " ".join(map(str, scales))
        raise InputError(f"--scale {asked}: none of {', '.join(names)} has that scale; there are {there_are}")
    for name in names if says_what_is_missing else ():
        missing = [scale for scale in scales if scale not in _scales(name)]
        if missing:
            print(f"left out: {name} {_several(missing)}; it has {_several(_scales(name))}", file=sys.stderr)
    with tqdm(pairs, unit="network", leave=False, disable=None) as bar:
        print(table([costs(*pair) for pair in bar]))
    return 0
