"""The two ways of a conversion, from files to files."""

import dataclasses
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from sr_jax import config as configs
from sr_jax.system import provenance
from sr_jax.build import trained
from sr_jax.weights import files as weights
from sr_jax.config import Config
from sr_jax.weights.torch import files as sources
from sr_jax.weights.torch import mapping, match
from sr_jax.weights.torch.layouts import LAYOUTS
from sr_jax.weights.torch.mapping import Layout
from sr_jax.weights.torch.match import Match
from sr_jax.errors import InputError, listing, writing
from sr_jax.system.files import replace_bytes
from sr_jax.models import MODELS

MOST_COMPLAINTS = 20


def to_ours(source: Path, *, network: Any, scale: int, layout: str | None, out: Path) -> None:
    """Converts weights of another implementation, and says what became of each tensor.

    Raises:
      InputError: if the file cannot be used, or its tensors are not exactly those of the network, or `out` would replace
        anything but an earlier conversion; nothing is written then.
    """
    module = match.abstract(network, scale)
    layouts = _layouts(network, scale, layout)
    _check_out(out, source, (weights.SUFFIX,), "give --to torch to write PyTorch's")
    _check_earlier(out)
    found = sources.read(source)
    if found.tensors.keys() == mapping.shapes(module).keys():
        raise InputError(f"{source} has the names of sr_jax already; give --to torch to convert it to another layout")
    best, *others = match.nearest(found.tensors, module, layouts)
    _say("source", f"{source}, {found.size:,} bytes, sha256 {found.sha256}")
    for note in found.notes:
        _say("note", note)
    _say("network", _described(network, scale))
    _say("layout", f"{best.title}{f', behind the prefix {best.prefix}' if best.prefix else ''}")
    _say("matched", f"{len(best.matched)} of {_tensors(len(mapping.shapes(module)))}{_table(best)}")
    if best.ignored:
        _say("ignored", f"{', '.join(best.ignored)}")
    if best.complaints:
        raise InputError(_refusal(found, best, network, scale))
    _say_doubts(best, others, network, scale, layout)

    params = mapping.from_torch(module, best.state, best.layout)
    origin = weights.Converted(source.name, found.sha256, best.title)
    card = weights.Card(Config(scale=scale, model=network), None, provenance.commit(), [], origin)
    with writing(f"--out {out}:"):
        out.parent.mkdir(parents=True, exist_ok=True)
        weights.write(out, params, card)
    back = weights.named(trained.load(str(out), which="latest", parameters="ema").params)
    _say("written", f"{out} and {out.with_suffix('.json').name}; read back: {_counted(back)}")


def to_torch(source: Path, *, network: Any | None, scale: int | None, layout: str | None, out: Path) -> None:
    """Converts a weights file or a work directory to a state dict of another implementation.

    Args:
      network, scale: what it must be of; None: whatever it is.

    Raises:
      InputError: if it is no such file, or of another network or scale, or there is no such layout, or `out` lies in the
        work directory, or would replace weights of ours.
    """
    _check_out(out, source, (*sources.PYTORCH, sources.SAFETENSORS, sources.NPZ), "")
    if _card(out):
        raise InputError(f"--out {out}: holds weights of sr_jax with their card, {_place_of_card(out).name}; give another name")
    if out.name.endswith(sources.PYTORCH):
        sources.torch_or_error(out)  # better found out now than after the work
    ours = trained.load(str(source), which="latest", parameters="ema")
    theirs = ours.config.model, ours.config.scale
    wanted = network or theirs[0], scale or theirs[1]
    if wanted != theirs:
        raise InputError(f"{source} is of {_described(*theirs)}, not of {_described(*wanted)}; leave out --model and --scale")
    title, names = next(iter(_layouts(*theirs, layout).items()))
    module = match.abstract(*theirs)
    state = mapping.to_torch(module, weights.named(ours.params), names)
    with writing(f"--out {out}:"):
        out.parent.mkdir(parents=True, exist_ok=True)
        replace_bytes(out, _encoded(state, out))
    back = match.compare(sources.read(out).tensors, module, title, names, "")
    assert not back.complaints, back.complaints
    _say("source", ours.origin)
    _say("network", _described(*theirs))
    _say("layout", title)
    _say("converted", f"{_tensors(len(back.matched))}{_table(back, is_turned=True)}")
    if names.constants:
        _say("constants", ", ".join(names.constants))
    _say("written", f"{out}; read back: {_counted({leaf.key: back.state[leaf.key] for leaf in back.matched})}")


def _encoded(state: dict[str, np.ndarray], out: Path) -> bytes:
    """The file of a state dict, of the kind that its name says."""
    if out.suffix == sources.SAFETENSORS:
        return save(state, metadata={"format": "pt"})
    buffer = io.BytesIO()
    if out.suffix == sources.NPZ:
        np.savez(buffer, allow_pickle=False, **state)
    else:
        torch = sources.torch_or_error(out)
        torch.save({key: torch.from_numpy(value.copy()) for key, value in state.items()}, buffer)
    return buffer.getvalue()


def _layouts(network: Any, scale: int, layout: str | None) -> dict[str, Layout]:
    """The one that is asked for, or all of the network."""
    layouts = LAYOUTS[network.name](network, scale)
    if layout is None:
        return layouts
    if layout not in layouts:
        raise InputError(f"--layout {layout}: {configs.no_such(f'layout of {network.name}', layout, list(layouts))}")
    return {layout: layouts[layout]}


def _check_out(out: Path, source: Path, suffixes: tuple[str, ...], hint: str) -> None:
    if not out.name.endswith(suffixes):
        raise InputError(f"--out {out}: give a name that ends in {', '.join(suffixes)}{f'; or {hint}' if hint else ''}")
    with writing(f"--out {out}:"):  # a folder on the way may be closed to us
        if out.is_dir():
            raise InputError(f"--out {out}: is a folder; give another name")
        if out.exists() and source.exists() and out.samefile(source):
            raise InputError(f"--out {out}: is the source itself; give another name")
        if source.is_dir() and source.resolve() in out.resolve().parents:
            raise InputError(f"--out {out}: lies in the work directory {source}, which is its run's alone; give another folder")


def _check_earlier(out: Path) -> None:
    """Of what is there, only the output of an earlier conversion may be replaced."""
    there = [str(path) for path in (out, _place_of_card(out)) if path.exists()]
    if there and not _is_converted(out):
        verb = "is" if len(there) == 1 else "are"
        raise InputError(f"--out {out}: {' and '.join(there)} {verb} there already, from no conversion; give another name")


def _is_converted(out: Path) -> bool:
    """Whether a file's card says that it was converted, and the file, if it is there, is the card's."""
    card = _card(out)
    if card is None or card.converted is None:
        return False
    return not out.exists() or card.sha256 in (None, weights.sha256_of(out))


def _card(out: Path) -> weights.Card | None:
    """That of a weights file of ours, if there is one that can be read."""
    if out.suffix != weights.SUFFIX:
        return None
    try:
        return weights.read_card(out)
    except InputError:
        return None


def _place_of_card(out: Path) -> Path:
    return out.with_suffix(".json")


def _refusal(found: sources.Source, best: Match, network: Any, scale: int) -> str:
    elsewhere = match.elsewhere(found.tensors)
    fitting = [f"{name} {', '.join(f'x{s}' for s in scales)}" for name, scales in elsewhere.items()]
    if fitting:
        hint = f"\nThese are weights of {' or of '.join(fitting)}: give --model and --scale accordingly"
        hint += "" if network in configs.NETWORKS.values() else ", and no --network.*"
    elif _has_other_sizes(best, network, scale):
        hint = f"\nOther sizes are given as {', '.join(f'--network.{key}' for key in _sizes(network))}"
    else:
        hint = ""
    return (
        f"{found.path} does not fit {_described(network, scale)}; nothing is written. "
        f"In the nearest layout, {best.title}:{listing(best.complaints, most=MOST_COMPLAINTS)}{hint}"
    )


def _has_other_sizes(best: Match, network: Any, scale: int) -> bool:
    """Whether tensors that match by name have another shape, or whole layers are missing or more of their kind are there."""
    expected = {leaf.key: leaf for leaf in mapping.leaves(match.abstract(network, scale), best.layout)}
    kinds = {re.sub(r"\d+", "#", key) for key in expected}
    if not expected.keys() & best.state.keys():
        return False  # of another kind altogether
    return (
        any(match.has_other_shape(best.state[key], leaf) for key, leaf in expected.items() if key in best.state)
        or sum(key not in best.state for key in expected) > 1
        or any(key not in expected and re.sub(r"\d+", "#", key) in kinds for key in best.state)
    )


def _say_doubts(best: Match, others: list[Match], network: Any, scale: int, layout: str | None) -> None:
    """What the tensors leave open."""
    if also := [other.title for other in others if not other.complaints]:
        _say("note", f"the tensors fit {', '.join(also)} as well; --layout chooses")
    scales = [s for s in MODELS[network.name].about.scales if s != scale and _fits(best, network, s, layout)]
    if scales:
        _say("note", f"x{scale} is as told: the tensors fit {', '.join(f'x{s}' for s in scales)} as well")


def _fits(found: Match, network: Any, scale: int, layout: str | None) -> bool:
    return not match.nearest(found.state, match.abstract(network, scale), _layouts(network, scale, layout))[0].complaints


def _described(network: Any, scale: int) -> str:
    name = configs.title(network).partition("(")[0]
    return f"{name} x{scale} ({', '.join(f'{key}={value}' for key, value in _sizes(network).items())})"


def _sizes(network: Any) -> dict[str, Any]:
    return {key: value for key, value in dataclasses.asdict(network).items() if key != "name"}


def _table(found: Match, *, is_turned: bool = False) -> str:
    """What became of each tensor: its name and shape here and there."""
    pairs = [(f"{found.prefix}{leaf.key} {found.state[leaf.key].shape}", f"{leaf.name} {leaf.shape}") for leaf in found.matched]
    pairs = [pair[::-1] for pair in pairs] if is_turned else pairs
    width = max((len(a) for a, _ in pairs), default=0)
    return listing(f"{a:{width}} -> {b}" for a, b in pairs)


def _counted(tensors: dict[str, np.ndarray]) -> str:
    return f"{_tensors(len(tensors))}, {sum(value.size for value in tensors.values()):,} parameters"


def _tensors(count: int) -> str:
    return f"{count} tensor{'' if count == 1 else 's'}"


def _say(what: str, text: str) -> None:
    print(f"{what:<11} {text}")
