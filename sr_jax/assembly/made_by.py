"""What makes results: the version, the model, and the options that change them."""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import sr_jax
from sr_jax.assembly.trained import Trained
from sr_jax.system.files import sha256_of
from sr_jax.weights.files import named

DEFAULTS: dict[str, Any] = {
    **dict.fromkeys(("outscale", "width", "height", "format", "quality", "bits", "kernel", "noise")),
    **dict.fromkeys(("self_ensemble", "to_srgb", "strip_metadata"), False),
    "alpha": "network",
}
"""The options that change results. Those that have these values are not noted."""


def describe(settings: Mapping[str, Any], one: Trained) -> dict[str, Any]:
    """Returns what makes results, as their notes and records say it.

    Args:
      settings: the options by their names, the model among them.
    """
    options = {name: settings[name] for name in DEFAULTS}
    if options["kernel"] and os.path.isfile(options["kernel"]):
        options["kernel"] = sha256_of(Path(options["kernel"]))
    return {
        "software": f"sr_jax {sr_jax.__version__}",
        "model": one.commit or Path(settings["model"]).name,
        "model_sha256": model_sha256(one),
        "options": {name: value for name, value in options.items() if value != DEFAULTS[name]},
    }


def model_sha256(one: Trained) -> str:
    """Returns the hash of a weights file, or of the parameters of a checkpoint."""
    if one.card and one.card.sha256:
        return one.card.sha256
    digest = hashlib.sha256()
    for name, values in named(one.network.params).items():
        digest.update(name.encode() + values.tobytes())
    return digest.hexdigest()
