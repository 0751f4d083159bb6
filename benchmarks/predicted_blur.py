"""Is the kernel that DeconvSR predicts the blur? Its width, beside that of the blur which made the LR image.

    python benchmarks/predicted_blur.py --model runs/a runs/b --images DIR/BSDS200

Networks are work directories or weights files. Of each image the middle is read, after a Gaussian blur of the given sigma,
subsampling and Gaussian noise (to 1 %). The width of a kernel is the root of its mean variance along both axes; that of a
Gaussian is its sigma.
"""

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from tabulate import tabulate

from sr_jax.build import evaluation_sets as tasks
from sr_jax.config import Config, GaussianBlur, GaussianNoise, Subsample
from sr_jax.data import sources
from sr_jax.errors import InputError, exit_status, option
from sr_jax.evaluation.protocol import PROTOCOLS
from sr_jax.ops.color import network_input
from sr_jax.runs.kernels import is_blur, load
from sr_jax.system.places import cache_folder

SIGMAS = (0.6, 0.9, 1.2, 1.5, 1.8, 2.1, 2.4)
SIDE = 128
"""Of the LR image that is read [pixels]."""


def width(kernels: np.ndarray) -> np.ndarray:
    """Of each kernel, [HR pixels]; their taps sum to one."""
    positions = np.arange(kernels.shape[1])
    variances = []
    for axis in (1, 2):
        along = kernels.astype(np.float64).sum(axis)
        middle = along @ positions
        variances.append((along * (positions - middle[:, None]) ** 2).sum(1))
    return np.sqrt(np.mean(variances, 0))


def main() -> int:
    parser = argparse.ArgumentParser(description="The width of predicted kernels beside that of the blur.")
    parser.add_argument("--model", nargs="+", required=True, help="networks with a predicted kernel (DeconvSR)")
    parser.add_argument("--images", required=True, help="folder of HR images")
    arguments = parser.parse_args()
    return exit_status(lambda: compare(arguments.model, arguments.images))


def compare(names: list[str], folder: str) -> None:
    """Prints the table.

    Raises:
      InputError: if a network predicts no blur, they differ in scale, or there is no image that is large enough.
    """
    modules = [blur_predictor(name) for name in names]
    predictors = [jax.jit(lambda lr, module=module: module.predict(lr)[0]) for module in modules]
    scale = modules[0].scale
    if any(module.scale != scale for module in modules):
        scales = ", ".join(f"{name}: x{module.scale}" for name, module in zip(names, modules, strict=True))
        raise InputError(f"--model: the networks are of different scales ({scales}); give those of one scale")
    images = [image for image in opened(folder, scale) if min(image.pixels.shape[:2]) >= scale * SIDE]
    if not images:
        raise InputError(f"--images {folder}: holds no image of at least {scale * SIDE}x{scale * SIDE} pixels")
    print(f"{len(images)} images, x{scale}", file=sys.stderr)
    rows = []
    for sigma in SIGMAS:
        stages = (GaussianBlur(size=21, sigma=(sigma, sigma)), Subsample(), GaussianNoise(sigma=(0.0, 2.55)))
        by = Config(scale=scale, data=dataclasses.replace(Config().data, degradation=stages))
        made = list(tasks.make(PROTOCOLS["rgb-uint8"], images, set="", scale=scale, degraded_by=by))
        lr = {c: jnp.stack([network_input(middle(task.lr), channels=c) for task in made]) for c in (1, 3)}
        widths = [width(np.stack([task.known.kernel for task in made]))]
        widths += [width(np.asarray(predict(lr[m.channels]))) for predict, m in zip(predictors, modules, strict=True)]
        rows.append([sigma, *(f"{w.mean():.2f} ± {w.std():.2f}" for w in widths)])
    print(
        tabulate(
            rows,
            ("sigma", "width of the blur", *(Path(name).name for name in names)),
            tablefmt="github",
            disable_numparse=True,
        )
    )


def blur_predictor(name: str) -> Any:
    module = load(name)
    if not is_blur(module):
        raise InputError(f"--model {name}: its kernel is G of mode=literal, not a blur; give one with mode=regularised")
    return module


def opened(folder: str, scale: int) -> list:
    with option("--images"):
        images = sources.open_hr(folder, scale=scale, root=Path(folder), cache=cache_folder(None) / "prepared")
    return sources.split_usable(images)[0]


def middle(lr: np.ndarray) -> np.ndarray:
    top, left = (lr.shape[0] - SIDE) // 2, (lr.shape[1] - SIDE) // 2
    return lr[top : top + SIDE, left : left + SIDE]


if __name__ == "__main__":
    sys.exit(main())
