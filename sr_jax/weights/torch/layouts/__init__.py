"""How public implementations name the layers of each network: one file a network, one line here.

Each function gives the layouts of one network, by the implementation's name: `(group of the config, scale) -> {name: Layout}`.
"""

from collections.abc import Callable
from typing import Any

from sr_jax.weights.torch.layouts.carn import carn
from sr_jax.weights.torch.layouts.converse_srresnet import converse_srresnet
from sr_jax.weights.torch.layouts.dbpn import dbpn
from sr_jax.weights.torch.layouts.deconv_sr import deconv_sr
from sr_jax.weights.torch.layouts.drcn import drcn
from sr_jax.weights.torch.layouts.edsr import edsr
from sr_jax.weights.torch.layouts.espcn import espcn
from sr_jax.weights.torch.layouts.fsrcnn import fsrcnn
from sr_jax.weights.torch.layouts.imdn import imdn
from sr_jax.weights.torch.layouts.lapsrn import lapsrn
from sr_jax.weights.torch.layouts.srcnn import srcnn
from sr_jax.weights.torch.layouts.srresnet import srresnet
from sr_jax.weights.torch.layouts.usrnet import usrnet
from sr_jax.weights.torch.layouts.vdsr import vdsr
from sr_jax.weights.torch.mapping import Layout

LAYOUTS: dict[str, Callable[[Any, int], dict[str, Layout]]] = {
    "srcnn": srcnn,
    "fsrcnn": fsrcnn,
    "espcn": espcn,
    "vdsr": vdsr,
    "drcn": drcn,
    "lapsrn": lapsrn,
    "srresnet": srresnet,
    "edsr": edsr,
    "carn": carn,
    "imdn": imdn,
    "dbpn": dbpn,
    "usrnet": usrnet,
    "converse-srresnet": converse_srresnet,
    "deconv-sr": deconv_sr,
}
