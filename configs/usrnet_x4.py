"""USRNet x4 on DF2K with the classical degradation: blur, subsampling and noise (Zhang et al., CVPR 2020).

    python -m sr_jax.train --config configs/usrnet_x4.py --config.data.root=DIR

DIR holds `Set5/` and `Set14/`; DIV2K and Flickr2K are downloaded to it if they are missing (docs/data.md). For USRNet-tiny,
give `--config.model.name=usrnet-tiny`. For x2 and x3, give `--config.scale=`.

Expected: 32.45 dB on Set5 and 28.83 dB on Set14; x2: 37.72 / 33.49, x3: 34.45 / 30.51 (published, Y-PSNR; cszn/USRNet, README).
These are on bicubic LR, and the network is told the kernel of the bicubic reduction.

Time: not measured; this config has not been run to its end.

In training, the network is told the kernel and the noise that are drawn for each patch. Kernels have 25 x 25 taps; half of them
are anisotropic Gaussians and half motion blurs. The noise has a sigma of at most 25.

As in the authors' training code (cszn/KAIR): batches of 48 patches of 96 pixels, an L1 loss, and Adam with a learning rate of
1e-4 that is halved every 100,000 steps down to 0.0625e-4.

What differs: the paper trains one network for all scales, and draws one of x1 to x4 for each batch; here each scale has a
network of its own. The paper blurs each patch as if it were periodic. Here a patch is cut from the blurred image, and the
network extends LR until it is periodic, as the paper does in its tests. In the paper, the middle of a kernel lies on the pixel
that subsampling keeps. Here it lies in the middle of the cell, so that LR is aligned as after a bicubic reduction.
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
