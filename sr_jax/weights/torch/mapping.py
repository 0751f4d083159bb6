"""Maps our parameters to a PyTorch state dict and back: names by a layout, axes by the kind of layer.

A layout says which of our modules corresponds to which of theirs. The order of axes follows from the module:

| ours | theirs |
|---|---|
| `nnx.Conv.kernel` (kh, kw, in, out) | `Conv2d.weight` (out, in, kh, kw) |
| the same within `SubPixel`, channels (r, q, c) | the same before `PixelShuffle`, channels (c, r, q) |
| either of them in groups, (kh, kw, in / groups, out) | `Conv2d.weight` (out, in / groups, kh, kw) |
| `Deconvolution.kernel` (kh, kw, in, out / groups) | `ConvTranspose2d.weight` (in, out / groups, kh, kw); no flip |
| `nnx.Linear.kernel` (in, out) | `Linear.weight` (out, in) |
| `PReLU.slope` (c), or (1) if it is shared | `PReLU.weight` (c), or (1) if it is shared |
| `nnx.LayerNorm.scale` (c) | `LayerNorm.weight` (c) |
| `bias` (c) | `bias` (c) |
"""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from flax import nnx

from sr_jax.layers import Deconvolution, PReLU, SubPixel

Arrays = Mapping[str, np.ndarray]
Turn = Callable[[np.ndarray], np.ndarray]


class Special(NamedTuple):
    """How PyTorch stores a parameter for which the table above has no rule."""

    key: str
    """Its name in the state dict."""
    to_ours: Turn
    to_theirs: Turn


class Layout(NamedTuple):
    """One implementation's names for one network's layers."""

    modules: dict[str, str]
    """Path of our module, such as `mapping.0`, -> path of theirs."""
    specials: Mapping[str, Special] = MappingProxyType({})
    """Path of our parameter -> theirs. They take precedence over the rules."""
    constants: Mapping[str, np.ndarray] = MappingProxyType({})
    """Values that they store although nothing learns them. A file must agree with them, and they are written with the rest."""
    ignored: tuple[str, ...] = ()
    """Prefixes of keys that only they have, such as branches for other scales. They are not written."""


class Leaf(NamedTuple):
    """One of our parameters."""

    name: str
    shape: tuple[int, ...]
    key: str
    """Its name in the state dict; empty if the layout does not name it."""
    to_ours: Turn
    to_theirs: Turn


def leaves(module: nnx.Module, layout: Layout) -> list[Leaf]:
    """Lists every parameter of a network with its place in a layout. The arrays may be abstract.

    Raises:
      TypeError: if there is no rule for a parameter and the layout does not have it among its specials.
    """
    result = []
    for name, shape, rule in _parameters(module):
        owner = name.rpartition(".")[0]
        special = layout.specials.get(name)
        if special is None:
            if rule is None:
                raise TypeError(f"there is no rule for the axes of {name}: the layout must have it among its specials")
            special = rule._replace(key=f"{layout.modules[owner]}.{rule.key}" if owner in layout.modules else "")
        result.append(Leaf(name, shape, *special))
    return result


def default_layout(module: nnx.Module) -> Layout:
    """The layout of a network that no public implementation has: our names for modules, PyTorch's names for parameters.

    A parameter without a rule keeps its name and its axes.
    """
    modules, specials = {}, {}
    for name, _, rule in _parameters(module):
        owner = name.rpartition(".")[0]
        if rule and owner:
            modules[owner] = owner
        else:
            specials[name] = Special(name, np.asarray, np.asarray)
    return Layout(modules, specials)


def shapes(module: nnx.Module) -> dict[str, tuple[int, ...]]:
    """Our parameters' names, with dots, and their shapes."""
    return {".".join(map(str, path)): value.shape for path, value in nnx.to_flat_state(nnx.state(module, nnx.Param))}


def from_torch(module: nnx.Module, state: Arrays, layout: Layout) -> dict[str, np.ndarray]:
    """Our parameters by name, in float32. The state dict must fit the layout, which `match.compare` checks."""
    return {
        leaf.name: np.ascontiguousarray(_broadcast(leaf, leaf.to_ours(np.asarray(state[leaf.key]))), np.float32)
        for leaf in leaves(module, layout)
    }


def to_torch(module: nnx.Module, params: Arrays, layout: Layout) -> dict[str, np.ndarray]:
    """The state dict of our parameters."""
    state = {leaf.key: np.ascontiguousarray(leaf.to_theirs(params[leaf.name])) for leaf in leaves(module, layout)}
    return {**state, **layout.constants}


def _broadcast(leaf: Leaf, value: np.ndarray) -> np.ndarray:
    """Repeats a slope that all channels share."""
    return np.broadcast_to(value, leaf.shape) if value.shape == (1,) else value


def _parameters(module: nnx.Module) -> Iterator[tuple[str, tuple[int, ...], Special | None]]:
    """Name, shape and rule of each parameter."""
    owners = {".".join(map(str, path)): node for path, node in nnx.iter_graph(module)}
    for name, shape in shapes(module).items():
        owner, _, attribute = name.rpartition(".")
        parent = owners.get(owner.rpartition(".")[0]) if "." in owner else module
        yield name, shape, _rule(owners.get(owner), parent, attribute, shape)


def _rule(owner: Any, parent: Any, attribute: str, shape: tuple[int, ...]) -> Special | None:
    """PyTorch's name for an attribute of `owner`, and how to turn its values; None if it is none of the table above."""
    key = "bias" if attribute == "bias" else "weight"
    if isinstance(parent, SubPixel):
        order = _pixel_shuffle_order(shape[-1], parent.scale, parent.groups)
        inverse = np.argsort(order)
        if attribute == "bias":
            return Special(key, lambda w: w[order], lambda w: w[inverse])
        return Special(key, lambda w: w.transpose(2, 3, 1, 0)[..., order], lambda w: w[..., inverse].transpose(3, 2, 0, 1))
    if attribute == "kernel" and isinstance(owner, Deconvolution):
        return Special(key, lambda w: w.transpose(2, 3, 0, 1), lambda w: w.transpose(2, 3, 0, 1))
    if attribute == "kernel" and isinstance(owner, nnx.Conv) and len(shape) == 4:
        return Special(key, lambda w: w.transpose(2, 3, 1, 0), lambda w: w.transpose(3, 2, 0, 1))
    if attribute == "kernel" and isinstance(owner, nnx.Linear):
        return Special(key, np.transpose, np.transpose)
    has_same_axes = (
        attribute == "bias"
        or (attribute == "slope" and isinstance(owner, PReLU))
        or (attribute == "scale" and isinstance(owner, nnx.LayerNorm))
    )
    return Special(key, lambda w: w, lambda w: w) if has_same_axes else None


def _pixel_shuffle_order(channels: int, scale: int, groups: int) -> np.ndarray:
    """For each of our output channels (group, r, q, c) before a pixel shuffle, PyTorch's index; it has (group, c, r, q)."""
    return np.arange(channels).reshape(groups, -1, scale, scale).transpose(0, 2, 3, 1).ravel()
