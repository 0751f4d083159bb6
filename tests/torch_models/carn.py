"""CARN, Ahn et al. 2018, for one scale."""

from collections.abc import Callable
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
    def __init__(self, network: Any):
        convs = [nn.Conv2d(network.width, network.width, 3, padding=1, groups=network.groups) for _ in range(2)]
        point = [nn.ReLU(), nn.Conv2d(network.width, network.width, 1)] if network.unit == "efficient" else []
        super().__init__(convs[0], nn.ReLU(), convs[1], *point)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.relu(self.body(x) + x)


def fusion(inputs: int, width: int) -> Body:
    return Body(nn.Conv2d(inputs * width, width, 1), nn.ReLU())


class Block(nn.Module):
    """Three units, or one that is applied three times."""

    def __init__(self, network: Any, unit: Callable[[Any], nn.Module], *, is_shared: bool):
        super().__init__()
        width = network.width
        self.b1 = unit(network)
        self.names = ("b1", "b1", "b1") if is_shared else ("b1", "b2", "b3")
        if not is_shared:
            self.b2, self.b3 = unit(network), unit(network)
        self.c1, self.c2, self.c3 = fusion(2, width), fusion(3, width), fusion(4, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        b1, b2, b3 = (self.get_submodule(name) for name in self.names)
        first = b1(x)
        fused1 = self.c1(torch.cat((x, first), 1))
        second = b2(fused1)
        fused2 = self.c2(torch.cat((x, first, second), 1))
        third = b3(fused2)
        return self.c3(torch.cat((x, first, second, third), 1))


class Upsample(nn.Module):
    def __init__(self, scale: int, width: int, groups: int):
        super().__init__()

        def step(r: int) -> tuple[nn.Module, ...]:
            return nn.Conv2d(width, r * r * width, 3, padding=1, groups=groups), nn.ReLU(), nn.PixelShuffle(r)

        self.up = Body(*(layer for r in {2: (2,), 3: (3,), 4: (2, 2)}[scale] for layer in step(r)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.up(x)


class CARN(Block):
    """Layers are named `entry`, `b1`, `c1` and so on, `upsample` and `exit`."""

    def __init__(self, scale: int, network: Any):
        super().__init__(network, lambda network: Block(network, Residual, is_shared=network.shared), is_shared=False)
        width = network.width
        self.sub_mean, self.add_mean = Shift(-1), Shift(1)
        self.entry = nn.Conv2d(3, width, 3, padding=1)
        self.upsample = Upsample(scale, width, network.groups)
        self.exit = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, lr: torch.Tensor) -> torch.Tensor:
        x = super().forward(self.entry(self.sub_mean(lr)))
        return self.add_mean(self.exit(self.upsample(x)))


def carn(network: Any, scale: int) -> CARN:
    return CARN(scale, network)
