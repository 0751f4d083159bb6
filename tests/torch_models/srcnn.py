"""SRCNN f1-f2-f3, Dong et al. 2014."""

from typing import Any

import torch
from torch import nn

from tests.torch_models.bicubic import enlarge


class SRCNN(nn.Module):
    """Layers are named `conv1`, `conv2` and `conv3`."""

    def __init__(self, scale: int, n1: int, n2: int, f1: int, f2: int, f3: int):
        super().__init__()
        self.scale = scale
        self.conv1 = nn.Conv2d(1, n1, f1, padding="same")
        self.conv2 = nn.Conv2d(n1, n2, f2, padding="same")
        self.conv3 = nn.Conv2d(n2, 1, f3, padding="same")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        patches = torch.relu(self.conv1(enlarge(x, self.scale)))
        return self.conv3(torch.relu(self.conv2(patches)))


def srcnn(network: Any, scale: int) -> SRCNN:
    return SRCNN(scale, network.n1, network.n2, network.f1, network.f2, network.f3)
