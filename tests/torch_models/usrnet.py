"""USRNet, Zhang et al. 2020. The published form of the data step divides by alpha, so it needs float64."""

from typing import Any

import torch
from torch import nn
from torch.nn import functional


class ResBlock(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        convs = (nn.Conv2d(width, width, 3, padding=1, bias=False) for _ in range(2))
        self.res = nn.Sequential(next(convs), nn.ReLU(), next(convs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.res(x)


class ResUNet(nn.Module):
    def __init__(self, widths: tuple[int, int, int, int], blocks: int):
        super().__init__()

        def stack(width: int) -> list[nn.Module]:
            return [ResBlock(width) for _ in range(blocks)]

        a, b, c, d = widths
        self.m_head = nn.Conv2d(4, a, 3, padding=1, bias=False)
        self.m_down1 = nn.Sequential(*stack(a), nn.Conv2d(a, b, 2, 2, bias=False))
        self.m_down2 = nn.Sequential(*stack(b), nn.Conv2d(b, c, 2, 2, bias=False))
        self.m_down3 = nn.Sequential(*stack(c), nn.Conv2d(c, d, 2, 2, bias=False))
        self.m_body = nn.Sequential(*stack(d)) if blocks > 1 else ResBlock(d)
        self.m_up3 = nn.Sequential(nn.ConvTranspose2d(d, c, 2, 2, bias=False), *stack(c))
        self.m_up2 = nn.Sequential(nn.ConvTranspose2d(c, b, 2, 2, bias=False), *stack(b))
        self.m_up1 = nn.Sequential(nn.ConvTranspose2d(b, a, 2, 2, bias=False), *stack(a))
        self.m_tail = nn.Conv2d(a, 3, 3, padding=1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        height, width = x.shape[2:]
        x0 = self.m_head(functional.pad(x, (0, -width % 8, 0, -height % 8), mode="replicate"))
        x1 = self.m_down1(x0)
        x2 = self.m_down2(x1)
        x3 = self.m_down3(x2)
        x = self.m_up3(self.m_body(x3) + x3)
        x = self.m_up1(self.m_up2(x + x2) + x1)
        return self.m_tail(x + x0)[:, :, :height, :width]


class HyperNet(nn.Module):
    def __init__(self, iterations: int, width: int):
        super().__init__()
        first, second, last = nn.Conv2d(2, width, 1), nn.Conv2d(width, width, 1), nn.Conv2d(width, 2 * iterations, 1)
        self.mlp = nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), last, nn.Softplus())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.mlp(x) + 1e-6


class USRNet(nn.Module):
    """The prior is named `p`, the hyper-parameter network `h`."""

    def __init__(self, scale: int, iterations: int, widths: tuple[int, int, int, int], blocks: int, hyper_width: int):
        super().__init__()
        self.p, self.h = ResUNet(widths, blocks), HyperNet(iterations, hyper_width)
        self.scale = scale

    def forward(self, y: torch.Tensor, kernel: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        sigma = noise[:, None, None, None]
        alphas, betas = self.h(torch.cat([sigma, torch.full_like(sigma, self.scale)], 1)).chunk(2, 1)
        x = functional.interpolate(y, scale_factor=self.scale, mode="nearest")
        for alpha, beta in zip(alphas.split(1, 1), betas.split(1, 1), strict=True):
            z = data_step(y.double(), kernel.double()[:, None], x.double(), alpha.double(), self.scale).to(y.dtype)
            x = self.p(torch.cat([z, beta.expand(-1, 1, *z.shape[2:])], 1))
        return x


def data_step(y: torch.Tensor, kernel: torch.Tensor, x0: torch.Tensor, alpha: torch.Tensor, scale: int) -> torch.Tensor:
    """Equation (7) of the paper: F^-1 of (d - conj(K) [(K d) averaged / (|K|^2 averaged + alpha)]) / alpha."""
    height, width = x0.shape[2:]
    padded = functional.pad(kernel, (0, width - kernel.shape[3], 0, height - kernel.shape[2]))
    transfer = torch.fft.fft2(torch.roll(padded, (-(kernel.shape[2] // 2), -(kernel.shape[3] // 2)), (2, 3)))
    inserted = torch.zeros_like(x0)
    inserted[:, :, ::scale, ::scale] = y

    def averaged(spectrum: torch.Tensor) -> torch.Tensor:
        b, c, h, w = spectrum.shape
        return spectrum.reshape(b, c, scale, h // scale, scale, w // scale).mean((2, 4)).repeat(1, 1, scale, scale)

    d = transfer.conj() * torch.fft.fft2(inserted) + alpha * torch.fft.fft2(x0)
    quotient = averaged(transfer * d) / (averaged(transfer.abs() ** 2) + alpha)
    return torch.fft.ifft2((d - transfer.conj() * quotient) / alpha).real


def usrnet(network: Any, scale: int) -> USRNet:
    return USRNet(scale, network.iterations, network.widths, network.blocks, network.hyper_width)
