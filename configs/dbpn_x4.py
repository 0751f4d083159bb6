"""D-DBPN x4, trained as in its paper (Haris et al., CVPR 2018).

    python -m sr_jax.train --config configs/dbpn_x4.py --config.data.root=DIR

DIR holds `Set5/` and `Set14/`; DIV2K and Flickr2K are downloaded to it (docs/data.md). For x2 and x8, give `--config.scale=`
and `--config.data.patch=` 64 or 256, so that the LR patch stays 32.

Expected: 32.47 dB on Set5 and 28.82 dB on Set14; 27.72 on B100, 26.38 on Urban100, 30.91 on Manga109 (published, Y-PSNR).
x2: 38.09 / 33.85 / 32.27 / 32.55 / 38.89. Both rows are from SwinIR's tables.

Time: not measured; this config has not been run to its end.

What differs: the paper also trains on ImageNet, and does not flip or rotate patches. The loss is that of the authors' code.
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
