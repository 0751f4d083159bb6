"""DRCN x2 on the 91 images, trained as in its paper (Kim et al., CVPR 2016).

    python -m sr_jax.train --config configs/drcn_x2.py --config.data.root=DIR

DIR holds `T91/`, `Set5/` and `Set14/` (docs/data.md). For other scales, give `--config.scale=3` or 4.

Expected: 37.63 dB on Set5 and 33.04 dB on Set14 (published, Y-PSNR).

Time: not measured; this config has not been run to its end.

As in the paper: batches of 64, SGD with momentum 0.9, a learning rate that falls from 1e-2 to 1e-6, each time to a tenth,
and a weight decay of 1e-4.

What differs: the paper lowers the rate when the error on held-out images has not fallen for 5 epochs; here it falls every
40,000 steps. The paper's loss is half a sum over pixels and ours is a mean, so the weight decay is divided by the ratio of the
two. The rate is that of the paper. Gradients are clipped, because without clipping training diverges within a few steps with
either loss. The weight alpha of the recursions' own losses falls in the paper and is constant here. Patches have 48 pixels in
place of 41, because every scale divides 48.
"""

from sr_jax.config import Config, DataConfig, DRCNConfig, EvalConfig, OptimConfig

PATCH = 48
HALF_SUM = PATCH**2 / 2  # the paper's loss divided by ours

config = Config(
    scale=2,
    steps=200_000,
    model=DRCNConfig(),
    loss="mse",
    data=DataConfig(name="91", batch=64, patch=PATCH),
    optim=OptimConfig(
        method="sgd",
        lr=1e-2,
        weight_decay=1e-4 / HALF_SUM,
        clip_norm=0.1,
        warmup_steps=0,
        schedule="drops",
        drop_every=40_000,
        drop_to=0.1,
        ema_decay=0.0,
    ),
    eval=EvalConfig(sets=("Set5", "Set14"), every=10_000),
    log_every=1000,
    checkpoint_every=10_000,
)
