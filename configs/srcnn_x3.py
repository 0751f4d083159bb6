"""SRCNN 9-5-5 x3 on the 91 images, as its paper has it (Dong et al., TPAMI 2016).

    python -m sr_jax.train --config configs/srcnn_x3.py --config.data.root=DIR

DIR holds `T91/`, `Set5/` and `Set14/` (docs/data.md). Other scales: `--config.scale=2` or 4; 9-1-5: `--config.model.f2=1`.

Expected: 32.83 dB on Set5 and 29.26 dB on Set14 (Y-PSNR; published for these 91 images by FSRCNN's paper, Table 4). The
well-known 32.75 and 29.28 dB are those of the network that was trained on ImageNet.

As in the paper: SGD with momentum, the last layer ten times slower, 8 * 10^8 examples. Its loss is half a sum over
the 21 x 21 pixels that 33 x 33 leave without padding, and its learning rate of 1e-4 is for that; ours is a mean. Patches have
36 pixels, which every scale divides, and are padded with zeros.
"""

from sr_jax.config import Config, DataConfig, EvalConfig, OptimConfig, SRCNNConfig

HALF_SUM = 21**2 / 2  # what the paper's loss is, in units of ours

config = Config(
    scale=3,
    steps=6_250_000,
    model=SRCNNConfig(f2=5),
    loss="mse",
    data=DataConfig(name="91", batch=128, patch=36),
    optim=OptimConfig(
        method="sgd", lr=1e-4 * HALF_SUM, last_lr=0.1, warmup_steps=0, schedule="drops", drop_to=1.0, ema_decay=0.0
    ),
    eval=EvalConfig(sets=("Set5", "Set14"), every=50_000),
    log_every=1000,
    checkpoint_every=50_000,
)
