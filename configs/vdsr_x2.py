"""VDSR x2 on the 91 images and BSDS200, trained as in its paper (Kim et al., CVPR 2016).

    python -m sr_jax.train --config configs/vdsr_x2.py --config.data.root=DIR

DIR holds `T91/`, `BSDS200/`, `Set5/` and `Set14/` (docs/data.md). For other scales, give `--config.scale=3` or 4.

Expected: 37.53 dB on Set5 and 33.03 dB on Set14 (published, Y-PSNR, by one network for all scales).

Time: not measured; this config has not been run to its end.

As in the paper: batches of 64, SGD with momentum 0.9, 9,960 steps in 80 epochs, a learning rate of 0.1 that falls to a tenth
every 20 epochs, and gradients that are clipped to theta / learning rate. The paper does not say what theta is.

What differs: the paper's loss is half a sum over pixels, and its learning rate and its weight decay of 1e-4 belong to that sum.
Ours is a mean, and both are converted. Patches have 48 pixels in place of 41, because every scale divides 48.
"""

from sr_jax.config import Config, DataConfig, EvalConfig, OptimConfig, VDSRConfig

PATCH = 48
HALF_SUM = PATCH**2 / 2  # the paper's loss divided by ours

config = Config(
    scale=2,
    steps=9960,
    model=VDSRConfig(),
    loss="mse",
    data=DataConfig(name="291", batch=64, patch=PATCH),
    optim=OptimConfig(
        method="sgd",
        lr=0.1 * HALF_SUM,
        weight_decay=1e-4 / HALF_SUM,
        clip_value=1e-4,
        warmup_steps=0,
        schedule="drops",
        drop_every=2490,
        drop_to=0.1,
        ema_decay=0.0,
    ),
    eval=EvalConfig(sets=("Set5", "Set14"), every=1245),
    log_every=83,
    checkpoint_every=1245,
)
