"""DRCN, Kim et al. 2016."""

from typing import Any

import torch
from torch import nn

from tests.torch_models.bicubic import enlarge


class DRCN(nn.Module):
    """Layers are named `embedding_layer`, `conv_block` and `reconstruction_layer`, the averaging weights `w`."""

    def __init__(self, scale: int, recursions: int, width: int):
        super().__init__()
        self.scale = scale
        self.embedding_layer = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1), nn.ReLU()
        )
        self.conv_block = nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.ReLU())
        self.reconstruction_layer = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, 1, 3, padding=1)
        )
        self.w = nn.Parameter(torch.ones(recursions) / recursions)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = enlarge(x, self.scale)
        features, sr = self.embedding_layer(x), torch.zeros_like(x)
        for weight in self.w:
            features = self.conv_block(features)
            sr += weight * (x + self.reconstruction_layer(features))
        return sr


def drcn(network: Any, scale: int) -> DRCN:
    return DRCN(scale, network.recursions, network.width)
