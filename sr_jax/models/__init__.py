"""The networks: one paper, one file, and one line here."""

from typing import Any

from sr_jax.models.about import About, Known
from sr_jax.models.carn import CARN
from sr_jax.models.dbpn import DBPN
from sr_jax.models.edsr import EDSR
from sr_jax.models.deconv_sr import DeconvSR
from sr_jax.models.fsrcnn import FSRCNN
from sr_jax.models.imdn import IMDN
from sr_jax.models.srresnet import SRResNet
from sr_jax.models.drcn import DRCN
from sr_jax.models.espcn import ESPCN
from sr_jax.models.lapsrn import LapSRN
from sr_jax.models.srcnn import SRCNN
from sr_jax.models.vdsr import VDSR
from sr_jax.models.converse_srresnet import ConverseSRResNet
from sr_jax.models.usrnet import USRNet

MODELS: dict[str, Any] = {
    "srcnn": SRCNN,
    "fsrcnn": FSRCNN,
    "srresnet": SRResNet,
    "edsr": EDSR,
    "carn": CARN,
    "imdn": IMDN,
    "dbpn": DBPN,
}
"""The class of each group of `sr_jax.config.networks`; its options are the keys of the group."""

__all__ = ["CARN", "DBPN", "EDSR", "FSRCNN", "IMDN", "MODELS", "About", "Known", "SRResNet"]
    "espcn": ESPCN,
    "vdsr": VDSR,
    "drcn": DRCN,
    "lapsrn": LapSRN,

__all__ = ["DRCN", "ESPCN", "FSRCNN", "MODELS", "SRCNN", "VDSR", "About", "Known", "LapSRN"]
    "usrnet": USRNet,
    "converse-srresnet": ConverseSRResNet,

__all__ = ["FSRCNN", "MODELS", "About", "ConverseSRResNet", "Known", "USRNet"]
    "deconv-sr": DeconvSR,

__all__ = ["FSRCNN", "MODELS", "About", "DeconvSR", "Known"]
