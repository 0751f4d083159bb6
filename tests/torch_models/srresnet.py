"""SRResNet without batch normalisation, Ledig et al. 2017 and Lim et al. 2017."""

from typing import Any

import torch
from torch import nn
from torch.nn import functional


def conv(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)


class Block(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.conv1, self.conv2 = conv(width, width), conv(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.conv2(functional.relu(self.conv1(x)))


class SRResNet(nn.Module):
    """Layers are named `conv_first`, `body`, `upconv1`, `upconv2`, `conv_hr` and `conv_last`."""

    def __init__(self, scale: int, blocks: int, width: int):
        super().__init__()
        self.scale, self.step = scale, 3 if scale == 3 else 2
        self.conv_first = conv(3, width)
        self.body = nn.Sequential(*(Block(width) for _ in range(blocks)))
        self.upconv1 = conv(width, self.step**2 * width)
        self.upconv2 = conv(width, self.step**2 * width) if scale == 4 else None
        self.conv_hr = conv(width, width)
        self.conv_last = conv(width, 3)

    def forward(self, lr: torch.Tensor) -> torch.Tensor:
        x = self.body(functional.leaky_relu(self.conv_first(lr), 0.1))
        for upconv in (self.upconv1, self.upconv2):
            if upconv is not None:
                x = functional.leaky_relu(functional.pixel_shuffle(upconv(x), self.step), 0.1)
        x = self.conv_last(functional.leaky_relu(self.conv_hr(x), 0.1))
        return x + functional.interpolate(lr, scale_factor=self.scale, mode="bilinear", align_corners=False)


def srresnet(network: Any, scale: int) -> SRResNet:
    return SRResNet(scale, network.blocks, network.width)
