"""The networks: one paper, one file, and one line here."""

from typing import Any

from sr_jax.models.about import About, Known
from sr_jax.models.deconv_sr import DeconvSR
from sr_jax.models.fsrcnn import FSRCNN

MODELS: dict[str, Any] = {
    "fsrcnn": FSRCNN,
    "deconv-sr": DeconvSR,
}
"""The class of each group of `sr_jax.config.networks`; its options are the keys of the group."""

__all__ = ["FSRCNN", "MODELS", "About", "DeconvSR", "Known"]
