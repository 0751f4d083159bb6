"""Each network in a small size, against PyTorch: `tests/torch_models` builds them, `tests/golden` has their outputs."""

from typing import Any, NamedTuple

import numpy as np

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


FSRCNN = FSRCNNConfig(d=7, s=3, m=2)
USRNET = USRNetConfig(iterations=2, widths=(4, 5, 6, 8), blocks=1, hyper_width=8)
CONVERSE = ConverseSRResNetConfig(blocks=1, width=6)

CASES = {
    **{f"fsrcnn-x{scale}": Case(FSRCNN, scale, "yjn870/FSRCNN-pytorch") for scale in (2, 3, 4)},
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
