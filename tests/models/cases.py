"""Each network in a small size, against PyTorch: `tests/torch_models` builds them, `tests/golden` has their outputs."""

import dataclasses
from typing import Any, NamedTuple

import numpy as np
from flax import nnx

from sr_jax.config import DeconvSRConfig, FSRCNNConfig
from sr_jax.models import MODELS, About


class Case(NamedTuple):
    """One small network."""

    network: Any
    scale: int
    layout: str
    """Whose names the PyTorch module has: a key of the network's layouts."""
    size: tuple[int, int] = (9, 11)
    """Of the LR image."""


FSRCNN = FSRCNNConfig(d=7, s=3, m=2)
DECONV = DeconvSRConfig(kernel_size=7, kernel_width=4, blocks=1, width=5)
DECONV_VARIANTS = {
    "x2": (DECONV, 2),
    "x3": (dataclasses.replace(DECONV, x0="nearest", lam_start=(0.03,)), 3),
    "x4": (dataclasses.replace(DECONV, x0="bilinear", kernel_depth=1, blocks=2), 4),
    "rgb-x2": (dataclasses.replace(DECONV, channels=3), 2),
    "static-x2": (dataclasses.replace(DECONV, kernel="static", lam="learned", x0="zero"), 2),
    "given-x2": (dataclasses.replace(DECONV, kernel="given"), 2),
    "given-fixed-x3": (dataclasses.replace(DECONV, kernel="given", lam="fixed"), 3),
    "literal-x2": (dataclasses.replace(DECONV, mode="literal"), 2),
    "literal-x3": (dataclasses.replace(DECONV, mode="literal", kernel="static", kernel_size=5, channels=3), 3),
}

CASES = {
    **{f"fsrcnn-x{scale}": Case(FSRCNN, scale, "yjn870/FSRCNN-pytorch") for scale in (2, 3, 4)},
    **{f"deconv-sr-{name}": Case(network, scale, "sr_jax") for name, (network, scale) in DECONV_VARIANTS.items()},
}


def inputs(case: Case) -> tuple[np.ndarray, ...]:
    """What the network reads, float32: LR (b h w c), and for networks that are told a kernel (b k k) and the noise (b)."""
    rng = np.random.default_rng(0)
    about = about_of(case)
    lr = rng.random((2, *case.size, about.channels), dtype=np.float32)
    if not about.is_told:
        return (lr,)
    kernel = rng.random((2, 7, 7), dtype=np.float32)
    return lr, kernel / kernel.sum((1, 2), keepdims=True), np.array([0.01, 0.05], np.float32)


def about_of(case: Case) -> About:
    """What the network says of itself in these options."""
    options = dataclasses.asdict(case.network)
    name = options.pop("name")
    return nnx.eval_shape(lambda: MODELS[name](scale=case.scale, **options, rngs=nnx.Rngs(0))).about
