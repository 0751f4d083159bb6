"""SRCNN 9-5-5 x3 on the 91 images, trained as in its paper (Dong et al., TPAMI 2016).

    python -m sr_jax.train --config configs/srcnn_x3.py --config.data.root=DIR

DIR holds `T91/`, `Set5/` and `Set14/` (docs/data.md). For other scales, give `--config.scale=2` or 4. For 9-1-5, give
`--config.model.f2=1`.

Expected: 32.83 dB on Set5 and 29.26 dB on Set14 (Y-PSNR; published for these 91 images in the paper of FSRCNN, Table 4). The
well-known 32.75 and 29.28 dB belong to the network that was trained on ImageNet.

Time: not measured; this config has not been run to its end.

As in the paper: SGD with momentum, a last layer that learns ten times slower, and 8 * 10^8 examples.

What differs: the paper's loss is half a sum over the 21 x 21 pixels that remain of 33 x 33 without padding, and its learning
rate of 1e-4 belongs to that sum. Ours is a mean, and the rate is converted. Patches have 36 pixels, because every scale divides
36, and they are padded with zeros.
"""

from sr_jax.config import Config, DataConfig, EvalConfig, OptimConfig, SRCNNConfig

HALF_SUM = 21**2 / 2  # the paper's loss divided by ours

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
