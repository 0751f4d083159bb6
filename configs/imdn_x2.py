"""IMDN x2 on DIV2K, trained as in its authors' code (Hui et al., ACM MM 2019).

    python -m sr_jax.train --config configs/imdn_x2.py --config.data.root=DIR

DIR holds `Set5/` and `Set14/`; DIV2K is downloaded to it (docs/data.md). For x3 and x4, give only `--config.scale=`.

Expected: 38.00 dB on Set5 and 33.63 dB on Set14; 32.19 on B100, 32.17 on Urban100, 38.88 on Manga109 (published, Y-PSNR).
x3: 34.36 / 30.32 / 29.09 / 28.17 / 33.61, x4: 32.21 / 28.58 / 27.56 / 26.04 / 30.45. All numbers are from SAFMN's tables.

Time: not measured; this config has not been run to its end.
"""

from sr_jax.config import Config, DataConfig, EvalConfig, IMDNConfig, OptimConfig

config = Config(
    scale=2,
    steps=1_000_000,
    model=IMDNConfig(),
    loss="l1",
    data=DataConfig(name="DIV2K", batch=16, patch=192),
    optim=OptimConfig(lr=2e-4, warmup_steps=0, schedule="drops", drop_every=200_000, drop_to=0.5, ema_decay=0.0),
    eval=EvalConfig(sets=("Set5", "Set14"), every=10_000),
    log_every=1000,
    checkpoint_every=10_000,
)
