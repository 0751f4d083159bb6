"""ESPCN, Shi et al. 2016."""

from typing import Any

from torch import nn


class ESPCN(nn.Sequential):
    """Layers are named `first_part` and `last_part`."""

    def __init__(self, scale: int, n1: int, n2: int):
        super().__init__()
        first = [nn.Conv2d(1, n1, 5, padding=2), nn.Tanh(), nn.Conv2d(n1, n2, 3, padding=1), nn.Tanh()]
        self.first_part = nn.Sequential(*first)
        self.last_part = nn.Sequential(nn.Conv2d(n2, scale**2, 3, padding=1), nn.PixelShuffle(scale))


def espcn(network: Any, scale: int) -> ESPCN:
    return ESPCN(scale, network.n1, network.n2)
