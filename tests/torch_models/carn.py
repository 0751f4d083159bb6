"""CARN, Ahn et al. 2018, for one scale."""

from typing import Any

import torch
from torch import nn
from torch.nn import functional

from tests.torch_models.edsr import shift


class Shift(nn.Module):
    def __init__(self, factor: int):
        super().__init__()
        self.shifter = shift(factor)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.shifter(x)


class Body(nn.Module):
    """Layers named `body`."""

    def __init__(self, *layers: nn.Module):
        super().__init__()
        self.body = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x)


class Residual(Body):
    def __init__(self, width: int):
        super().__init__(nn.Conv2d(width, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.relu(self.body(x) + x)


def fusion(inputs: int, width: int) -> Body:
    return Body(nn.Conv2d(inputs * width, width, 1), nn.ReLU())


class Block(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.b1, self.b2, self.b3 = Residual(width), Residual(width), Residual(width)
        self.c1, self.c2, self.c3 = fusion(2, width), fusion(3, width), fusion(4, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first = self.b1(x)
        fused1 = self.c1(torch.cat((x, first), 1))
        second = self.b2(fused1)
        fused2 = self.c2(torch.cat((x, first, second), 1))
        third = self.b3(fused2)
        return self.c3(torch.cat((x, first, second, third), 1))


class Upsample(nn.Module):
    def __init__(self, scale: int, width: int):
        super().__init__()
        steps = {2: (2,), 3: (3,), 4: (2, 2)}[scale]
        self.up = Body(
            *(layer for r in steps for layer in (nn.Conv2d(width, r * r * width, 3, padding=1), nn.ReLU(), nn.PixelShuffle(r)))
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.up(x)


class CARN(Block):
    """Layers are named `entry`, `b1`, `c1` and so on, `upsample` and `exit`."""

    def __init__(self, scale: int, width: int):
        super().__init__(width)
        self.b1, self.b2, self.b3 = Block(width), Block(width), Block(width)
        self.sub_mean, self.add_mean = Shift(-1), Shift(1)
        self.entry = nn.Conv2d(3, width, 3, padding=1)
        self.upsample = Upsample(scale, width)
        self.exit = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, lr: torch.Tensor) -> torch.Tensor:
        x = super().forward(self.entry(self.sub_mean(lr)))
        return self.add_mean(self.exit(self.upsample(x)))


def carn(network: Any, scale: int) -> CARN:
    return CARN(scale, network.width)
