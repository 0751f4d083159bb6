"""Enlarges a low picture and a high one of the same width, and prints the bytes by which the second raised the peak of memory.

python -m tests.assembly.strips_memory FOLDER strips|whole
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sr_jax.assembly import strips
from sr_jax.assembly.upscaler import Upscaler, Way
from sr_jax.pictures import read, write
from sr_jax.pictures import strips as files
from sr_jax.pictures.picture import Metadata, Picture
from tests.assembly.test_strips import common, fake, job_of, slanted

WIDTH, LOW, HIGH = 1000, 1000, 7000


def peak() -> int:
    """Bytes of the greatest resident memory of this process so far."""
    match = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert match
    return 1024 * int(match[1])


def ramps(height: int) -> Iterator[Picture]:
    """A picture in strips."""
    across = np.arange(WIDTH)[None, :, None] * np.array([1, 2, 3])
    for start in range(0, height, 100):
        rows = np.arange(start, start + 100)[:, None, None]
        yield Picture(((across + rows) // 8 % 256).astype(np.uint8), None, "rgb", Metadata(), "png")


def main(folder: Path, kind: str) -> None:
    upscaler = Upscaler(fake(slanted), memory=None)
    peaks = []
    for height in (LOW, HIGH):
        source, target = folder / f"{height}.png", folder / f"{height}_{kind}.png"
        with source.open("wb") as file:
            files.write(file, ramps(height), "png", size=(height, WIDTH), metadata=Metadata())
        job = job_of(source, "a.png", to="png")
        way = Way("uint8", job.size)
        upscaler.prepare([job.header], [way])
        if kind == "strips":
            strips.enlarge(job, source, way, target, common(upscaler), sha256="")
        else:
            target.write_bytes(write.encode(upscaler(read.decode(source, "a"), way), "png", quality=None))
        peaks.append(peak())
    print(peaks[1] - peaks[0])


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
