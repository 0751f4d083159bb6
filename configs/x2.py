"""FSRCNN x2 on the photographs that come with scikit-image: a first network in minutes, and nothing to download.

    python -m sr_jax.train --config configs/x2.py

Expected: +2.0 dB Y-PSNR over bicubic on the three held-out photographs (configs/README.md).

Time: about 3 minutes on two CPU cores.
"""

from sr_jax.config import Config, DataConfig, EvalConfig, OptimConfig

config = Config(
    scale=2,
    steps=8000,
    data=DataConfig(batch=16, patch=48),
    optim=OptimConfig(lr=5e-3, b2=0.99),
    eval=EvalConfig(every=2000),
)
