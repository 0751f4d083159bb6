"""DeconvSR x2 for blurred and noisy LR, on the 91 images and General-100: it predicts the blur of each image and undoes it.

    python -m sr_jax.train --config configs/deconv_sr_small_x2.py --config.data.root=DIR

DIR holds `T91/`, `General-100/`, `Set5/` and `Set14/` (docs/data.md).

Expected: above 34.45 dB on Set5 and 30.17 dB on Set14, which 5,000 steps reach on the same LR (docs/results.md); bicubic
interpolation has 31.98 and 27.43 dB.

Time: not measured; this config has not been run to its end.

The degradation and the peak of the learning rate are those of benchmarks/founding.py: a Gaussian blur of sigma 0.6 to 2.4 HR
pixels, subsampling, and noise of up to 1 %.
"""

from sr_jax.config import (
    Config,
    DataConfig,
    DeconvSRConfig,
    EvalConfig,
    GaussianBlur,
    GaussianNoise,
    OptimConfig,
    Subsample,
)

config = Config(
    scale=2,
    steps=120_000,
    model=DeconvSRConfig(),
    loss="l1",
    data=DataConfig(
        name="91+General-100",
        batch=16,
        patch=48,
        degradation=(GaussianBlur(size=21, sigma=(0.6, 2.4)), Subsample(), GaussianNoise(sigma=(0.0, 2.55))),
    ),
    optim=OptimConfig(lr=2e-3, b2=0.99, final_lr=1e-6),
    eval=EvalConfig(sets=("Set5", "Set14"), every=10_000),
    log_every=1000,
    checkpoint_every=10_000,
)
