"""USRNet x4 on DF2K under the classical degradation: blur, subsampling, noise (Zhang et al., CVPR 2020).

    python -m sr_jax.train --config configs/usrnet_x4.py --config.data.root=DIR

DIR holds `Set5/` and `Set14/`; DIV2K and Flickr2K are downloaded to there if they are missing (docs/data.md).

Expected: 32.45 dB on Set5 and 28.83 dB on Set14 (published, Y-PSNR on bicubic LR, with the kernel of the bicubic reduction as
what is known; cszn/USRNet, README). x2: 37.72 / 33.49, x3: 34.45 / 30.51, with --config.scale=. The kernel and the noise of
each patch are drawn and told: 25 x 25 kernels, half of them anisotropic Gaussians and half motion blurs, sigma up to 25.

The paper trains one network for all scales, with one of x1 to x4 drawn for each batch; a run here has one scale. Its patches
are blurred as if they were periodic; ours are cut from the blurred image and extended until they are, as its test does with
LR, and its kernels are centred on the kept pixel. Batches of 48 patches of 96 pixels, Adam at 1e-4,
halved every 100,000 steps down to 0.0625e-4, and L1 are those of its authors' training code (cszn/KAIR). USRNet-tiny:
--config.model.name=usrnet-tiny.
"""

from sr_jax.config import Config, DataConfig, EvalConfig, OptimConfig, USRNetConfig

config = Config(
    scale=4,
    steps=500_000,
    model=USRNetConfig(),
    loss="l1",
    data=DataConfig(name="DF2K", batch=48, patch=96, degradation="classical"),
    optim=OptimConfig(lr=1e-4, warmup_steps=0, schedule="drops", drop_every=100_000, drop_to=0.5, ema_decay=0.0),
    eval=EvalConfig(sets=("Set5", "Set14"), every=10_000, degradation="bicubic"),
    log_every=1000,
    checkpoint_every=10_000,
)
