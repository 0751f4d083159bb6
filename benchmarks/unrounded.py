"""What does rounding Y to 8 bits cost? Some authors score without it.

    python benchmarks/unrounded.py --model vdsr_x2.safetensors --data_root DIR

Prints the mean Y-PSNR on Set5 of a network that reads Y, first by the protocol `papers`, which rounds Y of HR and of SR, and
then without rounding.
"""

import argparse
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from sr_jax import metrics
from sr_jax.assembly import trained
from sr_jax.data import sources
from sr_jax.data.pack import crop_to_multiple
from sr_jax.errors import InputError, exit_status, option
from sr_jax.ops import imresize_host, rgb_to_ycbcr, to_float
from sr_jax.system.places import cache_folder


def main() -> int:
    parser = argparse.ArgumentParser(description="Scores a network with and without rounding.")
    parser.add_argument("--model", required=True, help="work directory or weights file")
    parser.add_argument("--data_root", type=Path, required=True, help="folder that holds Set5")
    arguments = parser.parse_args()
    return exit_status(lambda: score(arguments.model, arguments.data_root))


def score(model: str, data_root: Path) -> None:
    """Prints both scores.

    Raises:
      InputError: if there is no such network or no Set5, or if the network reads RGB or must be told the blur.
    """
    if not Path(model).expanduser().exists():
        raise InputError(f"--model {model}: no such work directory or weights file")
    config, network, *_ = trained.load(model, which="latest", parameters="ema")
    if network.about.channels != 1:
        raise InputError(f"--model {model}: {network.about.name} reads RGB, which is 8-bit; give a network that reads Y")
    if network.about.is_told:
        raise InputError(f"--model {model}: {network.about.name} must be told the blur; give a network that needs only LR")
    scale, upscale = config.scale, jax.jit(network.apply)
    with option("--data_root"):
        image_set = sources.open_hr("Set5", scale=scale, root=data_root, cache=cache_folder(None) / "prepared")
        images, reasons = sources.split_usable(image_set)
        sources.handle_bad_images(reasons, "refuse")
    for title, is_rounded in (("papers", True), ("nothing rounded", False)):
        scores = []
        for image in images:
            hr = 255 * rgb_to_ycbcr(to_float(crop_to_multiple(image.pixels, scale)))[..., :1]
            hr = np.round(hr) if is_rounded else hr
            lr = imresize_host(hr, scale=1 / scale, kernel="bicubic", antialias=True) / 255
            sr = upscale(network.params, jnp.asarray(lr[None], jnp.float32))[0]
            sr = 255 * np.clip(np.asarray(sr, np.float64), 0, 1)
            sr = np.round(sr) if is_rounded else sr
            scores.append(metrics.psnr(metrics.shave(sr, scale), metrics.shave(hr, scale)))
        print(f"{title:16s} {np.mean(scores):.2f} dB")


if __name__ == "__main__":
    sys.exit(main())
