"""CARN x2 on DIV2K, trained as in its authors' code (Ahn et al., ECCV 2018).

    python -m sr_jax.train --config configs/carn_x2.py --config.data.root=DIR

DIR holds `Set5/` and `Set14/`; DIV2K is downloaded to it (docs/data.md). For x3 and x4, give `--config.scale=` and
`--config.data.patch=` 192 or 256, so that the LR patch stays 64.

Expected: 37.76 dB on Set5 and 33.52 dB on Set14; 32.09 on B100, 31.92 on Urban100, 38.36 on Manga109 (published, Y-PSNR).
x3: 34.29 / 30.29 / 29.06 / 28.06 / 33.50, x4: 32.13 / 28.60 / 27.58 / 26.07 / 30.47. All numbers are from SwinIR's tables.

Time: not measured; this config has not been run to its end.

What differs: here each scale has a network of its own. The published network has one upsampler for each scale and draws the
scale at every step. As in the code, DIV2K is the only training set; the paper adds the 291 images.
"""

from sr_jax.config import CARNConfig, Config, DataConfig, EvalConfig, OptimConfig

config = Config(
    scale=2,
    steps=600_000,
    model=CARNConfig(),
    loss="l1",
    data=DataConfig(name="DIV2K", batch=64, patch=128),
    optim=OptimConfig(
        lr=1e-4, warmup_steps=0, schedule="drops", drop_every=400_000, drop_to=0.5, clip_norm=10.0, ema_decay=0.0
    ),
    eval=EvalConfig(sets=("Set5", "Set14"), every=10_000),
    log_every=1000,
    checkpoint_every=10_000,
)
