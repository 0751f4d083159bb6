"""Converse-SRResNet x4 on DF2K (Huang et al., ICCV 2025).

    python -m sr_jax.train --config configs/converse_srresnet_x4.py --config.data.root=DIR

DIR holds `Set5/` and `Set14/`; DIV2K and Flickr2K are downloaded to there if they are missing (docs/data.md).

Expected: 32.25 dB on Set5 and 28.72 dB on Set14 (published, Y-PSNR; cszn/ConverseNet, README).

The published code evaluates only. What it does not say is taken from the SRResNet of the same authors' training code
(cszn/KAIR): batches of 32 patches of 96 pixels, Adam at 1e-4, halved every 200,000 steps, L1. The number of steps and the
data are ours. In float32: in bfloat16 its small lambdas magnify what is rounded.
"""

from sr_jax.config import Config, ConverseSRResNetConfig, DataConfig, EvalConfig, OptimConfig

config = Config(
    scale=4,
    steps=1_000_000,
    model=ConverseSRResNetConfig(),
    loss="l1",
    data=DataConfig(name="DF2K", batch=32, patch=96),
    optim=OptimConfig(lr=1e-4, warmup_steps=0, schedule="drops", drop_every=200_000, drop_to=0.5, ema_decay=0.0),
    eval=EvalConfig(sets=("Set5", "Set14"), every=10_000),
    log_every=1000,
    checkpoint_every=10_000,
)
