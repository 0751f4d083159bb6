"""The names of trained networks in tables, and which of them are runs of one method."""

import dataclasses
import itertools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from sr_jax import config as configs
from sr_jax.assembly.trained import Trained
from sr_jax.errors import InputError, listing
from sr_jax.evaluation.evaluator import BICUBIC
from sr_jax.weights.files import SUFFIX

SEPARATORS = "-_./= "


class Column(NamedTuple):
    """A method that is compared with others."""

    name: str
    places: tuple[str, ...]
    """The one network, or those that differ only in their seeds, as the user named them; or `bicubic`."""

    @property
    def label(self) -> str:
        """The name as tables show it, with the number of networks if they are several."""
        return self.name if len(self.places) == 1 else f"{self.name} (n={len(self.places)})"


def titles(networks: Mapping[str, Trained]) -> dict[str, str]:
    """Returns the name of each network in rows and tables.

    This is its architecture. If two networks have the same one, it is the place without the folders that all places share.
    """
    architectures = [configs.title(one.config.model) for one in networks.values()]
    short = _without_common_folders(list(networks))
    names = {
        place: title if architectures.count(title) == 1 else short[place]
        for place, title in zip(networks, architectures, strict=True)
    }
    taken = [BICUBIC, *names.values()]
    return {place: name if taken.count(name) == 1 else place for place, name in names.items()}


def columns(models: Sequence[str], networks: Mapping[str, Trained], *, by_seed: bool) -> list[Column]:
    """Returns the methods that are compared, in the order in which the user named them.

    Args:
      models: `bicubic` and the places of networks.
      by_seed: whether networks whose configs differ only in `seed`, and which were trained for equally many steps, are one
        method. A converted network is a method of its own.

    Raises:
      InputError: if this is asked for, and there are no such networks.
    """
    names = titles(networks)
    if not by_seed:
        return [Column(names.get(place, place), (place,)) for place in models]
    groups: dict[str, list[str]] = {}
    for place in models:
        groups.setdefault(_without_seed(place, networks), []).append(place)
    if all(len(places) == 1 for places in groups.values()):
        raise InputError(f"no two configs differ only in seed{listing(_differences(networks), most=5)}")
    return _named(list(groups.values()), networks, names)


def put_first(methods: Sequence[Column], name: str, networks: Mapping[str, Trained]) -> list[Column]:
    """Returns the methods with one of them in front, named as in tables or as the user named it.

    Raises:
      InputError: if there is no such method.
    """
    names = titles(networks)
    for method in methods:
        if name in (method.name, method.label, *method.places, *(names.get(place) for place in method.places)):
            return [method, *(other for other in methods if other is not method)]
    raise InputError(configs.no_such("method", name, [method.name for method in methods]))


def _without_common_folders(places: Sequence[str]) -> dict[str, str]:
    """The last parts of each place, from the first on in which they differ. A weights file may be named by its folder."""
    parts = [Path(place).parts for place in places]
    if len(parts) > 1 and len({part[-1:] for part in parts}) == 1 and Path(places[0]).suffix == SUFFIX:
        parts = [part[:-1] for part in parts]
    common = 0
    while all(len(part) > common + 1 for part in parts) and len({part[common] for part in parts}) == 1:
        common += 1
    return {place: "/".join(part[common:]) or place for place, part in zip(places, parts, strict=True)}


def _without_seed(place: str, networks: Mapping[str, Trained]) -> str:
    """What the runs of one method have in common."""
    one = networks.get(place)
    if one is None or one.is_converted:
        return place
    return f"{one.step} {configs.to_json(dataclasses.replace(one.config, seed=0))}"


def _differences(networks: Mapping[str, Trained]) -> list[str]:
    """For each run, the keys in which its config differs from that of the run before."""
    runs = [
        (place, configs.flat(one.config) | {"the step of the checkpoint": one.step})
        for place, one in networks.items()
        if not one.is_converted
    ]
    lines = []
    for (first, ours), (second, theirs) in itertools.pairwise(runs):
        keys = [key for key in {**ours, **theirs} if ours.get(key) != theirs.get(key)]
        lines.append(f"{first} and {second} differ in {', '.join(keys)}")
    return lines


def _named(groups: Sequence[Sequence[str]], networks: Mapping[str, Trained], names: Mapping[str, str]) -> list[Column]:
    """The groups under the names of their architectures, or, if two have the same one, of what their places have in common."""
    architectures = [configs.title(networks[places[0]].config.model) if places[0] in networks else "" for places in groups]
    made = []
    for places, architecture in zip(groups, architectures, strict=True):
        first = names.get(places[0], places[0])
        if len(places) > 1:
            stem = _common([names[place] for place in places])
            first = architecture if architectures.count(architecture) == 1 else stem or first
        made.append(Column(first, tuple(places)))
    taken = [column.name for column in made]
    return [c if taken.count(c.name) == 1 else c._replace(name=names.get(c.places[0], c.places[0])) for c in made]


def _common(names: Sequence[str]) -> str:
    """What names have in common: `blur-seed0` and `blur-seed1` are both `blur`."""
    words = [re.split(f"([{SEPARATORS}]+)", name) for name in names]
    same = [word[0] for word in zip(*words, strict=False) if len(set(word)) == 1]
    return re.sub(f"([{SEPARATORS}])[{SEPARATORS}]+", r"\1", "".join(same).strip(SEPARATORS))
