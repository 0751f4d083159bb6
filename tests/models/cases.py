"""Small networks to compare with PyTorch: `tests/torch_models` builds them there, `tests/golden` has their outputs."""

import dataclasses
from typing import Any, NamedTuple

import numpy as np
from flax import nnx

from sr_jax.config import (
    CARNConfig,
    ConverseSRResNetConfig,
    DBPNConfig,
    DeconvSRConfig,
    DRCNConfig,
    EDSRConfig,
    ESPCNConfig,
    FSRCNNConfig,
    IMDNConfig,
    LapSRNConfig,
    SRCNNConfig,
    SRResNetConfig,
    USRNetConfig,
    VDSRConfig,
)
from sr_jax.models import About, make


class Case(NamedTuple):
    """One small network."""

    network: Any
    scale: int
    layout: str
    """The layout that names the tensors of the PyTorch module."""
    size: tuple[int, int] = (9, 11)
    """Height and width of the LR image."""


SRCNN = SRCNNConfig(n1=6, n2=4)
FSRCNN = FSRCNNConfig(d=7, s=3, m=2)
SRRESNET = SRResNetConfig(blocks=2, width=6)
EDSR = EDSRConfig(blocks=2, width=6, res_scale=0.5)
CARN = CARNConfig(width=4)
CARN_M = CARNConfig(width=6, unit="efficient", groups=2, shared=True)
IMDN = IMDNConfig(blocks=2, width=16)
DBPN = DBPNConfig(stages=3, width=4, features=6)
ESPCN = ESPCNConfig(n1=7, n2=5)
VDSR = VDSRConfig(depth=5, width=6)
DRCN = DRCNConfig(recursions=6, width=6)
LAPSRN = LapSRNConfig(depth=3, width=6)
LAPSRN_3X3 = LapSRNConfig(depth=2, width=6, taps=3, use_bias=True)
USRNET = USRNetConfig(iterations=2, widths=(4, 5, 6, 8), blocks=1, hyper_width=8, boundary="circular")
CONVERSE = ConverseSRResNetConfig(blocks=1, width=6)
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
    "srcnn-x3": Case(SRCNN, 3, "yjn870/SRCNN-pytorch"),
    **{f"fsrcnn-x{scale}": Case(FSRCNN, scale, "yjn870/FSRCNN-pytorch") for scale in (2, 3, 4)},
    **{f"srresnet-x{scale}": Case(SRRESNET, scale, "XPixelGroup/BasicSR") for scale in (2, 3, 4)},
    **{f"edsr-x{scale}": Case(EDSR, scale, "sanghyun-son/EDSR-PyTorch") for scale in (2, 3, 4)},
    **{f"carn-x{scale}": Case(CARN, scale, "nmhkahn/CARN-pytorch, one scale") for scale in (2, 3, 4)},
    **{f"carn-m-x{scale}": Case(CARN_M, scale, "nmhkahn/CARN-pytorch, one scale") for scale in (2, 3, 4)},
    **{f"imdn-x{scale}": Case(IMDN, scale, "Zheng222/IMDN") for scale in (2, 3, 4)},
    **{f"dbpn-x{scale}": Case(DBPN, scale, "alterzero/DBPN-Pytorch") for scale in (2, 4)},
    **{f"espcn-x{scale}": Case(ESPCN, scale, "yjn870/ESPCN-pytorch") for scale in (2, 3, 4)},
    "vdsr-x2": Case(VDSR, 2, "twtygqyy/pytorch-vdsr"),
    "drcn-x4": Case(DRCN, 4, "sequential"),
    **{f"lapsrn-x{scale}": Case(LAPSRN, scale, "twtygqyy/pytorch-LapSRN", size=(5, 6)) for scale in (2, 4, 8)},
    "lapsrn-3x3-x4": Case(LAPSRN_3X3, 4, "twtygqyy/pytorch-LapSRN", size=(5, 6)),
    **{f"usrnet-x{scale}": Case(USRNET, scale, "cszn/USRNet") for scale in (2, 3, 4)},
    **{f"converse-srresnet-x{scale}": Case(CONVERSE, scale, "cszn/ConverseNet") for scale in (2, 4)},
    **{f"deconv-sr-{name}": Case(network, scale, "sr_jax") for name, (network, scale) in DECONV_VARIANTS.items()},
}


def inputs(case: Case) -> tuple[np.ndarray, ...]:
    """The float32 inputs of a network: LR (b h w c), and for networks that are told also kernels (b k k) and noise (b)."""
    rng = np.random.default_rng(0)
    about = about_of(case)
    lr = rng.random((2, *case.size, about.channels), dtype=np.float32)
    if not about.is_told:
        return (lr,)
    kernel = rng.random((2, 7, 7), dtype=np.float32)
    return lr, kernel / kernel.sum((1, 2), keepdims=True), np.array([0.01, 0.05], np.float32)


def about_of(case: Case) -> About:
    """Facts about the network with these options."""
    return nnx.eval_shape(lambda: make(case.network, scale=case.scale, seed=0)).about
