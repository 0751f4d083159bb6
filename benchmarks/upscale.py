"""How many megapixels a second does `python -m sr_jax.upscale` make of a folder, beside a plain PyTorch script?

    pip install -e .[torch]
    python -m benchmarks.upscale --images FOLDER
    python -m benchmarks.upscale --images FOLDER --format jpeg

Each way runs in its own process and makes the same pictures x2 with FSRCNN: from files to files, with the start of Python. All
take turns in each round. The PyTorch script is what people write: Pillow decodes, the network gets the whole Y, chroma is
enlarged with Pillow's bicubic interpolation, Pillow encodes with its defaults. `Lanczos` is Pillow's interpolation instead of a
network. Programs are compiled in a round before the first that counts. The table has medians of seconds, of megapixels of
results a second, and of ratios within a round. Then the time of each stage of our command is measured, one after another in
one process.

`--start` measures instead how long one small picture takes: cold, with an empty cache of programs, and warm.
"""

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tabulate import tabulate

MODEL, SCALE = "fsrcnn-x2", 2
WAYS = ("sr_jax", "PyTorch", "Lanczos")


def upscale_with_torch(inputs: list[Path], weights: Path, out: Path, suffix: str) -> None:
    """A plain script: whole pictures, one after another."""
    import torch  # pyright: ignore[reportMissingImports]
    from torch import nn  # pyright: ignore[reportMissingImports]

    mapping = [layer for _ in range(4) for layer in (nn.Conv2d(12, 12, 3, padding=1), nn.PReLU(12))]
    middle = [nn.Conv2d(56, 12, 1), nn.PReLU(12), *mapping, nn.Conv2d(12, 56, 1), nn.PReLU(56)]
    network = nn.Sequential()
    network.add_module("first_part", nn.Sequential(nn.Conv2d(1, 56, 5, padding=2), nn.PReLU(56)))
    network.add_module("mid_part", nn.Sequential(*middle))
    network.add_module("last_part", nn.ConvTranspose2d(56, 1, 9, SCALE, padding=4, output_padding=1))
    with np.load(weights) as arrays:
        network.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
    with torch.inference_mode():
        for path in inputs:
            image = Image.open(path).convert("YCbCr")
            size = (SCALE * image.width, SCALE * image.height)
            y, *chroma = image.split()
            tensor = torch.from_numpy(np.asarray(y, np.float32) / 255)[None, None]
            sr = (network(tensor).clamp(0, 1) * 255).round().byte()[0, 0].numpy()
            larger = [plane.resize(size, Image.Resampling.BICUBIC) for plane in chroma]
            Image.merge("YCbCr", [Image.fromarray(sr), *larger]).convert("RGB").save(out / f"{path.stem}{suffix}")


def upscale_with_lanczos(inputs: list[Path], out: Path, suffix: str) -> None:
    for path in inputs:
        image = Image.open(path).convert("RGB")
        size = (SCALE * image.width, SCALE * image.height)
        image.resize(size, Image.Resampling.LANCZOS).save(out / f"{path.stem}{suffix}")


def command_of(way: str, options: argparse.Namespace, inputs: Path, out: Path, cache: Path) -> list[str]:
    """Returns the command of a way."""
    if way == "sr_jax":
        words = ["-m", "sr_jax.upscale", str(inputs), "--model", MODEL, "--out", str(out), "--cache_dir", str(cache)]
        return [sys.executable, *words, "--format", options.format]
    words = ["-m", "benchmarks.upscale", "--images", str(inputs), "--format", options.format]
    return [sys.executable, *words, "--way", way, "--out", str(out), "--weights", str(options.weights)]


def seconds_of(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    return time.perf_counter() - began


def compare(options: argparse.Namespace, folder: Path) -> None:
    """Prints the table of all ways, and their greatest difference from the PyTorch script."""
    inputs = options.images
    sizes = [Image.open(path).size for path in pictures_of(inputs)]
    megapixels = sum(SCALE**2 * width * height for width, height in sizes) / 1e6
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    for number in range(1 + options.rounds):
        for way in WAYS:
            out = folder / way.lower()
            shutil.rmtree(out, ignore_errors=True)
            out.mkdir()
            taken = seconds_of(command_of(way, options, inputs, out, folder / "cache"))
            if number:
                seconds[way].append(taken)
    lines = []
    for way, values in seconds.items():
        ratio = statistics.median(theirs / ours for theirs, ours in zip(seconds["PyTorch"], values, strict=True))
        lines.append((way, statistics.median(values), megapixels / statistics.median(values), ratio))
    print(f"{len(sizes)} pictures, {megapixels:.1f} megapixels of results in {options.format}, {options.rounds} rounds\n")
    print(tabulate(lines, ["", "seconds", "megapixels/s", "times PyTorch"], "github", floatfmt=".2f"), flush=True)
    ours = {path.name.split("_fsrcnn")[0]: path for path in (folder / "sr_jax").glob("*.*")}
    theirs = {path.stem: path for path in (folder / "pytorch").glob("*.*")}
    pairs = [(np.asarray(Image.open(ours[name]), int), np.asarray(Image.open(theirs[name]), int)) for name in theirs]
    print(f"\nmean difference of the results of PyTorch: {np.mean([np.abs(a - b).mean() for a, b in pairs]):.2f} grey levels")


def time_stages(options: argparse.Namespace) -> None:
    """Prints how long our command decodes, computes and encodes."""
    import sr_jax
    from sr_jax.assembly import trained
    from sr_jax.assembly.upscaler import Upscaler, Way
    from sr_jax.pictures import read, write

    upscaler = Upscaler(trained.load(MODEL, which="latest", parameters="ema"), memory=None)
    seconds = dict.fromkeys(("decode", "compute", "encode"), 0.0)
    for counts in (False, True):  # the first round compiles
        for path in pictures_of(options.images):
            times = [time.perf_counter()]
            picture = read.decode(path, path.name)
            times.append(time.perf_counter())
            height, width = picture.pixels.shape[:2]
            enlarged = upscaler(picture, Way("uint8", (SCALE * height, SCALE * width)))
            times.append(time.perf_counter())
            write.encode(enlarged, options.format, quality=None)
            times.append(time.perf_counter())
            for name, begin, end in zip(seconds, times, times[1:], strict=False):
                seconds[name] += counts * (end - begin)
    total = sum(seconds.values())
    lines = [(name, value, f"{value / total:.0%}") for name, value in seconds.items()]
    print(f"\nStages of sr_jax {sr_jax.__version__}, one after another:\n")
    print(tabulate(lines, ["", "seconds", "share"], "github", floatfmt=".2f"))


def time_start(options: argparse.Namespace, folder: Path) -> None:
    """Prints how long one small picture takes, cold and warm."""
    picture = pictures_of(options.images)[0]
    seconds: dict[str, list[float]] = {"cold": [], "warm": []}
    for number in range(options.rounds):
        cache = folder / f"cache-{number}"
        for name, values in seconds.items():
            out = folder / f"{name}-{number}"
            values.append(seconds_of(command_of("sr_jax", options, picture, out, cache)))
    lines = [(name, statistics.median(values), max(values)) for name, values in seconds.items()]
    print(f"{picture.name}, {Image.open(picture).size}, {options.rounds} rounds\n")
    print(tabulate(lines, ["", "median [s]", "longest [s]"], "github", floatfmt=".2f"))


def pictures_of(place: Path) -> list[Path]:
    return sorted(path for path in place.iterdir() if path.suffix == ".png") if place.is_dir() else [place]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True, help="a folder of PNG pictures, or one")
    parser.add_argument("--format", default="png", choices=["png", "jpeg"], help="of the results")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--start", action="store_true", help="measure one picture, cold and warm")
    hidden: dict[str, Any] = {"help": argparse.SUPPRESS}
    parser.add_argument("--way", choices=WAYS, **hidden)
    parser.add_argument("--out", type=Path, **hidden)
    parser.add_argument("--weights", type=Path, **hidden)
    options = parser.parse_args()
    suffix = ".jpg" if options.format == "jpeg" else ".png"
    if options.way == "PyTorch":
        upscale_with_torch(pictures_of(options.images), options.weights, options.out, suffix)
    elif options.way:
        upscale_with_lanczos(pictures_of(options.images), options.out, suffix)
    else:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            if options.start:
                time_start(options, folder)
                return
            options.weights = folder / "fsrcnn.npz"
            convert = ["-m", "sr_jax.convert", MODEL, "--to", "torch", "--out", str(options.weights)]
            subprocess.run([sys.executable, *convert], check=True, stdout=subprocess.DEVNULL)
            compare(options, folder)
        time_stages(options)


if __name__ == "__main__":
    main()
