"""ESPCN x3 on the 91 images, trained as in its paper (Shi et al., CVPR 2016).

    python -m sr_jax.train --config configs/espcn_x3.py --config.data.root=DIR

DIR holds `T91/`, `Set5/` and `Set14/` (docs/data.md). For other scales, with patches of 17 LR pixels, give `--config.scale=2
--config.data.patch=34` or `--config.scale=4 --config.data.patch=68`.

Expected: 32.55 dB on Set5 and 29.08 dB on Set14 (published for the 91 images, Y-PSNR).

Time: not measured; this config has not been run to its end.

As in the paper: MSE, a learning rate that falls from 1e-2 to 1e-4, and a last layer that learns ten times slower.

What differs: the paper lowers the rate when the loss no longer falls, and ends when it has not fallen for 100 epochs; here the
rate falls along a cosine. The number of steps, the batches of 16 and the momentum of SGD are our choice.
"""

from sr_jax.config import Config, DataConfig, ESPCNConfig, EvalConfig, OptimConfig

config = Config(
    scale=3,
    steps=500_000,
    model=ESPCNConfig(),
    loss="mse",
    data=DataConfig(name="91", batch=16, patch=51),
    optim=OptimConfig(method="sgd", lr=1e-2, final_lr=1e-4, last_lr=0.1, warmup_steps=0, ema_decay=0.0),
    eval=EvalConfig(sets=("Set5", "Set14"), every=10_000),
    log_every=1000,
    checkpoint_every=10_000,
)
