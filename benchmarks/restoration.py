"""Does `restore` make every photograph better, without any setting?

    python benchmarks/restoration.py --data_root DIR

The script blurs the luma of the Set14 photographs (their middle 224x224 pixels), keeps the valid region, adds white noise,
rounds to 8 bits and restores with `restore`. It prints the mean PSNR of the whole image, border included, before and after, the
least gain of a photograph, and the mean PSNR where the noise is given. The last column is `wiener` with one number,
1e-3, for all. No setting was chosen on these images. It takes a minute on two CPU cores.
"""

import argparse

import jax.numpy as jnp
import numpy as np
import problems
from tabulate import tabulate

from sr_jax.ops import blur_kernels, restore, to_uint8, wiener

NOISE = (0.0, 0.005, 0.01, 0.02, 0.05)  # standard deviations, as a share of the full range
KERNELS = {
    "Gaussian 0.6": blur_kernels.gaussian(5, 0.6),
    "Gaussian 1.6": blur_kernels.gaussian(11, 1.6),
    "motion, 11 pixels": blur_kernels.motion(15, 11.0, angle=30.0),
    "disk, radius 4": blur_kernels.disk(9, 4.0),
    "shake": problems.shake(21, seed=1),
}


def psnrs(images: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """The PSNR [dB] of each image."""
    return -10 * np.log10(np.mean((np.clip(images, 0, 1) - truth) ** 2, (1, 2, 3)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    problems.add_data_option(parser)
    options = parser.parse_args()
    photographs = problems.load(options.data_root)
    lines = []
    for name, k in KERNELS.items():
        for noise in NOISE:
            y, truth = problems.observe(photographs, k, noise=noise)
            stored = to_uint8(y)
            before = psnrs(stored / 255, truth)
            after = psnrs(np.asarray(restore(stored, k)) / 255, truth)
            told = psnrs(np.asarray(restore(stored, k, noise=noise)) / 255, truth)
            flat = psnrs(np.asarray(wiener(jnp.asarray(stored / 255, jnp.float32), k, nsr=1e-3)), truth)
            numbers = (before.mean(), after.mean(), told.mean(), flat.mean())
            gains = f"{np.min(after - before):+.2f}"
            lines.append(
                (name, f"{100 * noise:g} %", *(f"{v:.2f}" for v in numbers[:2]), gains, *(f"{v:.2f}" for v in numbers[2:]))
            )
    heads = ["kernel", "noise", "blurred", "restore", "least gain", "restore, noise given", "wiener, nsr=1e-3"]
    print(f"{len(photographs)} images of {problems.SIDE}x{problems.SIDE}; mean PSNR [dB]\n")
    print(tabulate(lines, heads, "github", disable_numparse=True, colalign=("left", *["right"] * 6)))


if __name__ == "__main__":
    main()
