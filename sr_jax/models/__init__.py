"""The networks: one paper, one file, and one line here.

The names listed here are the public ones; everything else may change. Images are NHWC with values in [0, 1]. `make` builds a
network with the sizes of its group of keys in `sr_jax.config`; the options of the classes have no defaults of their own.
"""

import dataclasses
from typing import Any

from flax import nnx

from sr_jax.models.about import About, Known
from sr_jax.models.carn import CARN as CARN
from sr_jax.models.converse_srresnet import ConverseSRResNet as ConverseSRResNet
from sr_jax.models.dbpn import DBPN as DBPN
from sr_jax.models.deconv_sr import DeconvSR as DeconvSR
from sr_jax.models.drcn import DRCN as DRCN
from sr_jax.models.edsr import EDSR as EDSR
from sr_jax.models.espcn import ESPCN as ESPCN
from sr_jax.models.fsrcnn import FSRCNN as FSRCNN
from sr_jax.models.imdn import IMDN as IMDN
from sr_jax.models.lapsrn import LapSRN as LapSRN
from sr_jax.models.srcnn import SRCNN as SRCNN
from sr_jax.models.srresnet import SRResNet as SRResNet
from sr_jax.models.usrnet import USRNet as USRNet
from sr_jax.models.vdsr import VDSR as VDSR

MODELS: dict[str, Any] = {
    value.__module__.rpartition(".")[2].replace("_", "-"): value
    for value in list(globals().values())
    if isinstance(value, type) and issubclass(value, nnx.Module)
}
"""The classes imported above by the names of their files: `{"converse-srresnet": ConverseSRResNet, ...}`.

The options of a class, beside `scale` and `rngs`, are the keys of the group of the same name in `sr_jax.config.NETWORK_GROUPS`.
"""


def make(network_config: Any, *, scale: int, seed: int) -> Any:
    """Builds a network with published sizes, or any others, freshly initialised.

    Args:
      network_config: a group of keys such as `FSRCNNConfig(d=32)`, or one of the published networks, such as
        `NETWORKS["edsr-baseline"]`; both come from `sr_jax.config`, which has the defaults.
      scale: the super-resolution factor.
      seed: the seed of the initialisation.

    Returns:
      An `nnx.Module`. Called with LR images (b, h, w, c) with values in [0, 1], it returns SR images
      (b, scale h, scale w, c), where c is `about.channels`. If `about.is_told`, it is also called with what is `Known`.

    Raises:
      InputError: if the network cannot have this scale.

    Example:
      >>> import jax
      >>> import jax.numpy as jnp
      >>> from sr_jax.config import NETWORKS, VDSRConfig
      >>> from sr_jax.models import make
      >>> module = make(VDSRConfig(depth=2, width=4), scale=2, seed=0)
      >>> module(jnp.ones((1, 5, 6, 1))).shape
      (1, 10, 12, 1)
      >>> lr = jax.ShapeDtypeStruct((1, 5, 6, 3), "float32")  # the shapes of a large network, without computing anything
      >>> jax.eval_shape(lambda lr: make(NETWORKS["edsr-baseline"], scale=4, seed=0)(lr), lr).shape
      (1, 20, 24, 3)
    """
    options = dataclasses.asdict(network_config)
    del options["name"]
    return class_of(network_config)(scale=scale, **options, rngs=nnx.Rngs(seed))


def class_of(network_config: Any) -> Any:
    """Returns the class of a network, also of one that is the user's own: `sr_jax.config.keys_of` notes it in the group."""
    return getattr(type(network_config), "__module_class__", None) or MODELS[network_config.name]


__all__ = [  # pyright: ignore[reportUnsupportedDunderAll]
    "MODELS",
    "About",
    "Known",
    "make",
    *(network.__name__ for network in MODELS.values()),
]
