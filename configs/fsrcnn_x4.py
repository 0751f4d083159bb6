"""FSRCNN x4 from the convolutions of x2, on the 91 images and General-100 (Dong et al., ECCV 2016).

    python -m sr_jax.train --config configs/fsrcnn_x4.py --config.data.root=DIR

DIR holds `T91/`, `General-100/`, `Set5/` and `Set14/` (docs/data.md).

Expected: 30.76 dB on Set5 and 27.65 dB on Set14 (docs/results.md; published: 30.71 and 27.59 dB, Y-PSNR).

Time: 4 minutes on one CPU core (configs/README.md).

As in the paper, training starts from the convolutions of a network for another scale, here those of `fsrcnn-x2` of the zoo.

What differs: the paper trains only the deconvolution anew (configs/fsrcnn_x3.py). What else differs is listed in
configs/fsrcnn_x2.py.
"""

from sr_jax.config import Config, DataConfig, EvalConfig, OptimConfig

config = Config(
    scale=4,
    steps=8000,
    init="fsrcnn-x2",
    loss="l1",
    data=DataConfig(name="91+General-100", batch=16, patch=76),
    optim=OptimConfig(lr=5e-3, b2=0.99, final_lr=1e-6),
    eval=EvalConfig(sets=("Set5", "Set14"), every=2000),
    log_every=500,
    checkpoint_every=2000,
)
