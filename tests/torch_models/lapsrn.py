"""LapSRN, Lai et al. 2017."""

from collections import OrderedDict
from typing import Any

import torch
from torch import nn


def convolution(in_channels: int, out_channels: int) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False)


def double(channels: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(channels, channels, 4, 2, 1, bias=False)


class LapSRN(nn.Module):
    """Layers are named `conv_input` and, at level n, `convt_Fn`, `convt_In`, `convt_Rn`."""

    def __init__(self, levels: int, depth: int, width: int):
        super().__init__()
        self.levels = levels
        self.conv_input = convolution(1, width)
        for level in range(1, levels + 1):
            layers = [*(convolution(width, width) for _ in range(depth)), double(width)]
            block = nn.Sequential(*(part for layer in layers for part in (layer, nn.LeakyReLU(0.2))))
            self.add_module(f"convt_F{level}", nn.Sequential(nn.Sequential(OrderedDict(cov_block=block))))
            self.add_module(f"convt_I{level}", double(1))
            self.add_module(f"convt_R{level}", convolution(width, 1))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        features = nn.functional.leaky_relu(self.conv_input(image), 0.2)
        for level in range(1, self.levels + 1):
            features = self.get_submodule(f"convt_F{level}")(features)
            image = self.get_submodule(f"convt_I{level}")(image) + self.get_submodule(f"convt_R{level}")(features)
        return image


def lapsrn(network: Any, scale: int) -> LapSRN:
    return LapSRN({2: 1, 4: 2, 8: 3}[scale], network.depth, network.width)
