"""LapSRN x4 on the 91 images and BSDS200, trained as in its paper (Lai et al., CVPR 2017).

    python -m sr_jax.train --config configs/lapsrn_x4.py --config.data.root=DIR

DIR holds `T91/`, `BSDS200/`, `Set5/` and `Set14/` (docs/data.md). For x2, give `--config.scale=2`. For x8, the paper has fewer
layers: give `--config.scale=8 --config.model.depth=5`.

Expected: 31.54 dB on Set5 and 28.19 dB on Set14 (published, Y-PSNR).

Time: not measured; this config has not been run to its end.

As in the paper: the Charbonnier loss at every level, patches of 128 pixels in batches of 64, SGD with momentum 0.9, a learning
rate of 1e-5 that is halved every 50 epochs of 1,000 steps, and a weight decay of 1e-4.

What differs: the paper's loss is a sum over pixels, and its learning rate and weight decay belong to that sum. Ours is a mean,
and both are converted. Gradients are clipped, because otherwise training diverges within three steps. The paper also shrinks
images at random to 0.5 to 1 of their size, which is not done here. Images that are smaller than a patch are left out. The
number of steps is our choice.
"""

from sr_jax.config import Config, DataConfig, EvalConfig, LapSRNConfig, OptimConfig

PATCH = 128
SUM = PATCH**2  # the paper's loss divided by ours

config = Config(
    scale=4,
    steps=300_000,
    model=LapSRNConfig(),
    loss="charbonnier",
    data=DataConfig(name="291", batch=64, patch=PATCH, bad_images="skip"),
    optim=OptimConfig(
        method="sgd",
        lr=1e-5 * SUM,
        weight_decay=1e-4 / SUM,
        clip_norm=0.1,
        warmup_steps=0,
        schedule="drops",
        drop_every=50_000,
        drop_to=0.5,
        ema_decay=0.0,
    ),
    eval=EvalConfig(sets=("Set5", "Set14"), every=10_000),
    log_every=1000,
    checkpoint_every=10_000,
)
