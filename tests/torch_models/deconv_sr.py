"""DeconvSR from its equations, with FFTs of the HR size and the published form of the data step."""

import math
from typing import Any

import torch
from torch import nn
from torch.nn import functional

SIGMA, FLOOR, TYPICAL = 0.6, 1e-6, 1e-2


class Reader(nn.Module):
    """Maps an LR image to its code."""

    def __init__(self, channels: int, width: int, depth: int, more: int):
        super().__init__()
        self.features = nn.Sequential()
        for index in range(depth):
            stride = 2 if index == 1 else 1
            inputs = width if index else channels
            self.features.append(nn.Conv2d(inputs, width, 3, stride, padding=1, padding_mode="reflect"))
            self.features.append(nn.PReLU(width))
        self.summary = nn.Sequential(nn.Linear(depth * width + 1 + more, width), nn.PReLU(width))

    def forward(self, lr: torch.Tensor, noise: torch.Tensor | None) -> torch.Tensor:
        x, powers = lr, []
        for layer in self.features:
            x = layer(x)
            if isinstance(layer, nn.PReLU):
                powers.append(x.square().mean((2, 3)))
        power = torch.log(torch.cat(powers, 1) + FLOOR)
        contrast = power.mean(1, keepdim=True)
        statistics = [power - contrast, contrast - math.log(TYPICAL)]
        if noise is not None:
            statistics.append(torch.log(noise[:, None] ** 2 + FLOOR))
        return self.summary(torch.cat(statistics, 1))


class Block(nn.Module):
    """x + Conv(PReLU(Conv(x)))."""

    def __init__(self, width: int):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.PReLU(width), nn.Conv2d(width, width, 3, padding=1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.body(x)


class DeconvSR(nn.Module):
    """Steps 1 to 3."""

    def __init__(self, network: Any, scale: int):
        super().__init__()
        self.network, self.scale = network, scale
        literal, told = network.mode == "literal", network.kernel == "given"
        self.taps = network.kernel_size + (scale - 1 if literal else 0)
        lambdas = 0 if literal else len(network.lam_start)
        if network.kernel == "predicted" or (network.lam == "predicted" and not literal):
            self.reader = Reader(network.channels, network.kernel_width, network.kernel_depth, int(told))
        if network.kernel == "predicted":
            self.kernel = nn.Linear(network.kernel_width, self.taps**2)
        elif network.kernel == "static":
            self.logits = nn.Parameter(torch.zeros(self.taps**2))
        if network.lam == "predicted" and not literal:
            self.lam = nn.Linear(network.kernel_width, lambdas)
        elif network.lam == "learned" and not literal:
            self.log_lambda = nn.Parameter(torch.zeros(lambdas))
        inputs = (max(1, lambdas) * scale**2 + 1) * network.channels + lambdas
        blocks = [Block(network.width) for _ in range(network.blocks)]
        self.head = nn.Sequential(nn.Conv2d(inputs, network.width, 3, padding=1), nn.PReLU(network.width))
        self.body = nn.Sequential(*blocks)
        self.tail = nn.Conv2d(network.width, network.channels * scale**2, 3, padding=1)

    def forward(self, lr: torch.Tensor, given: torch.Tensor | None = None, noise: torch.Tensor | None = None) -> torch.Tensor:
        network, (b, _, h, w) = self.network, lr.shape
        code = self.reader(lr, noise) if hasattr(self, "reader") else None
        if given is None:
            taps = self.kernel(code) if network.kernel == "predicted" else self.logits[None].expand(b, -1)
            taps = taps if network.mode == "literal" else torch.softmax(taps, 1)
            kernel = taps.reshape(b, self.taps, self.taps)
        else:
            kernel = given
        if network.mode == "literal":
            logs = torch.zeros(b, 0)
            images = [self.product(lr, kernel)]
        else:
            start = torch.log(torch.tensor(network.lam_start))
            logs = {"predicted": lambda: self.lam(code), "learned": lambda: self.log_lambda, "fixed": lambda: start}[
                network.lam
            ]()
            logs = logs.expand(b, -1)
            images = [self.data_step(lr, kernel, logs[:, i].exp()) for i in range(logs.shape[1])]
        # The phases of all images, ordered by phase, then by image, then by channel.
        stacked = torch.cat(images, 1)
        phases = [stacked[:, :, r :: self.scale, q :: self.scale] for r in range(self.scale) for q in range(self.scale)]
        x = torch.cat([*phases, lr, logs[:, :, None, None].expand(-1, -1, h, w)], 1)
        x = self.tail(self.body(self.head(x)))
        return images[0] + functional.pixel_shuffle(x, self.scale)

    def data_step(self, lr: torch.Tensor, kernel: torch.Tensor, lam: torch.Tensor) -> torch.Tensor:
        """Zhao et al. 2016, equation 14: X = (F_d - conj(K) D{K F_d} / (D|K|^2 + lambda)) / lambda."""
        s, size = self.scale, kernel.shape[1]
        margin = size // s + 1
        x0 = self.first_guess(lr, margin)
        y = symmetric(lr, margin)
        zeros = torch.zeros_like(x0)
        zeros[:, :, ::s, ::s] = y
        otf = transfer(kernel, x0.shape[2:], (size - 1) // 2)
        k, lam = otf[:, None], lam.double()[:, None, None, None]
        f = k.conj() * torch.fft.fft2(zeros) + lam * torch.fft.fft2(x0)
        ratio = folded(k * f, s) / (folded(k.abs() ** 2, s) + lam)
        x = torch.fft.ifft2((f - k.conj() * ratio.repeat(1, 1, s, s)) / lam).real
        return x[:, :, margin * s : -margin * s, margin * s : -margin * s].float()

    def product(self, lr: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
        """F^-1{ F{LR} F{G} }, with zeros between the pixels of LR and the middle of G in the middle of the cell."""
        s, size = self.scale, g.shape[1]
        margin = -(-size // s)
        y = symmetric(lr, margin)
        zeros = y.new_zeros(*y.shape[:2], y.shape[2] * s, y.shape[3] * s)
        zeros[:, :, ::s, ::s] = y
        otf = transfer(g, zeros.shape[2:], (size - s) // 2)
        x = torch.fft.ifft2(torch.fft.fft2(zeros) * otf[:, None]).real
        return x[:, :, margin * s : -margin * s, margin * s : -margin * s].float()

    def first_guess(self, lr: torch.Tensor, margin: int) -> torch.Tensor:
        """x0 with half-pixel centres and mirrored borders."""
        h, w = lr.shape[2] * self.scale, lr.shape[3] * self.scale
        if self.network.x0 == "zero":
            return symmetric(lr.new_zeros(*lr.shape[:2], h, w), margin * self.scale)
        around = 4
        mode = {"nearest": "nearest-exact", "bilinear": "bilinear", "bicubic": "bicubic"}[self.network.x0]
        extended = symmetric(lr, around).float()
        if mode == "bicubic":
            x = keys(keys(extended.double(), self.scale).mT, self.scale).mT
        else:
            x = functional.interpolate(extended, scale_factor=self.scale, mode=mode).double()
        cut = around * self.scale
        return symmetric(x[:, :, cut:-cut, cut:-cut], margin * self.scale)


def keys(x: torch.Tensor, scale: int) -> torch.Tensor:
    """Bicubic enlargement along the second-last axis, with a = -0.5 and repeated border pixels."""
    n = x.shape[2]
    where = (torch.arange(n * scale) + 0.5) / scale - 0.5
    out = torch.zeros(*x.shape[:2], n * scale, x.shape[3], dtype=x.dtype)
    for tap in range(-1, 3):
        index = where.floor().long() + tap
        d = (where - index).abs().to(x.dtype)
        near, far = 1.5 * d**3 - 2.5 * d**2 + 1, -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2
        weight = torch.where(d <= 1, near, torch.where(d < 2, far, 0.0))
        out += weight[:, None] * x[:, :, index.clamp(0, n - 1)]
    return out


def transfer(kernel: torch.Tensor, size: torch.Size, centre: int) -> torch.Tensor:
    """The spectrum of a kernel after its tap `centre` is moved to pixel 0."""
    full = torch.zeros(kernel.shape[0], *size, dtype=torch.float64)
    full[:, : kernel.shape[1], : kernel.shape[2]] = kernel
    return torch.fft.fft2(torch.roll(full, (-centre, -centre), (1, 2)))


def folded(spectrum: torch.Tensor, scale: int) -> torch.Tensor:
    """D: the mean over the frequencies that alias onto one another."""
    b, c, h, w = spectrum.shape
    return spectrum.reshape(b, c, scale, h // scale, scale, w // scale).mean((2, 4))


def symmetric(x: torch.Tensor, margin: int) -> torch.Tensor:
    """Mirrors the image beyond each border, with the border pixel twice, as often as needed."""

    def index(n: int) -> torch.Tensor:
        i = torch.arange(-margin, n + margin) % (2 * n)
        return torch.minimum(i, 2 * n - 1 - i)

    return x.double()[:, :, index(x.shape[2])][:, :, :, index(x.shape[3])]


def deconv_sr(network: Any, scale: int) -> DeconvSR:
    return DeconvSR(network, scale)
