"""The networks: one paper, one file, and one line here."""

from typing import Any

from sr_jax.models.about import About, Known
from sr_jax.models.carn import CARN
from sr_jax.models.dbpn import DBPN
from sr_jax.models.edsr import EDSR
from sr_jax.models.fsrcnn import FSRCNN
from sr_jax.models.imdn import IMDN
from sr_jax.models.srresnet import SRResNet

MODELS: dict[str, Any] = {
    "fsrcnn": FSRCNN,
    "srresnet": SRResNet,
    "edsr": EDSR,
    "carn": CARN,
    "imdn": IMDN,
    "dbpn": DBPN,
}
"""The class of each group of `sr_jax.config.networks`; its options are the keys of the group."""

__all__ = ["CARN", "DBPN", "EDSR", "FSRCNN", "IMDN", "MODELS", "About", "Known", "SRResNet"]
