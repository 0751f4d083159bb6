"""MATLAB's bicubic enlargement in PyTorch."""

import torch
from torch.nn import functional

MARGIN = 4


def enlarge(x: torch.Tensor, scale: int) -> torch.Tensor:
    """PyTorch has MATLAB's kernel (a = -0.5) if antialiasing is on, but another border, so the image is reflected first."""
    for axis in (2, 3):
        size = x.shape[axis]
        head, tail = x.narrow(axis, 0, MARGIN).flip(axis), x.narrow(axis, size - MARGIN, MARGIN).flip(axis)
        x = torch.cat([head, x, tail], axis)
    large = functional.interpolate(x, scale_factor=scale, mode="bicubic", antialias=True)
    margin = MARGIN * scale
    return large[:, :, margin:-margin, margin:-margin]
