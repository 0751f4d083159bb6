"""Converse-SRResNet, Huang et al. 2025. The published form of the reverse convolution needs float64."""

from typing import Any

import torch
from torch import nn
from torch.nn import functional

from tests.torch_models.usrnet import data_step


class Converse(nn.Module):
    def __init__(self, channels: int, kernel_size: int, scale: int, padding: int, eps: float):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1, channels, kernel_size, kernel_size))
        self.bias = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.scale, self.padding, self.eps = scale, padding, eps

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n, lam = self.padding, torch.sigmoid(self.bias.double() - 9) + self.eps
        y = functional.pad(x.double(), (n, n, n, n), mode="replicate")
        x0 = functional.interpolate(y, scale_factor=self.scale, mode="nearest")
        solved = data_step(y, self.weight.double(), x0, lam, self.scale)
        edge = n * self.scale
        return solved[:, :, edge:-edge, edge:-edge].to(x.dtype)


class ChannelNorm(nn.LayerNorm):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Block(nn.Module):
    def __init__(self, c: int):
        super().__init__()
        converse = Converse(2 * c, 5, 1, 4, 1e-5)
        into, out = nn.Conv2d(c, 2 * c, 1), nn.Conv2d(2 * c, c, 1)
        self.conv1 = nn.Sequential(ChannelNorm(c, 1e-5), into, nn.GELU(), converse, nn.GELU(), out)
        self.conv2 = nn.Sequential(ChannelNorm(c, 1e-5), nn.Conv2d(c, 2 * c, 1), nn.GELU(), nn.Conv2d(2 * c, c, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.conv1(x)
        return x + self.conv2(x)


class ConverseSRResNet(nn.Module):
    """Layers are named `conv_first`, `conv_body`, `upconv1`, `up1`, ..., `conv_hres`, `conv_last`."""

    def __init__(self, scale: int, blocks: int, width: int):
        super().__init__()
        self.conv_first = nn.Conv2d(3, width, 1)
        self.conv_body = nn.Sequential(*[Block(width) for _ in range(blocks)])
        self.upconv1, self.up1 = Block(width), Converse(width, 2, 2, 2, 1e-3)
        if scale == 4:
            self.upconv2, self.up2 = Block(width), Converse(width, 2, 2, 2, 1e-3)
        self.conv_hres = Block(width)
        self.conv_last = nn.Conv2d(width, 3, 1, bias=False)
        self.scale = scale

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features = self.conv_body(functional.gelu(self.conv_first(x)))
        features = functional.gelu(self.up1(self.upconv1(features)))
        if self.scale == 4:
            features = functional.gelu(self.up2(self.upconv2(features)))
        residual = self.conv_last(functional.gelu(self.conv_hres(features)))
        return residual + functional.interpolate(x, scale_factor=self.scale, mode="bilinear", align_corners=False)


def converse_srresnet(network: Any, scale: int) -> ConverseSRResNet:
    return ConverseSRResNet(scale, network.blocks, network.width)
