"""How public implementations name the layers of each network: one file a network, one line here.

The function of a file has the network's name and returns its layouts by title: `(network_config, scale) -> {title: Layout}`.
A network without a file gets `mapping.default_layout`.
"""
# ruff: noqa: F401  # LAYOUTS collects what is imported

import inspect
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
    name.replace("_", "-"): value for name, value in list(vars().items()) if inspect.isfunction(value)
}
"""The functions above by the network's name in configs, such as `converse-srresnet`."""
