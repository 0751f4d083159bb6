"""FSRCNN-s x2, the small and fast network of the paper, on the 91 images and General-100 (Dong et al., ECCV 2016).

    python -m sr_jax.train --config configs/fsrcnn_s_x2.py --config.data.root=DIR

DIR holds `T91/`, `General-100/`, `Set5/` and `Set14/` (docs/data.md).

Expected: above SRCNN, 36.66 dB on Set5 and 32.45 dB on Set14 (published, Y-PSNR). No numbers of FSRCNN-s at x2 are published.

Time: not measured; this config has not been run to its end.

All but the network is as in configs/fsrcnn_x2.py.
"""

from sr_jax.config import NETWORKS, Config, DataConfig, EvalConfig, OptimConfig

config = Config(
    scale=2,
    steps=240_000,
    model=NETWORKS["fsrcnn-s"],
    loss="l1",
    data=DataConfig(name="91+General-100", batch=16, patch=48),
    optim=OptimConfig(lr=5e-3, b2=0.99, final_lr=1e-6),
    eval=EvalConfig(sets=("Set5", "Set14"), every=10_000),
    log_every=1000,
    checkpoint_every=10_000,
)
