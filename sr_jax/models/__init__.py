"""The networks: one paper, one file, and one line here."""

import dataclasses
from typing import Any

from flax import nnx

from sr_jax.models.about import About, Known
from sr_jax.models.carn import CARN
from sr_jax.models.converse_srresnet import ConverseSRResNet
from sr_jax.models.dbpn import DBPN
from sr_jax.models.deconv_sr import DeconvSR
from sr_jax.models.drcn import DRCN
from sr_jax.models.edsr import EDSR
from sr_jax.models.espcn import ESPCN
from sr_jax.models.fsrcnn import FSRCNN
from sr_jax.models.imdn import IMDN
from sr_jax.models.lapsrn import LapSRN
from sr_jax.models.srcnn import SRCNN
from sr_jax.models.srresnet import SRResNet
from sr_jax.models.usrnet import USRNet
from sr_jax.models.vdsr import VDSR

MODELS: dict[str, Any] = {
    "srcnn": SRCNN,
    "fsrcnn": FSRCNN,
    "espcn": ESPCN,
    "vdsr": VDSR,
    "drcn": DRCN,
    "lapsrn": LapSRN,
    "srresnet": SRResNet,
    "edsr": EDSR,
    "carn": CARN,
    "imdn": IMDN,
    "dbpn": DBPN,
    "usrnet": USRNet,
    "converse-srresnet": ConverseSRResNet,
    "deconv-sr": DeconvSR,
}
"""The class of each group of `sr_jax.config.networks`; its options are the keys of the group."""


def make(network: Any, *, scale: int, seed: int) -> nnx.Module:
    """The module of a group of `sr_jax.config.networks`, freshly initialised.

    Raises:
      InputError: if the network does not have this scale.
    """
    options = dataclasses.asdict(network)
    return MODELS[options.pop("name")](scale=scale, **options, rngs=nnx.Rngs(seed))


__all__ = [
    "CARN",
    "DBPN",
    "DRCN",
    "EDSR",
    "ESPCN",
    "FSRCNN",
    "IMDN",
    "MODELS",
    "SRCNN",
    "VDSR",
    "About",
    "ConverseSRResNet",
    "DeconvSR",
    "Known",
    "LapSRN",
    "SRResNet",
    "USRNet",
    "make",
]
