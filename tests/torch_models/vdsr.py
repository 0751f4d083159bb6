"""VDSR, Kim et al. 2016."""

from collections import OrderedDict
from typing import Any

import torch
from torch import nn

from tests.torch_models.bicubic import enlarge


def convolution(in_channels: int, out_channels: int) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False)


class VDSR(nn.Module):
    """Layers are named `input`, `residual_layer` and `output`."""

    def __init__(self, scale: int, depth: int, width: int):
        super().__init__()
        self.scale = scale
        self.input = convolution(1, width)
        hidden = [nn.Sequential(OrderedDict(conv=convolution(width, width), relu=nn.ReLU())) for _ in range(depth - 2)]
        self.residual_layer = nn.Sequential(*hidden)
        self.output = convolution(width, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = enlarge(x, self.scale)
        return x + self.output(self.residual_layer(torch.relu(self.input(x))))


def vdsr(network: Any, scale: int) -> VDSR:
    return VDSR(scale, network.depth, network.width)
