"""D-DBPN x4, as its paper has it (Haris et al., CVPR 2018).

    python -m sr_jax.train --config configs/dbpn_x4.py --config.data.root=DIR

DIR holds `Set5/` and `Set14/`; DIV2K and Flickr2K are downloaded to there (docs/data.md). x2 and x8: `--config.scale=`, with
`--config.data.patch=` 64 and 256, so that the LR patch stays 32.

Expected: 32.47 dB on Set5 and 28.82 dB on Set14; 27.72 on B100, 26.38 on Urban100, 30.91 on Manga109 (published, Y-PSNR).
x2: 38.09 / 33.85 / 32.27 / 32.55 / 38.89. Both as SwinIR's authors list them.

Differs: the paper trains on ImageNet too, and without flips and rotations. The loss is that of the authors' code.
"""

from sr_jax.config import Config, DataConfig, DBPNConfig, EvalConfig, OptimConfig

config = Config(
    scale=4,
    steps=1_000_000,
    model=DBPNConfig(),
    loss="l1",
    data=DataConfig(name="DF2K", batch=20, patch=128),
    optim=OptimConfig(
        lr=1e-4,
        warmup_steps=0,
        schedule="drops",
        drop_every=500_000,
        drop_to=0.1,
        weight_decay=1e-4,
        ema_decay=0.0,
    ),
    eval=EvalConfig(sets=("Set5", "Set14"), every=10_000),
    log_every=1000,
    checkpoint_every=10_000,
)
