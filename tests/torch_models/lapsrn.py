"""LapSRN, Lai et al. 2017."""

from collections import OrderedDict
from typing import Any

import torch
from torch import nn


def convolution(in_channels: int, out_channels: int, bias: bool) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=bias)


class Double3(nn.ConvTranspose2d):
    """With 3x3 taps one row and one column are too many."""

    def __init__(self, channels: int, bias: bool):
        super().__init__(channels, channels, 3, 2, bias=bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x)[..., :-1, :-1]


def double(channels: int, taps: int = 4, bias: bool = False) -> nn.ConvTranspose2d:
    return Double3(channels, bias) if taps == 3 else nn.ConvTranspose2d(channels, channels, 4, 2, 1, bias=bias)


class LapSRN(nn.Module):
    """Layers are named `conv_input` and, at level n, `convt_Fn`, `convt_In`, `convt_Rn`."""

    def __init__(self, levels: int, network: Any):
        super().__init__()
        self.levels = levels
        depth, width, bias = network.depth, network.width, network.use_bias
        self.conv_input = convolution(1, width, bias)
        for level in range(1, levels + 1):
            layers = [*(convolution(width, width, bias) for _ in range(depth)), double(width, network.taps, bias)]
            block = nn.Sequential(*(part for layer in layers for part in (layer, nn.LeakyReLU(0.2))))
            self.add_module(f"convt_F{level}", nn.Sequential(nn.Sequential(OrderedDict(cov_block=block))))
            self.add_module(f"convt_I{level}", double(1))
            self.add_module(f"convt_R{level}", convolution(width, 1, bias))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        features = nn.functional.leaky_relu(self.conv_input(image), 0.2)
        for level in range(1, self.levels + 1):
            features = self.get_submodule(f"convt_F{level}")(features)
            image = self.get_submodule(f"convt_I{level}")(image) + self.get_submodule(f"convt_R{level}")(features)
        return image


def lapsrn(network: Any, scale: int) -> LapSRN:
    return LapSRN({2: 1, 4: 2, 8: 3}[scale], network)
