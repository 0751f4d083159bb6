"""Finds which layout of which network a state dict has, by its names and shapes."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from flax import nnx

from sr_jax import models
from sr_jax.config import NETWORKS
from sr_jax.errors import InputError
from sr_jax.models import class_of
from sr_jax.weights.files import is_floating, wrong_values
from sr_jax.weights.torch.layouts import LAYOUTS
from sr_jax.weights.torch.mapping import Arrays, Layout, Leaf, default_layout, leaves

DEFAULT = "sr_jax"
"""Title of the layout of a network that no public implementation has."""

PREFIXES = ("module.", "model.", "netG.", "net.", "generator.", "_orig_mod.")
"""What wrappers such as DataParallel put before every name."""


class Match(NamedTuple):
    """How a state dict fits a layout."""

    title: str
    """Title of the layout."""
    layout: Layout
    prefix: str
    """What precedes every name in the file."""
    state: Arrays
    """Their tensors, named without the prefix."""
    matched: list[Leaf]
    """Our parameters whose tensors are there and fit."""
    ignored: list[str]
    """Tensors that are not parameters of this network, such as counters."""
    complaints: list[str]
    """What is missing, superfluous, has a wrong shape or type, or is not finite."""


def abstract(network_config: Any, scale: int) -> nnx.Module:
    """The module of a network, with shapes in place of arrays."""
    return nnx.eval_shape(lambda: models.make(network_config, scale=scale, seed=0))


def layouts_of(network_config: Any, scale: int) -> dict[str, Layout]:
    """The layouts of a network by title: those of public implementations, or else one with our own names.

    Raises:
      InputError: if the network has an option that no public implementation has.
    """
    make = LAYOUTS.get(network_config.name)
    return make(network_config, scale) if make else {DEFAULT: default_layout(abstract(network_config, scale))}


def nearest(tensors: Arrays, module: nnx.Module, layouts: Mapping[str, Layout]) -> list[Match]:
    """Matches the tensors with each layout, behind the prefix that fits best. The best match comes first.

    Raises:
      InputError: if two tensors have the same name without a prefix.
    """
    matches = [
        min((compare(state, module, title, layout, prefix) for prefix, state in _without_prefixes(tensors)), key=_badness)
        for title, layout in layouts.items()
    ]
    return sorted(matches, key=_badness)


def compare(state: Arrays, module: nnx.Module, title: str, layout: Layout, prefix: str) -> Match:
    """Matches a state dict with one layout, name by name."""
    expected = {leaf.key: leaf for leaf in leaves(module, layout)}
    known = expected.keys() | layout.constants.keys()
    parts = [key for key in state if key not in known and key.startswith(layout.ignored)]
    superfluous = [key for key in state if key not in known and key not in parts]
    complaints = [
        *(f"{key} is missing" for key in expected if key not in state),
        *(f"{key} {state[key].shape} is superfluous" for key in superfluous if is_floating(state[key])),
        *(f"{key} {wrong}" for key, leaf in expected.items() if key in state and (wrong := _wrong(state[key], leaf))),
        *(
            f"{key} is a constant of this network, but has other values"
            for key, value in layout.constants.items()
            if key in state and not _equals(state[key], value)
        ),
    ]
    ignored = [f"{key} ({state[key].dtype})" for key in superfluous if not is_floating(state[key])]
    ignored += [f"{key} (a part that this network lacks)" for key in parts]
    matched = [leaf for key, leaf in expected.items() if key in state and not _wrong(state[key], leaf)]
    return Match(title, layout, prefix, state, matched, ignored, complaints)


def other_scales(match: Match, network_config: Any, scale: int) -> list[int]:
    """The other scales at which the same network fits the tensors too."""
    others = [other for other in class_of(network_config).about.scales if other != scale]
    return [other for other in others if _fits(match.state, network_config, other, layouts_of(network_config, other))]


def other_networks(tensors: Arrays) -> dict[str, list[int]]:
    """The published networks that fit the tensors, and at which scales."""
    fitting: dict[str, list[int]] = {}
    for name, network_config in NETWORKS.items():
        for scale in class_of(network_config).about.scales:
            layouts = layouts_of(network_config, scale)
            candidates = {title: layout for title, layout in layouts.items() if _has_all_names(tensors, layout)}
            if candidates and _fits(tensors, network_config, scale, candidates):
                fitting.setdefault(name, []).append(scale)
    return fitting


def has_other_sizes(match: Match, module: nnx.Module) -> bool:
    """Whether the tensors are those of the same network in another size.

    That is so if some have a known name but another shape, or if whole layers are missing, or there are more of the same kind.
    """
    expected = {leaf.key: leaf for leaf in leaves(module, match.layout)}
    if not expected.keys() & match.state.keys():
        return False
    kinds = {_kind(key) for key in expected}
    return (
        any(_has_other_shape(match.state[key], leaf) for key, leaf in expected.items() if key in match.state)
        or sum(key not in match.state for key in expected) > 1
        or any(key not in expected and _kind(key) in kinds for key in match.state)
    )


def shape_of(leaf: Leaf) -> tuple[int, ...]:
    """Shape of a parameter's tensor in the state dict."""
    return leaf.to_theirs(np.broadcast_to(np.float32(0), leaf.shape)).shape


def _fits(tensors: Arrays, network_config: Any, scale: int, layouts: Mapping[str, Layout]) -> bool:
    return not nearest(tensors, abstract(network_config, scale), layouts)[0].complaints


def _kind(key: str) -> str:
    """A name without its numbers, which is the same for all layers of a kind."""
    return re.sub(r"\d+", "#", key)


def _has_all_names(tensors: Arrays, layout: Layout) -> bool:
    """Whether a layout has all the names, behind some prefix. This is quicker to see than whether the shapes fit."""
    modules, keys = {*layout.modules.values()}, {special.key for special in layout.specials.values()} | {*layout.constants}

    def is_named(key: str) -> bool:
        return key in keys or key.rpartition(".")[0] in modules or key.startswith(layout.ignored)

    return any(
        all(is_named(key) for key, value in state.items() if is_floating(value)) for _, state in _without_prefixes(tensors)
    )


def _has_other_shape(value: np.ndarray, leaf: Leaf) -> bool:
    """Whether a tensor has a wrong shape. One slope for all channels is right."""
    is_shared = leaf.name.endswith(".slope") and value.shape == (1,)
    return value.shape != shape_of(leaf) and not is_shared


def _wrong(value: np.ndarray, leaf: Leaf) -> str:
    if _has_other_shape(value, leaf):
        return f"is {value.shape}, not {shape_of(leaf)}"
    return wrong_values(value)


def _equals(value: np.ndarray, constant: np.ndarray) -> bool:
    """Whether a constant has the right values, to the precision of half floats, which some files have."""
    return value.shape == np.shape(constant) and np.allclose(value.astype(np.float32), constant, rtol=1e-3, atol=1e-6)


def _badness(match: Match) -> tuple[int, int]:
    return -len(match.matched), len(match.complaints)


def _without_prefixes(tensors: Arrays) -> Iterator[tuple[str, Arrays]]:
    """The tensors as they are, and without each prefix that all names have."""
    prefix = ""
    yield prefix, tensors
    while common := _common_prefix(tensors):
        prefix += common
        tensors = _without(common, tensors)
        yield prefix, tensors


def _without(prefix: str, tensors: Arrays) -> Arrays:
    """The tensors, named without a prefix.

    Raises:
      InputError: if two of them get the same name. Only a tensor that is not floating point can lack the prefix.
    """
    names = {name: name.removeprefix(prefix) for name in tensors}
    for name, short in names.items():
        if name != short and names.get(short) == short:
            raise InputError(f"the tensors {name} and {short} are both called {short} without {prefix}; remove one of them")
    return {short: tensors[name] for name, short in names.items()}


def _common_prefix(tensors: Arrays) -> str | None:
    """The prefix that the names of all floating-point tensors have. Wrappers do not rename counters."""
    names = [name for name, value in tensors.items() if is_floating(value)]
    return next((p for p in PREFIXES if names and all(name.startswith(p) for name in names)), None)
