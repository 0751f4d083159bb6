"""Each network in a small size, against PyTorch: `tests/torch_models` builds them, `tests/golden` has their outputs."""

from typing import Any, NamedTuple

import numpy as np

from sr_jax.config import CARNConfig, DBPNConfig, EDSRConfig, FSRCNNConfig, IMDNConfig, SRResNetConfig
from sr_jax.config import DRCNConfig, ESPCNConfig, FSRCNNConfig, LapSRNConfig, SRCNNConfig, VDSRConfig
from sr_jax.config import ConverseSRResNetConfig, FSRCNNConfig, USRNetConfig
from sr_jax.models import MODELS


class Case(NamedTuple):
    """One small network."""

    network: Any
    scale: int
    layout: str
    """Whose names the PyTorch module has: a key of the network's layouts."""
    size: tuple[int, int] = (9, 11)
    """Of the LR image."""


SRCNN = SRCNNConfig(n1=6, n2=4)
FSRCNN = FSRCNNConfig(d=7, s=3, m=2)
SRRESNET = SRResNetConfig(blocks=2, width=6)
EDSR = EDSRConfig(blocks=2, width=6, res_scale=0.5)
CARN = CARNConfig(width=4)
IMDN = IMDNConfig(blocks=2, width=16)
DBPN = DBPNConfig(stages=3, width=4, features=6)
ESPCN = ESPCNConfig(n1=7, n2=5)
VDSR = VDSRConfig(depth=5, width=6)
DRCN = DRCNConfig(recursions=6, width=6)
LAPSRN = LapSRNConfig(depth=3, width=6)
USRNET = USRNetConfig(iterations=2, widths=(4, 5, 6, 8), blocks=1, hyper_width=8)
CONVERSE = ConverseSRResNetConfig(blocks=1, width=6)

CASES = {
    "srcnn-x3": Case(SRCNN, 3, "yjn870/SRCNN-pytorch"),
    **{f"fsrcnn-x{scale}": Case(FSRCNN, scale, "yjn870/FSRCNN-pytorch") for scale in (2, 3, 4)},
    **{f"srresnet-x{scale}": Case(SRRESNET, scale, "XPixelGroup/BasicSR") for scale in (2, 3, 4)},
    **{f"edsr-x{scale}": Case(EDSR, scale, "sanghyun-son/EDSR-PyTorch") for scale in (2, 3, 4)},
    **{f"carn-x{scale}": Case(CARN, scale, "nmhkahn/CARN-pytorch, one scale") for scale in (2, 3, 4)},
    **{f"imdn-x{scale}": Case(IMDN, scale, "Zheng222/IMDN") for scale in (2, 3, 4)},
    **{f"dbpn-x{scale}": Case(DBPN, scale, "alterzero/DBPN-Pytorch") for scale in (2, 4)},
    **{f"espcn-x{scale}": Case(ESPCN, scale, "yjn870/ESPCN-pytorch") for scale in (2, 3, 4)},
    "vdsr-x2": Case(VDSR, 2, "twtygqyy/pytorch-vdsr"),
    "drcn-x4": Case(DRCN, 4, "sequential"),
    **{f"lapsrn-x{scale}": Case(LAPSRN, scale, "twtygqyy/pytorch-LapSRN", size=(5, 6)) for scale in (2, 4, 8)},
    **{f"usrnet-x{scale}": Case(USRNET, scale, "cszn/USRNet") for scale in (2, 3, 4)},
    **{f"converse-srresnet-x{scale}": Case(CONVERSE, scale, "cszn/ConverseNet") for scale in (2, 4)},
}


def inputs(case: Case) -> tuple[np.ndarray, ...]:
    """What the network reads, float32: LR (b h w c), and for networks that are told a kernel (b k k) and the noise (b)."""
    rng = np.random.default_rng(0)
    about = MODELS[case.network.name].about
    lr = rng.random((2, *case.size, about.channels), dtype=np.float32)
    if not about.is_told:
        return (lr,)
    kernel = rng.random((2, 7, 7), dtype=np.float32)
    return lr, kernel / kernel.sum((1, 2), keepdims=True), np.array([0.01, 0.05], np.float32)
