"""IMDN, Hui et al. 2019."""

from typing import Any

import torch
from torch import nn
from torch.nn import functional


def conv(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)


class Attention(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        squeezed = width // 16
        self.conv_du = nn.Sequential(nn.Conv2d(width, squeezed, 1), nn.ReLU(), nn.Conv2d(squeezed, width, 1), nn.Sigmoid())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        contrast = x.flatten(2).std(2, correction=0) + x.flatten(2).mean(2)
        return x * self.conv_du(contrast[:, :, None, None])


class Block(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        kept, rest = width // 4, width - width // 4
        self.split = (kept, rest)
        self.c1, self.c2, self.c3 = conv(width, width), conv(rest, width), conv(rest, width)
        self.c4 = conv(rest, kept)
        self.cca = Attention(width)
        self.c5 = nn.Conv2d(width, width, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        kept1, rest = functional.leaky_relu(self.c1(x), 0.05).split(self.split, 1)
        kept2, rest = functional.leaky_relu(self.c2(rest), 0.05).split(self.split, 1)
        kept3, rest = functional.leaky_relu(self.c3(rest), 0.05).split(self.split, 1)
        return self.c5(self.cca(torch.cat((kept1, kept2, kept3, self.c4(rest)), 1))) + x


class IMDN(nn.Module):
    """Layers are named `fea_conv`, `IMDB1` and so on, `c`, `LR_conv` and `upsampler`."""

    def __init__(self, scale: int, blocks: int, width: int):
        super().__init__()
        self.blocks = blocks
        self.fea_conv = conv(3, width)
        for i in range(blocks):
            setattr(self, f"IMDB{i + 1}", Block(width))
        self.c = nn.Sequential(nn.Conv2d(blocks * width, width, 1), nn.LeakyReLU(0.05))
        self.LR_conv = conv(width, width)
        self.upsampler = nn.Sequential(conv(width, 3 * scale**2), nn.PixelShuffle(scale))

    def forward(self, lr: torch.Tensor) -> torch.Tensor:
        x = features = self.fea_conv(lr)
        outputs = []
        for i in range(self.blocks):
            x = getattr(self, f"IMDB{i + 1}")(x)
            outputs.append(x)
        return self.upsampler(self.LR_conv(self.c(torch.cat(outputs, 1))) + features)


def imdn(network: Any, scale: int) -> IMDN:
    return IMDN(scale, network.blocks, network.width)
