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

import jax
import jax.numpy as jnp
import numpy as np
from tabulate import tabulate

from sr_jax import build, tasks, trained
from sr_jax.config import Config, GaussianBlur, GaussianNoise, Subsample
from sr_jax.data import sources
from sr_jax.data.images import Bad
from sr_jax.evaluation.protocol import PROTOCOLS
from sr_jax.kernels import with_parameters
from sr_jax.ops.color import rgb_to_y, to_float
from sr_jax.places import cache_folder

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


def main() -> None:
    parser = argparse.ArgumentParser(description="The width of predicted kernels beside that of the blur.")
    parser.add_argument("--model", nargs="+", required=True, help="networks with a predicted kernel (DeconvSR)")
    parser.add_argument("--images", required=True, help="folder of HR images")
    arguments = parser.parse_args()
    networks = [trained.load(name, which="latest", parameters="ema") for name in arguments.model]
    modules = [with_parameters(build.make_module(found.config), found.params) for found in networks]
    predictors = [jax.jit(lambda lr, module=module: module.predict(lr)[0]) for module in modules]
    (scale,) = {found.config.scale for found in networks}
    images = [image for image in opened(arguments.images, scale) if min(image.pixels.shape[:2]) >= scale * SIDE]
    print(f"{len(images)} images, x{scale}", file=sys.stderr)
    rows = []
    for sigma in SIGMAS:
        stages = (GaussianBlur(size=21, sigma=(sigma, sigma)), Subsample(), GaussianNoise(sigma=(0.0, 2.55)))
        by = Config(scale=scale, data=dataclasses.replace(Config().data, degradation=stages))
        made = list(tasks.make(PROTOCOLS["rgb-uint8"], images, set="", scale=scale, degraded_by=by))
        lr = jnp.stack([rgb_to_y(to_float(middle(task.lr))) for task in made])
        widths = [width(np.stack([task.known.kernel for task in made]))]
        widths += [width(np.asarray(predict(lr))) for predict in predictors]
        rows.append([sigma, *(f"{w.mean():.2f} ± {w.std():.2f}" for w in widths)])
    print(
        tabulate(
            rows,
            ("sigma", "width of the blur", *(Path(name).name for name in arguments.model)),
            tablefmt="github",
            disable_numparse=True,
        )
    )


def opened(folder: str, scale: int) -> list:
    where = {"option": "--images", "root_option": "--images"}
    found = sources.open_hr(folder, scale=scale, root=Path(folder), cache=cache_folder(None) / "prepared", **where)
    return [image for image in found if not isinstance(image, Bad)]


def middle(lr: np.ndarray) -> np.ndarray:
    top, left = (lr.shape[0] - SIDE) // 2, (lr.shape[1] - SIDE) // 2
    return lr[top : top + SIDE, left : left + SIDE]


if __name__ == "__main__":
    main()
