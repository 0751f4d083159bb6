"""How public implementations name the layers of each network: one file a network, one line here.

Each function gives the layouts of one network, by the implementation's name: `(group of the config, scale) -> {name: Layout}`.
"""

from collections.abc import Callable
from typing import Any

from sr_jax.conversion.layouts.carn import carn
from sr_jax.conversion.layouts.dbpn import dbpn
from sr_jax.conversion.layouts.edsr import edsr
from sr_jax.conversion.layouts.fsrcnn import fsrcnn
from sr_jax.conversion.layouts.imdn import imdn
from sr_jax.conversion.layouts.srresnet import srresnet
from sr_jax.conversion.mapping import Layout

LAYOUTS: dict[str, Callable[[Any, int], dict[str, Layout]]] = {
    "fsrcnn": fsrcnn,
    "srresnet": srresnet,
    "edsr": edsr,
    "carn": carn,
    "imdn": imdn,
    "dbpn": dbpn,
}
