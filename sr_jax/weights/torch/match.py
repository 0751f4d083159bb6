"""Which layout of which network a state dict has, by its names and shapes."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from flax import nnx

from sr_jax import models
from sr_jax.config import NETWORKS
from sr_jax.models import MODELS
from sr_jax.weights import files as weights
from sr_jax.weights.files import is_floating
from sr_jax.weights.torch.layouts import LAYOUTS
from sr_jax.weights.torch.mapping import Arrays, Layout, Leaf, leaves

PREFIXES = ("module.", "model.", "netG.", "net.", "generator.", "_orig_mod.")
"""What wrappers such as DataParallel put before every name."""


class Match(NamedTuple):
    """How a state dict fits a layout."""

    title: str
    """The layout's."""
    layout: Layout
    prefix: str
    """What stands before their names."""
    state: Arrays
    """Their tensors without the prefix."""
    matched: list[Leaf]
    ignored: list[str]
    """What no network learns, such as counters."""
    complaints: list[str]
    """What is missing, superfluous, of another shape or type, or not finite."""


def abstract(network: Any, scale: int) -> nnx.Module:
    """The module of a network, with shapes in place of arrays."""
    return nnx.eval_shape(lambda: models.make(network, scale=scale, seed=0))


def nearest(tensors: Arrays, module: nnx.Module, layouts: Mapping[str, Layout]) -> list[Match]:
    """How the tensors fit each layout, with the prefix that fits best; the best layout first."""
    matches = [
        min((compare(state, module, title, layout, prefix) for prefix, state in _without_prefixes(tensors)), key=_badness)
        for title, layout in layouts.items()
    ]
    return sorted(matches, key=_badness)


def compare(state: Arrays, module: nnx.Module, title: str, layout: Layout, prefix: str) -> Match:
    """How a state dict fits one layout, name by name."""
    expected = {leaf.key: leaf for leaf in leaves(module, layout)}
    known = expected.keys() | layout.constants.keys()
    others = [key for key in state if key not in known and key.startswith(layout.ignored)]
    superfluous = [key for key in state if key not in known and key not in others]
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
    ignored += [f"{key} (a part that this network lacks)" for key in others]
    matched = [leaf for key, leaf in expected.items() if key in state and not _wrong(state[key], leaf)]
    return Match(title, layout, prefix, state, matched, ignored, complaints)


def elsewhere(tensors: Arrays) -> dict[str, list[int]]:
    """The published networks that the tensors fit, and at which scales."""
    found: dict[str, list[int]] = {}
    for name, network in NETWORKS.items():
        if network.name not in LAYOUTS:
            continue
        for scale in MODELS[network.name].about.scales:
            layouts = LAYOUTS[network.name](network, scale)
            named = {title: layout for title, layout in layouts.items() if _has_all_names(tensors, layout)}
            if named and not nearest(tensors, abstract(network, scale), named)[0].complaints:
                found.setdefault(name, []).append(scale)
    return found


def _has_all_names(tensors: Arrays, layout: Layout) -> bool:
    """Whether a layout has all the names, behind some prefix: which is found out sooner than whether the shapes fit."""
    modules, keys = {*layout.modules.values()}, {special.key for special in layout.specials.values()} | {*layout.constants}

    def is_named(key: str) -> bool:
        return key in keys or key.rpartition(".")[0] in modules or key.startswith(layout.ignored)

    return any(
        all(is_named(key) for key, value in state.items() if is_floating(value)) for _, state in _without_prefixes(tensors)
    )


def shape_of(leaf: Leaf) -> tuple[int, ...]:
    """Of their tensor."""
    return leaf.to_theirs(np.broadcast_to(np.float32(0), leaf.shape)).shape


def has_other_shape(value: np.ndarray, leaf: Leaf) -> bool:
    """Whether a tensor cannot be that of the leaf; one slope may be that of all channels."""
    is_shared = leaf.name.endswith(".slope") and value.shape == (1,)
    return value.shape != shape_of(leaf) and not is_shared


def _wrong(value: np.ndarray, leaf: Leaf) -> str:
    if has_other_shape(value, leaf):
        return f"is {value.shape}, not {shape_of(leaf)}"
    return weights.wrong_values(value)


def _equals(value: np.ndarray, constant: np.ndarray) -> bool:
    """To the precision of half floats, in which some files are."""
    return value.shape == np.shape(constant) and np.allclose(value.astype(np.float32), constant, rtol=1e-3, atol=1e-6)


def _badness(match: Match) -> tuple[int, int]:
    return -len(match.matched), len(match.complaints)


def _without_prefixes(tensors: Arrays) -> Iterator[tuple[str, Arrays]]:
    """The tensors as they are, and without each prefix that all have."""
    prefix = ""
    yield prefix, tensors
    while common := _common_prefix(tensors):
        prefix += common
        tensors = {name.removeprefix(common): value for name, value in tensors.items()}
        yield prefix, tensors


def _common_prefix(tensors: Arrays) -> str | None:
    """Counters may stand without it beside the others."""
    names = [name for name, value in tensors.items() if is_floating(value)]
    return next((p for p in PREFIXES if names and all(name.startswith(p) for name in names)), None)
