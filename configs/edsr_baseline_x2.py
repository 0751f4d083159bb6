"""EDSR-baseline x2 on DIV2K, trained as in its paper (Lim et al., CVPR workshops 2017) and its authors' code.

    python -m sr_jax.train --config configs/edsr_baseline_x2.py --config.data.root=DIR

DIR holds `Set5/` and `Set14/`; DIV2K is downloaded to it (docs/data.md). For EDSR itself, give `--config.model.name=edsr`. For
x3 and x4, give `--config.scale=` and `--config.data.patch=` 144 or 192, so that the LR patch stays 48.

Expected: 37.99 dB on Set5 and 33.57 dB on Set14; 32.16 on B100, 31.98 on Urban100, 38.54 on Manga109 (published, Y-PSNR).
x3: 34.37 / 30.28 / 29.09 / 28.15 / 33.45, x4: 32.09 / 28.58 / 27.57 / 26.04 / 30.35. EDSR x2: 38.11 / 33.92 / 32.32 / 32.93 /
39.10. The last row is from PFT's tables, and all others are from SAFMN's.

Time: not measured; this config has not been run to its end.

What differs: the authors start x3 and x4 from the weights of x2; here they start from scratch. The 300,000 steps are those of
the authors' code.
"""

from sr_jax.config import Config, DataConfig, EDSRConfig, EvalConfig, OptimConfig

config = Config(
    scale=2,
    steps=300_000,
    model=EDSRConfig(blocks=16, width=64, res_scale=1.0),
    loss="l1",
    data=DataConfig(name="DIV2K", batch=16, patch=96),
    optim=OptimConfig(lr=1e-4, warmup_steps=0, schedule="drops", drop_every=200_000, drop_to=0.5, ema_decay=0.0),
    eval=EvalConfig(sets=("Set5", "Set14"), every=10_000),
    log_every=1000,
    checkpoint_every=10_000,
)
