"""Evaluation on whole images, with bicubic beside it.

Protocol `rgb-uint8`: HR is cropped to multiples of the scale; LR is MATLAB's bicubic reduction of its 8-bit RGB; what is
scored is the 8-bit RGB image that a user would save, `scale` pixels shaved from every side; PSNR and SSIM are of Y (BT.601,
not rounded) and of RGB. So the networks since EDSR are scored. Bicubic and the networks pass through the same function.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, UInt8
from tabulate import tabulate

from sr_jax import metrics
from sr_jax.data.images import Image
from sr_jax.data.pack import crop_to_multiple
from sr_jax.errors import InputError
from sr_jax.ops.color import rgb_to_ycbcr, to_float, to_uint8, ycbcr_to_rgb
from sr_jax.ops.resize import bicubic_downsample, bicubic_upsample

PROTOCOL = "rgb-uint8 (LR: MATLAB bicubic of 8-bit RGB; scored: 8-bit RGB, {scale} px shaved; Y: BT.601, not rounded)"


class Row(NamedTuple):
    """One line of `results.json`."""

    set: str
    image: str
    """The image's name, or `mean` for the mean over the set."""
    scale: int
    method: str
    psnr_y: float
    ssim_y: float
    psnr_rgb: float
    ssim_rgb: float


class Sample(NamedTuple):
    """The pictures of one evaluated image, uint8."""

    set: str
    image: str
    lr: UInt8[np.ndarray, "h w c"]
    bicubic: UInt8[np.ndarray, "sh sw c"]
    sr: UInt8[np.ndarray, "sh sw c"]
    hr: UInt8[np.ndarray, "sh sw c"]


def make_upscaler(model: Callable[[Any, Array], Array], *, scale: int) -> Callable[[Any, Any], Array]:
    """Builds `upscale(params, lr) -> sr` of a network on the Y channel; in colour, CbCr is enlarged bicubically.

    LR is uint8 of the shape h w c, SR uint8 of sh sw c; c is 1 or 3.

    It computes in full float32, also where the backend's default is less (bf16 on TPU, TF32 on GPU).
    """

    @jax.jit
    def upscale(params: Any, lr: Array) -> Array:
        with jax.default_matmul_precision("highest"):
            x = to_float(lr)
            if x.shape[-1] == 1:
                return to_uint8(model(params, x[None])[0])
            ycbcr = rgb_to_ycbcr(x)
            y = model(params, ycbcr[None, ..., :1])[0]
            cbcr = bicubic_upsample(ycbcr[..., 1:], scale)
            return to_uint8(ycbcr_to_rgb(jnp.concatenate([y, cbcr], -1)))

    return upscale


class Evaluator:
    """Scores a network on sets of HR images; what does not depend on the network is computed once.

    Args:
      sets: name of the set -> its HR images.
      upscale: `(params, LR) -> SR`, uint8, from `make_upscaler`.
      method: name of the network in the rows.

    Raises:
      InputError: naming the image, if one is `unusable`.
    """

    def __init__(self, sets: dict[str, list[Image]], upscale: Callable[[Any, Any], Array], *, scale: int, method: str):
        self._upscale, self._scale, self._method = upscale, scale, method
        self._baselines: list[Sample] = []
        down, up = (jax.jit(functools.partial(f, scale=scale)) for f in (bicubic_downsample, bicubic_upsample))
        for name, images in sets.items():
            for image in images:
                if reason := unusable(image, scale=scale):
                    raise InputError(f"{name}: {reason}")
                hr = crop_to_multiple(image.pixels, scale)
                lr = np.asarray(down(hr))
                bicubic = np.asarray(up(lr))
                self._baselines.append(Sample(name, image.name, lr, bicubic, bicubic, hr))
        self.bicubic_rows = self._rows(self._baselines, "bicubic")

    def __call__(self, params: Any) -> tuple[list[Row], list[Sample]]:
        """Rows of the network: every image of every set, then each set's mean; and the pictures."""
        local = jax.device_get(params)  # on one device: the forward pass of one image is not spread
        samples = [sample._replace(sr=np.asarray(self._upscale(local, sample.lr))) for sample in self._baselines]
        return self._rows(samples, self._method), samples

    def _rows(self, samples: list[Sample], method: str) -> list[Row]:
        rows = [Row(s.set, s.image, self._scale, method, *score(s.sr, s.hr, border=self._scale)) for s in samples]
        return rows + mean_rows(rows)


def unusable(image: Image, *, scale: int) -> str | None:
    """Why an image cannot be scored, if so: it is too small, or so flat that its PSNR is infinite."""
    hr = crop_to_multiple(image.pixels, scale)
    least = metrics.SSIM_WINDOW + 2 * scale
    if min(hr.shape[:2]) < least:
        h, w = image.pixels.shape[:2]
        return f"{image.name}: {h}x{w} is too small to be scored at x{scale}; it needs {least}x{least} and multiples of {scale}"
    if np.ptp(hr, (0, 1)).max() == 0:
        return f"{image.name}: all its pixels are equal, so that PSNR is infinite"
    return None


def score(sr: UInt8[np.ndarray, "h w c"], hr: UInt8[np.ndarray, "h w c"], *, border: int) -> tuple[float, float, float, float]:
    """PSNR [dB] and SSIM on Y, then PSNR [dB] and SSIM on RGB (on the one channel of a gray image)."""
    a, b = metrics.shave(sr, border), metrics.shave(hr, border)
    y_a, y_b = metrics.luma(a), metrics.luma(b)
    return metrics.psnr(y_a, y_b), metrics.ssim(y_a, y_b), metrics.psnr(a, b), metrics.ssim(a, b)


def mean_rows(rows: Sequence[Row]) -> list[Row]:
    """The mean of every (set, method), as rows whose image is `mean`."""
    means = []
    for key in dict.fromkeys((row.set, row.scale, row.method) for row in rows):
        members = [row for row in rows if (row.set, row.scale, row.method) == key]
        values = [sum(column) / len(members) for column in zip(*(row[4:] for row in members), strict=True)]
        means.append(Row(key[0], "mean", key[1], key[2], *values))
    return means


def overall(rows: Sequence[Row]) -> float:
    """Mean Y-PSNR [dB] over all images of all sets."""
    values = [row.psnr_y for row in rows if row.image != "mean"]
    return sum(values) / len(values)


def table(bicubic: Sequence[Row], ours: Sequence[Row]) -> str:
    """Y-PSNR and SSIM of bicubic and of the network, side by side, as Markdown."""
    method = ours[0].method
    lines = [
        (b.set, _emphasised(b.image), b.psnr_y, o.psnr_y, o.psnr_y - b.psnr_y, b.ssim_y, o.ssim_y)
        for b, o in zip(bicubic, ours, strict=True)
    ]
    header = ["set", "image", "bicubic [dB]", f"{method} [dB]", "gain [dB]", "bicubic SSIM", f"{method} SSIM"]
    return tabulate(lines, header, tablefmt="github", floatfmt=("", "", ".2f", ".2f", "+.2f", ".4f", ".4f"))


def _emphasised(image: str) -> str:
    return "**mean**" if image == "mean" else image
