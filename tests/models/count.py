"""Counts parameters without making them."""

import math
from collections.abc import Callable

from flax import nnx

from sr_jax.weights.torch.mapping import shapes


def count(make: Callable[[], nnx.Module]) -> dict[str, int]:
    """The number of parameters of each kind: `kernel`, `bias` and so on."""
    numbers: dict[str, int] = {}
    for name, shape in shapes(nnx.eval_shape(make)).items():
        kind = name.rpartition(".")[2]
        numbers[kind] = numbers.get(kind, 0) + math.prod(shape)
    return numbers
