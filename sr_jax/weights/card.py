"""The card of a weights file: `NAME.json` beside `NAME.safetensors` says what the weights are."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from sr_jax import config as configs
from sr_jax.config import Config
from sr_jax.config.own_code import CodeError
from sr_jax.errors import InputError
from sr_jax.system.files import replace_text

CONVERT = "python -m sr_jax.convert --help"
"""Where a user reads how to convert weights of other implementations."""


class Converted(NamedTuple):
    """Origin of converted weights."""

    file: str
    """Name of the file that was converted."""
    sha256: str
    """Hash of that file."""
    layout: str
    """Title of the layout that its tensors had, such as `yjn870/FSRCNN-pytorch`."""


class Card(NamedTuple):
    """What the weights in a file are."""

    config: Config
    """Config of the training run. Only the network and the scale of converted weights are known."""
    step: int | None
    """Steps of training; None if unknown."""
    commit: str
    """Commit of the code that trained or converted the weights."""
    table: list[dict[str, Any]]
    """Rows of the evaluation at the end of training."""
    converted: Converted | None = None
    """Origin of converted weights; None if they were trained here."""
    sha256: str | None = None
    """Hash of the weights file; None until that file is written."""


def card_path(weights: Path) -> Path:
    """Path of the card of a weights file."""
    return weights.with_suffix(".json")


def write_card(weights: Path, card: Card) -> None:
    """Writes the card of a weights file. The data root of the machine that trained is left out."""
    config = json.loads(configs.to_json(card.config))
    config["data"]["root"] = None
    content = {
        "model": card.config.model.name,
        "scale": card.config.scale,
        "step": card.step,
        "commit": card.commit,
        "sha256": card.sha256,
        "table": card.table,
        "converted": card.converted._asdict() if card.converted else None,
        "config": {key: config[key] for key in ("scale", "model", "code") if key in config} if card.converted else config,
    }
    replace_text(card_path(weights), json.dumps(content, indent=1) + "\n")


def read_card(weights: Path) -> Card:
    """Reads the card of a weights file.

    Raises:
      InputError: naming the card, if it is missing, is not a card, or contradicts itself.
    """
    path = card_path(weights)
    try:
        content = json.loads(path.read_text())
        config, converted = configs.from_json(json.dumps(content["config"]), folder=path.parent), content.get("converted")
        origin = Converted(**converted) if converted else None
        card = Card(config, content["step"], content["commit"], content["table"], origin, content["sha256"])
        summary = {"model": content["model"], "scale": content["scale"]}
    except FileNotFoundError:
        raise InputError(
            f"{weights}: its card, {path.name}, is not beside it; "
            f"weights of other implementations are converted first: {CONVERT}"
        ) from None
    except CodeError as error:
        raise InputError(f"{path}: {error}") from None
    except KeyError as error:
        raise InputError(f"{path} is not the card of a weights file: it has no {error}") from None
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise InputError(f"{path} is not the card of a weights file ({type(error).__name__}: {error})") from None
    expected = {"model": config.model.name, "scale": config.scale}
    if conflicts := [
        f"its {key} is {summary[key]}, but its config says {expected[key]}" for key in expected if summary[key] != expected[key]
    ]:
        raise InputError(f"{path} contradicts itself: {'; '.join(conflicts)}; restore the card as it was written")
    return card


def identity(card: Card) -> dict[str, str]:
    """What the weights file repeats of its card, so that the two cannot be mixed up."""
    parts = {"model": card.config.model.name, "scale": str(card.config.scale), "step": str(card.step)}
    return {**parts, "converted from": card.converted.sha256} if card.converted else parts
