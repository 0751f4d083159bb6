"""Converse-SRResNet x4 on DF2K (Huang et al., ICCV 2025).

    python -m sr_jax.train --config configs/converse_srresnet_x4.py --config.data.root=DIR

DIR holds `Set5/` and `Set14/`; DIV2K and Flickr2K are downloaded to it if they are missing (docs/data.md).

Expected: 32.25 dB on Set5 and 28.72 dB on Set14 (published, Y-PSNR; cszn/ConverseNet, README).

Time: not measured; this config has not been run to its end.

The published code has no training. The settings here are those of SRResNet in the same authors' training code (cszn/KAIR):
batches of 32 patches of 96 pixels, an L1 loss, and Adam with a learning rate of 1e-4 that is halved every 200,000 steps. The
number of steps and the data are our choice. The network computes in float32, because bfloat16 rounds too coarsely for its small
lambdas.
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
