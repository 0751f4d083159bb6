"""The card of a weights file: `NAME.json` beside `NAME.safetensors` says what the weights are.

In folders and repositories as the Hugging Face Hub has them, the card of `model.safetensors` may be called `config.json`.
"""

import json
from types import NoneType
from typing import Any, NamedTuple

from sr_jax import config as configs
from sr_jax.config import Config
from sr_jax.config.own_code import CodeError
from sr_jax.errors import InputError
from sr_jax.system.files import read_json, replace_text
from sr_jax.system.paths import AnyPath

CONVERT = "python -m sr_jax.convert --help"
"""Where a user reads how to convert weights of other implementations."""
HUB_WEIGHTS, HUB_CARD = "model.safetensors", "config.json"
"""The names of a weights file and its card on the Hugging Face Hub."""


FIELDS: dict[str, type | tuple[type, ...]] = {
    "config": dict,
    "model": str,
    "scale": int,
    "step": (int, NoneType),
    "commit": str,
    "sha256": (str, NoneType),
    "table": list,
    "licence": str,
}
"""The fields of a card, with their types. Every card has them, except the optional ones."""
OPTIONAL = ("licence",)


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
    """Rows of the evaluation at the end of training, those of bicubic interpolation included."""
    converted: Converted | None = None
    """Origin of converted weights; None if they were trained here."""
    sha256: str | None = None
    """Hash of the weights file; None until that file is written."""
    licence: str = ""
    """Licence of the weights, as SPDX names it; empty if none is stated."""


def card_path(weights: AnyPath) -> AnyPath:
    """Path of the card of a weights file."""
    return weights.with_suffix(".json")


def card_names(weights: str) -> tuple[str, ...]:
    """Names that the card of a weights file may have, the usual one first."""
    usual = f"{weights.removesuffix('.safetensors')}.json"
    return (usual, HUB_CARD) if weights == HUB_WEIGHTS else (usual,)


def existing_card(weights: AnyPath) -> AnyPath:
    """Path of the card that lies beside a weights file; that of a card with the usual name if there is none."""
    paths = [weights.with_name(name) for name in card_names(weights.name)]
    return next((path for path in paths if path.exists()), paths[0])


def write_card(weights: AnyPath, card: Card) -> None:
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
        **({"licence": card.licence} if card.licence else {}),
        "converted": card.converted._asdict() if card.converted else None,
        "config": {key: config[key] for key in ("scale", "model", "code") if key in config} if card.converted else config,
    }
    replace_text(card_path(weights), json.dumps(content, indent=1) + "\n")


def read_card(weights: AnyPath) -> Card:
    """Reads the card of a weights file.

    Raises:
      InputError: naming the card, if it is missing, is not a card, or contradicts itself.
    """
    path = existing_card(weights)
    if not path.exists():
        raise InputError(
            f"{weights}: its card, {path.name}, is not beside it; "
            f"weights of other implementations are converted first: {CONVERT}"
        )
    content = read_json(path)
    for key, kinds in FIELDS.items():
        if key not in content and key not in OPTIONAL:
            raise InputError(f"{path} is not the card of a weights file: it has no '{key}'")
        if key in content and not isinstance(content[key], kinds):
            raise InputError(f"{path} is not the card of a weights file: its {key} is {content[key]!r:.80}")
    try:
        config = configs.from_json(json.dumps(content["config"]), folder=path.parent)
    except CodeError as error:
        raise InputError(f"{path}: {error}") from None
    except (InputError, RecursionError) as error:
        raise InputError(f"{path} is not the card of a weights file: its config is wrong ({error})") from None
    origin = _read_origin(path, content.get("converted"))
    card = Card(
        config, content["step"], content["commit"], content["table"], origin, content["sha256"], content.get("licence", "")
    )
    summary = {"model": content["model"], "scale": content["scale"]}
    expected = {"model": config.model.name, "scale": config.scale}
    if conflicts := [
        f"its {key} is {summary[key]}, but its config says {expected[key]}" for key in expected if summary[key] != expected[key]
    ]:
        raise InputError(f"{path} contradicts itself: {'; '.join(conflicts)}; restore the card as it was written")
    return card


def _read_origin(path: AnyPath, content: Any) -> Converted | None:
    if content is None:
        return None
    if not isinstance(content, dict) or content.keys() != {*Converted._fields} or {*map(type, content.values())} != {str}:
        raise InputError(f"{path} is not the card of a weights file: its converted is {content!r:.80}")
    return Converted(**content)


def identity(card: Card) -> dict[str, str]:
    """What the weights file repeats of its card, so that the two cannot be mixed up."""
    parts = {"model": card.config.model.name, "scale": str(card.config.scale), "step": str(card.step)}
    return {**parts, "converted from": card.converted.sha256} if card.converted else parts
