"""Between our parameters and a state dict of PyTorch's: names by a layout, axes by the kind of layer.

A layout says which of our modules is which of theirs. How the arrays lie follows from the module:

| ours | theirs |
|---|---|
| `nnx.Conv.kernel` (kh, kw, in, out) | `Conv2d.weight` (out, in, kh, kw) |
| the same within `SubPixel`, channels (r, q, c) | the same before `PixelShuffle`, channels (c, r, q) |
| `Deconvolution.kernel` (kh, kw, in, out / groups) | `ConvTranspose2d.weight` (in, out / groups, kh, kw); no flip |
| `nnx.Linear.kernel` (in, out) | `Linear.weight` (out, in) |
| `PReLU.slope` (c), or (1) if it is shared | `PReLU.weight` (c), or (1) if it is shared |
| `nnx.LayerNorm.scale` (c) | `LayerNorm.weight` (c) |
| `bias` (c) | `bias` (c) |
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from flax import nnx

from sr_jax.layers import Deconvolution, PReLU, SubPixel

Arrays = Mapping[str, np.ndarray]
Turn = Callable[[np.ndarray], np.ndarray]


class Special(NamedTuple):
    """A parameter that lies as no rule says."""

    key: str
    """Theirs."""
    to_ours: Turn
    to_theirs: Turn


class Layout(NamedTuple):
    """One implementation's names of one network's layers."""

    modules: dict[str, str]
    """Path of our module, such as `mapping.0`, -> path of theirs."""
    specials: Mapping[str, Special] = MappingProxyType({})
    """Path of our parameter -> theirs, for what is not a parameter of a module in the table above."""
    constants: Mapping[str, np.ndarray] = MappingProxyType({})
    """What they store though it is not learned: it must have these values, and is written with them."""
    ignored: tuple[str, ...] = ()
    """Prefixes of keys that they may have and we do not, such as the branches of other scales; not written back."""


class Leaf(NamedTuple):
    """One of our parameters."""

    name: str
    shape: tuple[int, ...]
    key: str
    """Theirs; empty if the layout does not name it."""
    to_ours: Turn
    to_theirs: Turn


def leaves(module: nnx.Module, layout: Layout) -> list[Leaf]:
    """Every parameter of the network, with where a layout has it and how to turn it. The arrays may be abstract."""
    owners = {".".join(map(str, path)): node for path, node in nnx.iter_graph(module)}
    found = []
    for name, shape in shapes(module).items():
        if special := layout.specials.get(name):
            found.append(Leaf(name, shape, *special))
            continue
        owner, _, leaf = name.rpartition(".")
        above = owners.get(owner.rpartition(".")[0]) if "." in owner else module
        key, to_ours, to_theirs = _rule(owners.get(owner), above, leaf, shape)
        key = f"{layout.modules[owner]}.{key}" if owner in layout.modules else ""
        found.append(Leaf(name, shape, key, to_ours, to_theirs))
    return found


def shapes(module: nnx.Module) -> dict[str, tuple[int, ...]]:
    """Our parameters' names, with dots, and their shapes."""
    return {".".join(map(str, path)): value.shape for path, value in nnx.to_flat_state(nnx.state(module, nnx.Param))}


def from_torch(module: nnx.Module, state: Arrays, layout: Layout) -> dict[str, np.ndarray]:
    """Our parameters by name, float32. The state must hold all of the layout's keys in fitting shapes: `fit` checks that."""
    return {
        leaf.name: np.ascontiguousarray(_spread(leaf, leaf.to_ours(np.asarray(state[leaf.key]))), np.float32)
        for leaf in leaves(module, layout)
    }


def to_torch(module: nnx.Module, params: Arrays, layout: Layout) -> dict[str, np.ndarray]:
    """Their state dict of our parameters."""
    state = {leaf.key: np.ascontiguousarray(leaf.to_theirs(params[leaf.name])) for leaf in leaves(module, layout)}
    return {**state, **layout.constants}


def _spread(leaf: Leaf, value: np.ndarray) -> np.ndarray:
    """A slope that is shared, for all channels."""
    return np.broadcast_to(value, leaf.shape) if value.shape == (1,) else value


def _rule(owner: Any, above: Any, leaf: str, shape: tuple[int, ...]) -> tuple[str, Turn, Turn]:
    """Their name of a parameter, and how to turn it."""
    key = "bias" if leaf == "bias" else "weight"
    if isinstance(above, SubPixel):
        outputs = _by_channel(shape[-1], above.scale)
        back = np.argsort(outputs)
        if leaf == "bias":
            return key, lambda w: w[outputs], lambda w: w[back]
        return key, lambda w: w.transpose(2, 3, 1, 0)[..., outputs], lambda w: w[..., back].transpose(3, 2, 0, 1)
    if leaf == "kernel" and isinstance(owner, Deconvolution):
        return key, lambda w: w.transpose(2, 3, 0, 1), lambda w: w.transpose(2, 3, 0, 1)
    if leaf == "kernel" and isinstance(owner, nnx.Conv):
        return key, lambda w: w.transpose(2, 3, 1, 0), lambda w: w.transpose(3, 2, 0, 1)
    if leaf == "kernel" and isinstance(owner, nnx.Linear):
        return key, np.transpose, np.transpose
    if leaf == "bias" or isinstance(owner, PReLU | nnx.LayerNorm):
        return key, lambda w: w, lambda w: w
    raise TypeError(f"a {leaf} of {type(owner).__name__} lies as no rule says: the layout must name it among its specials")


def _by_channel(channels: int, scale: int) -> np.ndarray:
    """Where PyTorch has our output channel (r, q, c) before a pixel shuffle: at (c, r, q)."""
    return np.arange(channels).reshape(-1, scale, scale).transpose(1, 2, 0).ravel()
