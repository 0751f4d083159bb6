"""The networks: one paper, one file, and one line here."""

from typing import Any

from sr_jax.models.about import About, Known
from sr_jax.models.converse_srresnet import ConverseSRResNet
from sr_jax.models.fsrcnn import FSRCNN
from sr_jax.models.usrnet import USRNet

MODELS: dict[str, Any] = {
    "fsrcnn": FSRCNN,
    "usrnet": USRNet,
    "converse-srresnet": ConverseSRResNet,
}
"""The class of each group of `sr_jax.config.networks`; its options are the keys of the group."""

__all__ = ["FSRCNN", "MODELS", "About", "ConverseSRResNet", "Known", "USRNet"]
