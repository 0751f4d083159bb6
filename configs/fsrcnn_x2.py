"""FSRCNN x2 on the 91 images and General-100, the data of its paper (Dong et al., ECCV 2016).

    python -m sr_jax.train --config configs/fsrcnn_x2.py --config.data.root=DIR

DIR holds `T91/`, `General-100/`, `Set5/` and `Set14/` (docs/data.md).

Expected: 37.09 dB on Set5 and 32.65 dB on Set14 (docs/results.md; published: 37.00 and 32.63 dB, Y-PSNR).

Time: about an hour on two CPU cores; 174 minutes when they were shared with other work (configs/README.md).

What differs: the paper trains with SGD, for days, and also on copies of the images at 0.6 to 0.9 of their size. Here the same
network is trained on the same images, without these copies, with Adam, an L1 loss and a cosine.
"""

from sr_jax.config import Config, DataConfig, EvalConfig, OptimConfig

config = Config(
    scale=2,
    steps=240_000,
    loss="l1",
    data=DataConfig(name="91+General-100", batch=16, patch=48),
    optim=OptimConfig(lr=5e-3, b2=0.99, final_lr=1e-6),
    eval=EvalConfig(sets=("Set5", "Set14"), every=10_000),
    log_every=1000,
    checkpoint_every=10_000,
)
