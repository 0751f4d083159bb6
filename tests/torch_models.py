"""Networks in PyTorch, written from the papers, to compare with."""

import torch
from torch import nn


class FSRCNN(nn.Module):
    """FSRCNN(56, 12, 4), Dong et al. 2016."""

    def __init__(self, scale: int, d: int = 56, s: int = 12, m: int = 4):
        super().__init__()
        mapping = [layer for _ in range(m) for layer in (nn.Conv2d(s, s, 3, padding=1), nn.PReLU(s))]
        self.body = nn.Sequential(
            *(nn.Conv2d(1, d, 5, padding=2), nn.PReLU(d)),
            *(nn.Conv2d(d, s, 1), nn.PReLU(s)),
            *mapping,
            *(nn.Conv2d(s, d, 1), nn.PReLU(d)),
        )
        padding = {2: 4, 3: 3, 4: 3}[scale]
        output_padding = {2: 1, 3: 0, 4: 1}[scale]
        self.deconvolution = nn.ConvTranspose2d(d, 1, 9, scale, padding, output_padding)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.deconvolution(self.body(x))
