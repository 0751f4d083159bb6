"""SRResNet without batch normalisation x4 on DIV2K, trained as in its public implementation (XPixelGroup/BasicSR).

    python -m sr_jax.train --config configs/srresnet_x4.py --config.data.root=DIR

DIR holds `Set5/` and `Set14/`; DIV2K is downloaded to it (docs/data.md). For x2 and x3, give `--config.scale=` and a
`--config.data.patch=` that the scale divides.

Expected: 32.21 dB on Set5 and 28.60 dB on Set14; 27.59 on B100, 26.09 on Urban100 (Y-PSNR; published by the authors of
ConverseNet for this network with a pixel shuffle). The SRGAN paper has 32.05 / 28.49 / 27.58 for its network, which was trained
on ImageNet.

Time: not measured; this config has not been run to its end.

What differs: in the implementation the learning rate falls along four cosines of 250,000 steps, each from the peak. Here it
falls along one.
"""

from sr_jax.config import Config, DataConfig, EvalConfig, OptimConfig, SRResNetConfig

config = Config(
    scale=4,
    steps=1_000_000,
    model=SRResNetConfig(),
    loss="l1",
    data=DataConfig(name="DIV2K", batch=16, patch=128),
    optim=OptimConfig(lr=2e-4, b2=0.99, warmup_steps=0, final_lr=1e-7),
    eval=EvalConfig(sets=("Set5", "Set14"), every=10_000),
    log_every=1000,
    checkpoint_every=10_000,
)
