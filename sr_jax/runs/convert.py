"""Converts weights of other implementations to ours, and back."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from sr_jax import config as configs
from sr_jax.assembly import trained
from sr_jax.config import Config
from sr_jax.errors import InputError, listing, writing
from sr_jax.system import provenance
from sr_jax.system.files import sha256_of
from sr_jax.weights import files as weights
from sr_jax.weights.card import Card, Converted, card_path, read_card
from sr_jax.weights.torch import files as torch_files
from sr_jax.weights.torch import mapping, match
from sr_jax.weights.torch.mapping import Layout
from sr_jax.weights.torch.match import Match

MOST_COMPLAINTS = 20


def to_ours(source: Path, *, network_config: Any, scale: int, layout: str | None, out: Path) -> None:
    """Converts weights of another implementation, and prints what became of each tensor.

    Args:
      network_config, scale: the network that the weights are of.
      layout: title of the layout that the tensors have; None: the one that fits best.

    Raises:
      InputError: if the file cannot be used, if its tensors are not exactly those of the network, or if `out` would replace
        anything but an earlier conversion. Nothing is written then.
    """
    # Options and places, checked before the work.
    module = match.abstract(network_config, scale)
    layouts = _choose_layouts(network_config, scale, layout)
    _check_out(out, source, (weights.SUFFIX,), "give --to torch to write PyTorch's")
    _check_replaces_only_a_conversion(out)

    # The source, and the layout that fits it best.
    state_dict = torch_files.read(source, most=torch_files.most_bytes(mapping.shapes(module)))
    best, *others = match.nearest(state_dict.tensors, module, layouts)
    if best.complaints and state_dict.tensors.keys() == mapping.shapes(module).keys():
        raise InputError(f"{source} already has the names of sr_jax; give --to torch to convert it to another layout")
    _print("source", f"{source}, {state_dict.size:,} bytes, sha256 {state_dict.sha256}")
    for note in state_dict.notes:
        _print("note", note)
    _print("network", _describe(network_config, scale))
    _print("layout", f"{best.title}{f', behind the prefix {best.prefix}' if best.prefix else ''}")
    _print("matched", f"{len(best.matched)} of {_tensors(len(mapping.shapes(module)))}{_table(best)}")
    if best.ignored:
        _print("ignored", ", ".join(best.ignored))
    if best.complaints:
        raise InputError(_explain(state_dict, best, network_config, scale))

    # What the tensors leave open.
    if also := [other.title for other in others if not other.complaints]:
        _print("note", f"the tensors also fit {', '.join(also)}; --layout chooses")
    if scales := match.other_scales(best, network_config, scale):
        _print("note", f"the tensors also fit {', '.join(f'x{other}' for other in scales)}; x{scale} is from --scale")

    # Our weights, with a card that says where they are from.
    params = mapping.from_torch(module, best.state, best.layout)
    origin = Converted(source.name, state_dict.sha256, best.title)
    config = Config(scale=scale, model=network_config)
    card = Card(config, None, provenance.commit(), [], origin)
    with writing(f"--out {out}:"):
        out.parent.mkdir(parents=True, exist_ok=True)
        configs.keep_code(out.parent, config)
        weights.write(out, params, card)
    back = weights.named(trained.load(str(out), which="latest", parameters="ema").network.params)
    _print("written", f"{out} and {card_path(out).name}; read back: {_count(back)}")


def to_torch(source: str, *, network_config: Any | None, scale: int | None, layout: str | None, out: Path) -> None:
    """Converts a weights file or a work directory to a state dict of another implementation.

    Args:
      source: the model: a work directory, a weights file with its card, a name of the zoo, or a repository of the hub.
      network_config, scale: the network that the weights must be of; None: any.
      layout: title of the layout to write; None: the first one of the network.

    Raises:
      InputError: if the source cannot be used or has another network or scale, if there is no such layout, or if `out` lies
        in the work directory or would replace weights of ours. Nothing is written then.
    """
    # Options and places, checked before the work.
    _check_out(out, Path(source).expanduser(), torch_files.SUFFIXES, "")
    if _card_of(out):
        raise InputError(f"--out {out}: holds weights of sr_jax with their card, {card_path(out).name}; give another name")
    if out.name.endswith(torch_files.PYTORCH):
        torch_files.import_torch(out)

    # The trained network.
    ours = trained.load(source, which="latest", parameters="ema")
    known = ours.config.model, ours.config.scale
    expected = network_config or known[0], scale or known[1]
    if _describe(*expected) != _describe(*known):  # the class of one's own network differs from that of its copy
        raise InputError(f"{source} holds {_describe(*known)}, not {_describe(*expected)}; leave out --network and --scale")

    # Its state dict.
    title, names = next(iter(_choose_layouts(*known, layout).items()))
    module = match.abstract(*known)
    state = mapping.to_torch(module, weights.named(ours.network.params), names)
    with writing(f"--out {out}:"):
        out.parent.mkdir(parents=True, exist_ok=True)
        torch_files.write(out, state)
    tensors = torch_files.read(out, most=torch_files.most_bytes(mapping.shapes(module))).tensors
    back = match.compare(tensors, module, title, names, "")
    assert not back.complaints, back.complaints
    _print("source", ours.origin)
    _print("network", _describe(*known))
    _print("layout", title)
    _print("converted", f"{_tensors(len(back.matched))}{_table(back, is_reversed=True)}")
    if names.constants:
        _print("constants", ", ".join(names.constants))
    _print("written", f"{out}; read back: {_count({leaf.key: back.state[leaf.key] for leaf in back.matched})}")


def _choose_layouts(network_config: Any, scale: int, title: str | None) -> dict[str, Layout]:
    """The layout that `--layout` asks for, or all of the network."""
    layouts = match.layouts_of(network_config, scale)
    if title is None:
        return layouts
    if title not in layouts:
        raise InputError(f"--layout {title}: {configs.no_such(f'layout of {network_config.name}', title, list(layouts))}")
    return {title: layouts[title]}


def _check_out(out: Path, source: Path, suffixes: tuple[str, ...], hint: str) -> None:
    """Raises InputError if `out` has a wrong suffix, or lies where nothing may be written."""
    if not out.name.endswith(suffixes):
        raise InputError(f"--out {out}: give a name that ends in {', '.join(suffixes)}{f', or {hint}' if hint else ''}")
    with writing(f"--out {out}:"):  # a folder on the way may not be readable
        if out.is_dir():
            raise InputError(f"--out {out}: is a folder; give another name")
        if out.exists() and source.exists() and out.samefile(source):
            raise InputError(f"--out {out}: is the source itself; give another name")
        if source.is_dir() and source.resolve() in out.resolve().parents:
            raise InputError(
                f"--out {out}: lies in the work directory {source}, where only its run writes; give another folder"
            )


def _check_replaces_only_a_conversion(out: Path) -> None:
    """Raises InputError if `out` or its card exists, unless they are the output of an earlier conversion."""
    existing = [str(path) for path in (out, card_path(out)) if path.exists()]
    card = _card_of(out)
    is_conversion = card is not None and card.converted is not None
    is_intact = card is not None and (not out.exists() or card.sha256 == sha256_of(out))
    if existing and not (is_conversion and is_intact):
        verb = "exists" if len(existing) == 1 else "exist"
        raise InputError(f"--out {out}: {' and '.join(existing)} {verb} already, and not from a conversion; give another name")


def _card_of(out: Path) -> Card | None:
    """The card beside `out`, if `out` has the suffix of our weights and the card can be read."""
    if out.suffix != weights.SUFFIX:
        return None
    try:
        return read_card(out)
    except InputError:
        return None


def _explain(state_dict: torch_files.Source, best: Match, network_config: Any, scale: int) -> str:
    """Says what does not fit, and which options may be wrong."""
    networks = match.other_networks(state_dict.tensors)
    fitting = [f"{name} {', '.join(f'x{other}' for other in scales)}" for name, scales in networks.items()]
    if fitting:
        hint = f"\nThese are weights of {' or of '.join(fitting)}: give --network and --scale accordingly"
        hint += "" if network_config in configs.NETWORKS.values() else ", and no --network.*"
    elif match.has_other_sizes(best, match.abstract(network_config, scale)):
        hint = f"\nOther sizes are given as {', '.join(f'--network.{key}' for key in _sizes(network_config))}"
    else:
        hint = ""
    return (
        f"{state_dict.path} does not fit {_describe(network_config, scale)}; nothing is written. "
        f"In the nearest layout, {best.title}:{listing(best.complaints, most=MOST_COMPLAINTS)}{hint}"
    )


def _describe(network_config: Any, scale: int) -> str:
    name = configs.title(network_config).partition("(")[0]
    return f"{name} x{scale} ({', '.join(f'{key}={value}' for key, value in _sizes(network_config).items())})"


def _sizes(network_config: Any) -> dict[str, Any]:
    return {key: value for key, value in dataclasses.asdict(network_config).items() if key != "name"}


def _table(matched: Match, *, is_reversed: bool = False) -> str:
    """Name and shape of each tensor in the source and in the result."""
    pairs = [
        (f"{matched.prefix}{leaf.key} {matched.state[leaf.key].shape}", f"{leaf.name} {leaf.shape}") for leaf in matched.matched
    ]
    pairs = [pair[::-1] for pair in pairs] if is_reversed else pairs
    width = max((len(source) for source, _ in pairs), default=0)
    return listing(f"{source:{width}} -> {result}" for source, result in pairs)


def _count(tensors: dict[str, np.ndarray]) -> str:
    return f"{_tensors(len(tensors))}, {sum(value.size for value in tensors.values()):,} parameters"


def _tensors(count: int) -> str:
    return f"{count} tensor{'' if count == 1 else 's'}"


def _print(label: str, text: str) -> None:
    print(f"{label:<11} {text}")
