"""EDSR, Lim et al. 2017. Inside, values are in 0..255, as the authors' weights expect."""

from typing import Any

import torch
from torch import nn

MEAN = (0.4488, 0.4371, 0.4040)


def conv(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)


def shift(factor: int) -> nn.Conv2d:
    """A fixed 1x1 convolution that adds the mean times `factor`."""
    layer = nn.Conv2d(3, 3, 1).requires_grad_(False)
    layer.weight.copy_(torch.eye(3)[:, :, None, None])
    layer.bias.copy_(factor * torch.tensor(MEAN))
    return layer


class Block(nn.Module):
    def __init__(self, width: int, res_scale: float):
        super().__init__()
        self.body = nn.Sequential(conv(width, width), nn.ReLU(), conv(width, width))
        self.res_scale = res_scale

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.res_scale * self.body(x)


class EDSR(nn.Module):
    """Layers are named `sub_mean`, `head`, `body`, `tail` and `add_mean`."""

    def __init__(self, scale: int, blocks: int, width: int, res_scale: float):
        super().__init__()
        steps = {2: (2,), 3: (3,), 4: (2, 2)}[scale]
        upsampler = [layer for r in steps for layer in (conv(width, r * r * width), nn.PixelShuffle(r))]
        self.sub_mean, self.add_mean = shift(-255), shift(255)
        self.head = nn.Sequential(conv(3, width))
        self.body = nn.Sequential(*(Block(width, res_scale) for _ in range(blocks)), conv(width, width))
        self.tail = nn.Sequential(nn.Sequential(*upsampler), conv(width, 3))

    def forward(self, lr: torch.Tensor) -> torch.Tensor:
        x = self.head(self.sub_mean(255 * lr))
        return self.add_mean(self.tail(x + self.body(x))) / 255


def edsr(network: Any, scale: int) -> EDSR:
    return EDSR(scale, network.blocks, network.width, network.res_scale)
