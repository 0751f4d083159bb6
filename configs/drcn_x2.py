"""DRCN x2 on the 91 images, as its paper has it (Kim et al., CVPR 2016).

    python -m sr_jax.train --config configs/drcn_x2.py --config.data.root=DIR

DIR holds `T91/`, `Set5/` and `Set14/` (docs/data.md). Other scales: `--config.scale=3` or 4.

Expected: 37.63 dB on Set5 and 33.04 dB on Set14 (published, Y-PSNR).

As in the paper: batches of 64, SGD with momentum 0.9, a learning rate that falls from 1e-2 by tenths to 1e-6, weight decay of
1e-4. The paper lowers the rate when the error on held-out images has not fallen for 5 epochs; here after every 40,000 steps.
Its loss is half a sum over pixels, ours a mean, which its weight decay is divided by; its rate is not, as without shortened
gradients either diverges at it within a few steps.
The weight alpha of the recursions' own losses falls in the paper, and is constant here. Patches have 48 pixels, which every
scale divides, in place of 41.
"""

from sr_jax.config import Config, DataConfig, DRCNConfig, EvalConfig, OptimConfig

PATCH = 48
HALF_SUM = PATCH**2 / 2  # what the paper's loss is, in units of ours

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
