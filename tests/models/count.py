"""Numbers of parameters, counted without making them."""

import math
from collections.abc import Callable

from flax import nnx

from sr_jax.weights.torch.mapping import shapes


def count(make: Callable[[], nnx.Module]) -> dict[str, int]:
    """How many there are of each kind: `kernel`, `bias` and so on."""
    found: dict[str, int] = {}
    for name, shape in shapes(nnx.eval_shape(make)).items():
        kind = name.rpartition(".")[2]
        found[kind] = found.get(kind, 0) + math.prod(shape)
    return found
