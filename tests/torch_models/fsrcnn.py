"""FSRCNN(d, s, m), Dong et al. 2016."""

from typing import Any

import torch
from torch import nn


class FSRCNN(nn.Module):
    """Layers are named `first_part`, `mid_part` and `last_part`."""

    def __init__(self, scale: int, d: int, s: int, m: int):
        super().__init__()
        mapping = [layer for _ in range(m) for layer in (nn.Conv2d(s, s, 3, padding=1), nn.PReLU(s))]
        self.first_part = nn.Sequential(nn.Conv2d(1, d, 5, padding=2), nn.PReLU(d))
        self.mid_part = nn.Sequential(nn.Conv2d(d, s, 1), nn.PReLU(s), *mapping, nn.Conv2d(s, d, 1), nn.PReLU(d))
        self.last_part = nn.ConvTranspose2d(d, 1, 9, scale, padding=4, output_padding=scale - 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last_part(self.mid_part(self.first_part(x)))


def fsrcnn(network: Any, scale: int) -> FSRCNN:
    return FSRCNN(scale, network.d, network.s, network.m)
