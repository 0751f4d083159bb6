"""FSRCNN x3 from the convolutions of x2, on the 91 images and General-100 (Dong et al., ECCV 2016).

    python -m sr_jax.train --config configs/fsrcnn_x3.py --config.data.root=DIR

DIR holds `T91/`, `General-100/`, `Set5/` and `Set14/` (docs/data.md).

Expected: 33.16 dB on Set5 and 29.43 dB on Set14 (published, Y-PSNR).

Time: not measured; this config has not been run to its end.

As in the paper, the convolutions come from a network for another scale, and only the deconvolution is trained. Here they come
from `fsrcnn-x2` of the zoo. What else differs is listed in configs/fsrcnn_x2.py.
"""

from sr_jax.config import Config, DataConfig, EvalConfig, OptimConfig

config = Config(
    scale=3,
    steps=60_000,
    init="fsrcnn-x2",
    loss="l1",
    data=DataConfig(name="91+General-100", batch=16, patch=72),
    optim=OptimConfig(lr=1e-3, b2=0.99, final_lr=1e-6, frozen=("feature_*", "shrinking*", "mapping*", "expanding*")),
    eval=EvalConfig(sets=("Set5", "Set14"), every=10_000),
    log_every=1000,
    checkpoint_every=10_000,
)
