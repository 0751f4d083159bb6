"""D-DBPN, Haris et al. 2018."""

from typing import Any

import torch
from torch import nn

KERNELS = {2: 6, 4: 8, 8: 12}  # section 4.1 of the paper; the stride is the scale, the padding 2


class Conv(nn.Module):
    """A convolution and a PReLU with one slope."""

    def __init__(self, inputs: int, outputs: int, kernel_size: int, stride: int = 1, padding: int = 0):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel_size, stride, padding)
        self.act = nn.PReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.act(self.conv(x))


class Deconv(nn.Module):
    """A transposed convolution and a PReLU with one slope."""

    def __init__(self, width: int, scale: int):
        super().__init__()
        self.deconv = nn.ConvTranspose2d(width, width, KERNELS[scale], scale, 2)
        self.act = nn.PReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.act(self.deconv(x))


class Up(nn.Module):
    """Equations 1 to 5."""

    def __init__(self, inputs: int, width: int, scale: int):
        super().__init__()
        self.conv = Conv(inputs * width, width, 1) if inputs > 1 else None
        self.up_conv1 = Deconv(width, scale)
        self.up_conv2 = Conv(width, width, KERNELS[scale], scale, 2)
        self.up_conv3 = Deconv(width, scale)

    def forward(self, low: torch.Tensor) -> torch.Tensor:
        low = self.conv(low) if self.conv is not None else low
        high0 = self.up_conv1(low)
        error = self.up_conv2(high0) - low
        return high0 + self.up_conv3(error)


class Down(nn.Module):
    """Equations 6 to 10."""

    def __init__(self, inputs: int, width: int, scale: int):
        super().__init__()
        self.conv = Conv(inputs * width, width, 1) if inputs > 1 else None
        self.down_conv1 = Conv(width, width, KERNELS[scale], scale, 2)
        self.down_conv2 = Deconv(width, scale)
        self.down_conv3 = Conv(width, width, KERNELS[scale], scale, 2)

    def forward(self, high: torch.Tensor) -> torch.Tensor:
        high = self.conv(high) if self.conv is not None else high
        low0 = self.down_conv1(high)
        error = self.down_conv2(low0) - high
        return low0 + self.down_conv3(error)


class DBPN(nn.Module):
    """Layers are named `feat0`, `feat1`, `up1`, `down1` and so on, and `output_conv`."""

    def __init__(self, scale: int, stages: int, width: int, features: int):
        super().__init__()
        self.stages = stages
        self.feat0 = Conv(3, features, 3, padding=1)
        self.feat1 = Conv(features, width, 1)
        for t in range(1, stages + 1):
            setattr(self, f"up{t}", Up(max(t - 1, 1), width, scale))
        for t in range(1, stages):
            setattr(self, f"down{t}", Down(t, width, scale))
        self.output_conv = nn.ModuleDict({"conv": nn.Conv2d(stages * width, 3, 3, padding=1)})

    def forward(self, lr: torch.Tensor) -> torch.Tensor:
        lows = self.feat1(self.feat0(lr))
        highs = self.up1(lows)
        for t in range(1, self.stages):
            low = getattr(self, f"down{t}")(highs)
            lows = low if t == 1 else torch.cat((low, lows), 1)
            highs = torch.cat((getattr(self, f"up{t + 1}")(lows), highs), 1)
        return self.output_conv["conv"](highs)


def dbpn(network: Any, scale: int) -> DBPN:
    return DBPN(scale, network.stages, network.width, network.features)
