"""How much memory does an enlargement take, by the size of the picture?

    python -m benchmarks.upscale_memory --model weights/fsrcnn_x2.safetensors
    python -m benchmarks.upscale_memory --sides 1000 2000 4000 8000 --memory 2GiB --plot memory.png

For each size, one process enlarges a square PNG of that side, and prints the greatest memory that it had resident. With
`--memory`, pictures that do not fit are enlarged in strips. The pictures are random but smooth, as photographs are, and are
made and removed here. Each process first compiles its programs, or finds them in the cache.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
from tabulate import tabulate

from sr_jax.pictures import strips
from sr_jax.pictures.picture import Metadata, Picture

STRIP = 100
"""Rows of the input that are made at once."""
KIB, MIB, MEGA = 2**10, 2**20, 1e6


class Measured(NamedTuple):
    """An enlargement of one size."""

    side: int
    samples: int
    """Bytes of the samples of the result."""
    peak: int
    """Bytes of the greatest resident memory of its process."""
    seconds: float
    in_strips: bool


def make_input(path: Path, side: int) -> None:
    """Writes a smooth random picture, which is never held as a whole."""
    rng = np.random.default_rng(side)
    waves = [rng.uniform(0.5, 3, 2) / 40 for _ in range(3)]
    across = np.arange(side)[None, :]

    def bands() -> Iterator[Picture]:
        for start in range(0, side, STRIP):
            down = np.arange(start, min(side, start + STRIP))[:, None]
            values = [127 + 60 * np.sin(across * x + down * y) + rng.normal(0, 2, (len(down), side)) for x, y in waves]
            yield Picture(np.stack(values, -1).clip(0, 255).astype(np.uint8), None, "rgb", Metadata(), "png")

    with path.open("wb") as file:
        strips.write(file, bands(), "png", size=(side, side), metadata=Metadata())


def measure(side: int, *, model: str, memory: str, folder: Path) -> Measured:
    """Enlarges a picture in a process of its own."""
    source, out = folder / f"{side}.png", folder / f"out{side}"
    make_input(source, side)
    options = ["--model", model, "--out", str(out), "--json", "--memory", memory]
    began = time.monotonic()
    with (folder / "lines").open("w+") as lines, (folder / "errors").open("w+") as errors:
        process = subprocess.Popen([sys.executable, "-m", "sr_jax.upscale", str(source), *options], stdout=lines, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - began
        lines.seek(0)
        errors.seek(0)
        if process.returncode:
            sys.exit(f"{side}x{side}: {lines.read()}{errors.read()}".strip())
        line = json.loads(lines.readline())
    for file in (source, out / line["output"]):
        file.unlink()
    unit = 1 if sys.platform == "darwin" else KIB
    samples = 3 * line["width"] * line["height"]
    return Measured(side, samples, unit * usage.ru_maxrss, seconds, line.get("in_strips", False))


def table(rows: list[Measured]) -> str:
    """Returns the table that is printed."""
    cells = [
        [
            f"{row.side}x{row.side}",
            f"{row.side**2 / MEGA:.1f}",
            f"{row.samples / MIB:,.0f}",
            f"{row.peak / MIB:,.0f}",
            "yes" if row.in_strips else "no",
            f"{row.seconds:.1f}",
        ]
        for row in rows
    ]
    heads = ["picture", "megapixels", "result [MiB]", "peak memory [MiB]", "in strips", "time [s]"]
    return tabulate(cells, heads, tablefmt="github", disable_numparse=True, colalign=["right"] * len(heads))


def draw(rows: list[Measured], path: Path, *, memory: str) -> None:
    """Draws the peak memory against the size of the picture."""
    from matplotlib.figure import Figure

    with mpl.rc_context({"font.size": 11}):
        figure = Figure(figsize=(7, 4.2), layout="constrained")
        axes: Any = figure.subplots()
        megapixels = [row.side**2 / MEGA for row in rows]
        axes.plot(megapixels, [row.peak / MIB for row in rows], color="0.6", zorder=1)
        for in_strips, marker, label in ((False, "o", "as a whole"), (True, "s", "in strips")):
            points = [(x, row.peak / MIB) for x, row in zip(megapixels, rows, strict=True) if row.in_strips == in_strips]
            if points:
                axes.scatter(*zip(*points, strict=True), marker=marker, label=label, zorder=2)
        axes.plot(megapixels, [row.samples / MIB for row in rows], linestyle=":", color="black", label="samples of the result")
        axes.set(xlabel="size of the picture [megapixels]", ylabel="peak memory [MiB]", title=f"--memory {memory}")
        axes.set_ylim(bottom=0)
        axes.legend()
        figure.savefig(path, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="weights/fsrcnn_x2.safetensors")
    parser.add_argument("--sides", type=int, nargs="+", default=[500, 1000, 1500, 2000, 3000, 4500, 6000])
    parser.add_argument("--memory", default="800MiB")
    parser.add_argument("--plot", type=Path, default=Path("upscale_memory.png"))
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for side in sorted(arguments.sides):
            rows.append(measure(side, model=arguments.model, memory=arguments.memory, folder=Path(folder)))
            print(f"{side}x{side}: {rows[-1].peak / MIB:,.0f} MiB", file=sys.stderr, flush=True)
    print(table(rows))
    draw(rows, arguments.plot, memory=arguments.memory)


if __name__ == "__main__":
    main()
