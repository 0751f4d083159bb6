"""What the zoo holds: each network with what its card says, and what it costs if that was measured."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tabulate import tabulate

from sr_jax import config as configs
from sr_jax.assembly.degradation import of_training
from sr_jax.assembly.network import abstract_network
from sr_jax.data import degrade
from sr_jax.evaluation.evaluator import BICUBIC
from sr_jax.evaluation.rows import MEAN
from sr_jax.system.files import read_json
from sr_jax.training.state import count
from sr_jax.weights import zoo
from sr_jax.weights.card import Card, read_card

MEASURED = "measured.json"
"""The file in the folder of the zoo that `benchmarks/zoo.py` writes."""


class Score(NamedTuple):
    """The means over a set."""

    set: str
    psnr: float
    """Y-PSNR [dB]."""
    ssim: float
    bicubic: tuple[float, float] | None
    """The same of bicubic interpolation, if the card has them."""
    protocol: str
    lr_source: str


class Cost(NamedTuple):
    """What an image of 1000x1000 pixels costs."""

    seconds: float
    memory: int
    """Greatest memory of the process [bytes]."""


class Entry(NamedTuple):
    """One network of the zoo."""

    name: str
    file: Path
    card: Card
    channels: int
    parameters: int
    cost: Cost | None
    """None if these weights were not measured."""

    @property
    def colour(self) -> str:
        """What the network reads."""
        return "RGB" if self.channels == 3 else "Y"


def entries() -> list[Entry]:
    """Returns the networks of the zoo, by name.

    Raises:
      InputError: if a card cannot be read.
    """
    measured = _measured()
    return [_entry(name, file, measured.get(name, {})) for name, file in zoo.files().items()]


def purpose(card: Card) -> str:
    """Returns which pictures the weights are for: those that were made as their training images."""
    if card.converted:
        return "unknown"
    degradation = of_training(card.config)
    if degradation.lr_files or degradation.is_bicubic:
        return "clean"
    names = {stage.name for stage in degradation.stages}
    kinds = [("blurred", names & {*degrade.BLURS}), ("noisy", names & {*degrade.NOISES} - {"jpeg"}), ("JPEG", names & {"jpeg"})]
    return ", ".join(kind for kind, members in kinds if members) or degradation.title


def scores(card: Card) -> list[Score]:
    """Returns the means of the sets that the network was scored on at the end of its training."""
    means = [row for row in card.table if row.get("image") == MEAN]
    theirs = {row["set"]: (row["psnr_y"], row["ssim_y"]) for row in means if row["method"] == BICUBIC}
    return [
        Score(row["set"], row["psnr_y"], row["ssim_y"], theirs.get(row["set"]), row["protocol"], row["lr_source"])
        for row in means
        if row["method"] != BICUBIC
    ]


def describe_score(score: Score | None) -> str:
    """Returns PSNR and SSIM, with those of bicubic interpolation in front of them."""
    if score is None:
        return ""
    before = f"{score.bicubic[0]:.2f} → " if score.bicubic else ""
    before_ssim = f"{score.bicubic[1]:.4f} → " if score.bicubic else ""
    return f"{before}{score.psnr:.2f} dB, {before_ssim}{score.ssim:.4f}"


def table(listed: Sequence[Entry]) -> str:
    """Returns the networks of the zoo as a table in Markdown."""
    lines = []
    for entry in listed:
        reached = {score.set: score for score in scores(entry.card)}
        lines.append(
            (
                entry.name,
                purpose(entry.card),
                f"x{entry.card.config.scale}",
                entry.colour,
                f"{entry.parameters:,}",
                f"{entry.file.stat().st_size / 1000:,.0f} kB",
                f"{entry.cost.seconds:.2f} s" if entry.cost else "",
                f"{entry.cost.memory / 2**20:,.0f} MiB" if entry.cost else "",
                *(describe_score(reached.get(name)) for name in ("Set5", "Set14")),
                entry.card.licence,
            )
        )
    headers = ("name", "for", "scale", "reads", "parameters", "file", "time", "memory", "Set5", "Set14", "licence")
    return tabulate(lines, headers, tablefmt="github", disable_numparse=True)


def write_measured(machine: str, costs: dict[str, tuple[str, Cost]]) -> Path:
    """Writes what was measured: for each name the hash of the weights and the cost. Returns the file."""
    networks = {name: {"sha256": sha256, **cost._asdict()} for name, (sha256, cost) in costs.items()}
    path = zoo.FOLDER / MEASURED
    path.write_text(json.dumps({"machine": machine, "networks": networks}, indent=1) + "\n")
    return path


def machine() -> str:
    """Returns on which machine was measured; empty if nothing was."""
    path = zoo.FOLDER / MEASURED
    return str(read_json(path)["machine"]) if path.exists() else ""


def _measured() -> dict[str, Any]:
    path = zoo.FOLDER / MEASURED
    return read_json(path)["networks"] if path.exists() else {}


def _entry(name: str, file: Path, measured: dict[str, Any]) -> Entry:
    card = read_card(file)
    network = abstract_network(card.config)
    is_current = measured.get("sha256") == card.sha256
    cost = Cost(measured["seconds"], measured["memory"]) if is_current else None
    return Entry(name, file, card, network.about.channels, count(network.params), cost)


def title(card: Card) -> str:
    """Returns the name of a card's network with its scale."""
    return f"{configs.title(card.config.model)} x{card.config.scale}"
