"""Which of scikit-image's images are good training images? `PHOTOGRAPHS` in sr_jax/data/sources/catalog.py is the answer.

    python benchmarks/photographs.py --steps 2000 --seeds 2

The script trains configs/x2.py on five photographs of scenes, and on these with one more group of images at a time. It prints
the mean gain in Y-PSNR over bicubic on the three held-out photographs. It takes about 15 minutes on two CPU cores.
"""

import argparse
import contextlib
import dataclasses
import io
import os
import shutil
import statistics
import tempfile
from pathlib import Path

import platformdirs
import skimage
from tabulate import tabulate
from tqdm import tqdm

from sr_jax import config as configs
from sr_jax.runs.train import train

FOLDER = Path(skimage.__file__).parent / "data"
SCENES = ("camera.png", "coins.png", "motorcycle_left.png", "motorcycle_right.png", "rocket.jpg")
CANDIDATES = {
    "(nothing)": (),
    "brick, grass, gravel: close-ups": ("brick.png", "grass.png", "gravel.png"),
    "moon: smooth, low contrast": ("moon.png",),
    "hubble_deep_field: stars, JPEG": ("hubble_deep_field.jpg",),
    "retina: medical, smooth, JPEG": ("retina.jpg",),
    "ihc, cell: microscope": ("ihc.png", "cell.png"),
    "page, text: scans of writing": ("page.png", "text.png"),
}


def gain(files: tuple[str, ...], *, steps: int, seed: int) -> float:
    """Trains a network on these files, and returns its mean gain over bicubic [dB]."""
    with tempfile.TemporaryDirectory() as scratch:
        images = Path(scratch) / "images"
        images.mkdir()
        for name in files:
            shutil.copy2(FOLDER / name, images)
        base = configs.load(Path(__file__).parent.parent / "configs/x2.py")
        config = dataclasses.replace(
            base,
            steps=steps,
            seed=seed,
            data=dataclasses.replace(base.data, name="folder", dir=(str(images),)),
            eval=dataclasses.replace(base.eval, every=steps),
        )
        with contextlib.redirect_stdout(io.StringIO()):
            rows = train(config, Path(scratch) / "run", cache=Path(scratch))
    means = {row.method: row.psnr_y for row in rows if row.image == "mean"}
    return means.pop("fsrcnn") - means.pop("bicubic")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=2)
    options = parser.parse_args()
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(platformdirs.user_cache_path("sr_jax") / "compiled"))
    runs = [(name, seed) for seed in range(options.seeds) for name in CANDIDATES]
    gains: dict[str, list[float]] = {name: [] for name in CANDIDATES}
    for name, seed in tqdm(runs):
        gains[name].append(gain(SCENES + CANDIDATES[name], steps=options.steps, seed=seed))
    base = gains["(nothing)"]
    lines = [
        (name, statistics.mean(values), statistics.mean(v - b for v, b in zip(values, base, strict=True)))
        for name, values in gains.items()
    ]
    seeds = ", ".join(map(str, range(options.seeds)))
    print(f"Gain over bicubic [dB], x2, {options.steps} steps, mean of seeds {seeds}\n")
    print(tabulate(lines, ["added to the five scenes", "gain", "against nothing"], "github", floatfmt=("", ".2f", "+.2f")))


if __name__ == "__main__":
    main()
