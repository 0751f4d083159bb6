"""Which pictures does `upscale` warn of, and what does a network gain there?

    SR_JAX_DATA=/sets python benchmarks/unlike.py --sets Set5 Set14

LR of each image (x2, MATLAB's bicubic reduction) is changed in one way after another. The table has the share of pictures with
a warning, and the mean gain in Y-PSNR over bicubic interpolation of the same LR. The network was trained on clean LR. The
limits in sr_jax/assembly/likeness.py lie where no clean picture is named, and where the gain has become small. `--clean_only`
only looks for false alarms, at x2, x3 and x4. The script takes a minute on two CPU cores.
"""

import argparse
import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter
from tabulate import tabulate
from tqdm import tqdm

import sr_jax
from sr_jax import metrics
from sr_jax.assembly import likeness, trained
from sr_jax.ops.resize import imresize_host
from sr_jax.pictures import read, traits
from sr_jax.pictures.picture import GRAY, RGB, Metadata, Picture

SCALE = 2
MODEL = "fsrcnn-x2"
Change = Callable[[np.ndarray], tuple[np.ndarray, bytes]]
"""Returns the changed LR and its file, if that matters."""


def noisy(sigma: float) -> Change:
    return lambda lr: (_rounded(lr + np.random.default_rng(0).normal(0, sigma, lr.shape)), b"")


def compressed(quality: int) -> Change:
    def change(lr: np.ndarray) -> tuple[np.ndarray, bytes]:
        file = io.BytesIO()
        Image.fromarray(lr.squeeze(-1) if lr.shape[-1] == 1 else lr).save(file, "JPEG", quality=quality)
        return read.decode(file.getvalue(), "LR").pixels, file.getvalue()

    return change


def blurred(sigma: float) -> Change:
    return lambda lr: (_rounded(gaussian_filter(lr.astype(np.float64), (sigma, sigma, 0))), b"")


def enlarged(factor: float) -> Change:
    """The picture was smaller before, and was enlarged with bicubic interpolation."""

    def change(lr: np.ndarray) -> tuple[np.ndarray, bytes]:
        small = imresize_host(lr, scale=1 / factor, kernel="bicubic", antialias=True)
        return imresize_host(small, shape=lr.shape[:2], kernel="bicubic", antialias=True), b""

    return change


CHANGES: dict[str, Change] = {
    "nothing": lambda lr: (lr, b""),
    **{f"JPEG of quality {quality}": compressed(quality) for quality in (95, 90, 80, 70, 60, 50, 40, 30, 20)},
    **{f"noise of {sigma} grey levels": noisy(sigma) for sigma in (2, 5, 8, 10, 12, 15, 25)},
    **{f"blur of {sigma} pixels": blurred(sigma) for sigma in (0.5, 0.7, 0.8, 1.0, 1.5)},
    **{f"enlarged by {factor:g} before": enlarged(factor) for factor in (1.25, 1.5, 2.0, 3.0)},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", default=["Set5", "Set14"])
    parser.add_argument("--data_root", default=os.environ.get("SR_JAX_DATA"))
    parser.add_argument("--clean_only", action="store_true")
    options = parser.parse_args()
    if not options.data_root:
        parser.error("give --data_root, or set SR_JAX_DATA")
    one = trained.load(MODEL, which="latest", parameters="ema")
    images = list(images_of(Path(options.data_root), options.sets))
    if options.clean_only:
        find_false_alarms(images, one)
        return
    model = sr_jax.load(MODEL)
    lines = []
    for name, change in tqdm(CHANGES.items()):
        warned, gains = [], []
        for _, pixels in images:
            hr = pixels[: len(pixels) // SCALE * SCALE, : pixels.shape[1] // SCALE * SCALE]
            lr, file = change(imresize_host(hr, scale=1 / SCALE, kernel="bicubic", antialias=True))
            warned.append(bool(likeness.warning(picture_of(lr), file, one)))
            bicubic = imresize_host(lr, scale=SCALE, kernel="bicubic", antialias=True)
            gains.append(_psnr(model(lr), hr) - _psnr(bicubic, hr))
        lines.append((name, 100 * np.mean(warned), np.mean(gains)))
    print(f"{len(images)} images of {', '.join(options.sets)}, x{SCALE}, {MODEL}\n")
    print(tabulate(lines, ["change of LR", "warnings [%]", "gain over bicubic [dB]"], "github", floatfmt=("", ".0f", "+.2f")))


def find_false_alarms(images: list[tuple[str, np.ndarray]], one: trained.Trained) -> None:
    lines = []
    for scale in (2, 3, 4):
        noises, details, warned = [], [], []
        for name, hr in tqdm(images):
            lr = picture_of(imresize_host(hr, scale=1 / scale, kernel="bicubic", antialias=True))
            warned += [name] if likeness.warning(lr, b"", one) else []
            if (part := traits.middle(lr.pixels)) is not None:
                noises.append(traits.noise(part))
                details.append(traits.detail(part))
        known = [detail for detail in details if detail is not None]
        lines.append((scale, len(images), len(noises), max(noises), min(known), len(warned), ", ".join(warned)))
    heads = ["scale", "images", "measured", "most noise", "least detail", "warnings", ""]
    print(f"Limits: noise {likeness.MOST_NOISE}, detail {likeness.LEAST_DETAIL}\n")
    print(tabulate(lines, heads, "github", floatfmt=("", "", "", ".2f", ".4f", "", "")))


def images_of(root: Path, sets: list[str]) -> Iterator[tuple[str, np.ndarray]]:
    for name in sets:
        files = [file for file in sorted((root / name).rglob("*")) if file.suffix in (".png", ".jpg", ".bmp")]
        for file in files:
            if "LRbic" not in str(file):
                yield file.name, read.decode(file, file.name).pixels


def picture_of(pixels: np.ndarray) -> Picture:
    return Picture(pixels, None, GRAY if pixels.shape[-1] == 1 else RGB, Metadata(), "png")


def _psnr(sr: np.ndarray, hr: np.ndarray) -> float:
    return metrics.psnr(*(metrics.shave(metrics.luma(image), SCALE) for image in (sr, hr)))


def _rounded(values: np.ndarray) -> np.ndarray:
    return np.clip(values, 0, 255).round().astype(np.uint8)


if __name__ == "__main__":
    main()
