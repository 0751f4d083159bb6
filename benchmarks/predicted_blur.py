"""Is the kernel that DeconvSR predicts the blur? Compares its width with that of the blur that made the LR image.

    python benchmarks/predicted_blur.py --model runs/a runs/b --images DIR/BSDS200

The networks are work directories or weights files. LR is made by a Gaussian blur of each sigma, subsampling and Gaussian noise
(up to 1 %), and the networks read the middle of it. The width of a kernel is the root of its mean variance along both axes. The
width of a Gaussian is its sigma.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from tabulate import tabulate

from sr_jax.assembly.degradation import Degradation
from sr_jax.assembly.evaluation_sets import EvaluationSet, make_tasks
from sr_jax.config import GaussianBlur, GaussianNoise, Subsample
from sr_jax.data import sources
from sr_jax.data.images import Image
from sr_jax.errors import InputError, exit_status, option
from sr_jax.evaluation.protocol import PROTOCOLS
from sr_jax.ops import network_input
from sr_jax.runs.kernels import is_blur, load
from sr_jax.system.places import cache_folder

SIGMAS = (0.6, 0.9, 1.2, 1.5, 1.8, 2.1, 2.4)
SIDE = 128
"""Height and width of the part of the LR image that the networks read [pixels]."""


def width(kernels: np.ndarray) -> np.ndarray:
    """Returns the width of each kernel [HR pixels]. The taps of a kernel sum to one."""
    positions = np.arange(kernels.shape[1])
    variances = []
    for axis in (1, 2):
        profile = kernels.astype(np.float64).sum(axis)
        centre = profile @ positions
        variances.append((profile * (positions - centre[:, None]) ** 2).sum(1))
    return np.sqrt(np.mean(variances, 0))


def main() -> int:
    parser = argparse.ArgumentParser(description="Compares the width of predicted kernels with that of the blur.")
    parser.add_argument("--model", nargs="+", required=True, help="networks with a predicted kernel (DeconvSR)")
    parser.add_argument("--images", required=True, help="folder of HR images")
    arguments = parser.parse_args()
    return exit_status(lambda: compare(arguments.model, arguments.images))


def compare(names: list[str], folder: str) -> None:
    """Prints the table.

    Raises:
      InputError: if a network predicts no blur, the networks differ in scale, or no image is large enough.
    """
    modules = [load_predictor(name) for name in names]
    predictors = [jax.jit(lambda lr, module=module: module.predict(lr)[0]) for module in modules]
    scale = modules[0].scale
    if any(module.scale != scale for module in modules):
        scales = ", ".join(f"{name}: x{module.scale}" for name, module in zip(names, modules, strict=True))
        raise InputError(f"--model: the networks have different scales ({scales}); give networks of one scale")
    images = [image for image in open_images(folder, scale) if min(image.pixels.shape[:2]) >= scale * SIDE]
    if not images:
        raise InputError(f"--images {folder}: no image has at least {scale * SIDE}x{scale * SIDE} pixels")
    print(f"{len(images)} images, x{scale}", file=sys.stderr)
    rows = []
    for sigma in SIGMAS:
        stages = (GaussianBlur(size=21, sigma=(sigma, sigma)), Subsample(), GaussianNoise(sigma=(0.0, 2.55)))
        loaded = EvaluationSet("", images, None, {})
        tasks = make_tasks(PROTOCOLS["rgb-uint8"], loaded, Degradation(stages, scale=scale))
        lr = {c: jnp.stack([network_input(crop_middle(task.lr), channels=c) for task in tasks]) for c in (1, 3)}
        widths = [width(np.stack([task.known.kernel for task in tasks]))]
        widths += [
            width(np.asarray(predict(lr[module.about.channels]))) for predict, module in zip(predictors, modules, strict=True)
        ]
        rows.append([sigma, *(f"{w.mean():.2f} ± {w.std():.2f}" for w in widths)])
    headers = ("sigma", "width of the blur", *(Path(name).name for name in names))
    print(tabulate(rows, headers, tablefmt="github", disable_numparse=True))


def load_predictor(name: str) -> Any:
    module = load(name)
    if not is_blur(module):
        raise InputError(f"--model {name}: its kernel is G of mode=literal, not a blur; give one with mode=regularised")
    return module


def open_images(folder: str, scale: int) -> list[Image]:
    with option("--images"):
        images = sources.open_hr(folder, scale=scale, root=Path(folder), cache=cache_folder(None) / "prepared")
    return sources.split_usable(images)[0]


def crop_middle(lr: np.ndarray) -> np.ndarray:
    top, left = (lr.shape[0] - SIDE) // 2, (lr.shape[1] - SIDE) // 2
    return lr[top : top + SIDE, left : left + SIDE]


if __name__ == "__main__":
    sys.exit(main())
