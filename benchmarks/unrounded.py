"""What does rounding Y to 8 bits cost? Some authors score without it.

    python benchmarks/unrounded.py --model vdsr_x2.safetensors --data DIR

The mean Y-PSNR on Set5 of a network that reads Y: by the protocol `papers`, which rounds Y of HR and of SR, and unrounded.
"""

import argparse
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from sr_jax import metrics
from sr_jax.build import trained
from sr_jax.data import sources
from sr_jax.data.pack import crop_to_multiple
from sr_jax.errors import InputError, exit_status
from sr_jax.ops.color import rgb_to_ycbcr, to_float
from sr_jax.ops.resize import imresize_host
from sr_jax.system.places import cache_folder


def main() -> int:
    parser = argparse.ArgumentParser(description="Scores a network with and without rounding.")
    parser.add_argument("--model", required=True, help="work directory or weights file")
    parser.add_argument("--data", type=Path, required=True, help="folder with Set5")
    arguments = parser.parse_args()
    return exit_status(lambda: score(arguments.model, arguments.data))


def score(model: str, data: Path) -> None:
    """Prints both scores.

    Raises:
      InputError: if there is no such network, or one that reads RGB or is told the blur, or no Set5.
    """
    if not Path(model).expanduser().exists():
        raise InputError(f"--model {model}: no such work directory or weights file")
    network = trained.load(model, which="latest", parameters="ema")
    about = network.network.about
    if about.channels != 1:
        raise InputError(f"--model {model}: {about.name} reads RGB, which is 8-bit; give a network that reads Y")
    if about.is_told:
        raise InputError(f"--model {model}: {about.name} must be told the blur; give a network that reads LR alone")
    scale, apply = network.config.scale, jax.jit(network.network.apply)
    cache = cache_folder(None) / "prepared"
    images = sources.open_hr("Set5", scale=scale, root=data, cache=cache)
    readable, reasons = sources.split_usable(images)
    sources.handle_bad_images(reasons, "refuse")
    for name, rounded in (("papers", True), ("nothing rounded", False)):
        scores = []
        for image in readable:
            hr = 255 * rgb_to_ycbcr(to_float(crop_to_multiple(image.pixels, scale)))[..., :1]
            hr = np.round(hr) if rounded else hr
            lr = imresize_host(hr, scale=1 / scale, kernel="bicubic", antialias=True) / 255
            sr = 255 * np.clip(np.asarray(apply(network.params, jnp.asarray(lr[None], jnp.float32))[0], np.float64), 0, 1)
            sr = np.round(sr) if rounded else sr
            scores.append(metrics.psnr(metrics.shave(sr, scale), metrics.shave(hr, scale)))
        print(f"{name:16s} {np.mean(scores):.2f} dB")


if __name__ == "__main__":
    sys.exit(main())
