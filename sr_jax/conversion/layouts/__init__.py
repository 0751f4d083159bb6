"""How public implementations name the layers of each network: one file a network, one line here.

Each function gives the layouts of one network, by the implementation's name: `(group of the config, scale) -> {name: Layout}`.
"""

from collections.abc import Callable
from typing import Any

from sr_jax.conversion.layouts.deconv_sr import deconv_sr
from sr_jax.conversion.layouts.fsrcnn import fsrcnn
from sr_jax.conversion.mapping import Layout

LAYOUTS: dict[str, Callable[[Any, int], dict[str, Layout]]] = {
    "fsrcnn": fsrcnn,
    "deconv-sr": deconv_sr,
}
