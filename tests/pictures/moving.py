"""Makes files of several frames or pages, mostly with Pillow, whose own way of putting frames together is known."""

import io
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import tifffile
from PIL import Image, ImageSequence

from tests.pictures import corpus
from tests.pictures.corpus import HEIGHT, WIDTH


class Moving(NamedTuple):
    """A file of several frames or pages."""

    name: str
    data: bytes
    frames: list[np.ndarray]
    """What is seen of each: colours, and opacity if there is any."""
    durations: list[Fraction | None]
    """In seconds; None for pages."""
    plays: int | None
    tolerance: float = 0


def scene(i: int, *, clear: bool = False, dtype: str = "uint8", size: tuple[int, int] = (HEIGHT, WIDTH)) -> np.ndarray:
    """A frame with a block that moves over a smooth background, whose corner is transparent with `clear`."""
    pixels = corpus.smooth(3, height=size[0], width=size[1])
    pixels[8:16, 4 + 3 * i : 12 + 3 * i] = (1, 0.5, 0)
    if clear:
        opacity = np.ones((*size, 1))
        opacity[:12, : 8 + 4 * i] = 0
        pixels = np.concatenate([pixels, opacity], -1)
    return corpus.of_type(pixels, dtype)


def save(frames: list[np.ndarray], kind: str, durations: list[int] | int, **options: Any) -> bytes:
    images = [Image.fromarray(frame) for frame in frames]
    file = io.BytesIO()
    images[0].save(file, kind, save_all=True, append_images=images[1:], duration=durations, **options)
    return file.getvalue()


def seen_by_pillow(data: bytes) -> list[np.ndarray]:
    with Image.open(io.BytesIO(data)) as image:
        frames = [np.asarray(frame.convert("RGBA")) for frame in ImageSequence.Iterator(image)]
    is_opaque = all((frame[..., 3] == 255).all() for frame in frames)
    return [frame[..., : 3 if is_opaque else 4] for frame in frames]


def seconds(*milliseconds: float) -> list[Fraction | None]:
    return [Fraction(value) / 1000 for value in milliseconds]


def _of_pillow(name: str, data: bytes, durations: list[Fraction | None], plays: int) -> Moving:
    return Moving(name, data, seen_by_pillow(data), durations, plays)


def pages() -> Moving:
    """A TIFF whose pages differ in size, depth and channels, with a thumbnail of the first one, and tags of their own."""
    rgb, gray = scene(0), corpus.of_type(corpus.smooth(1, height=20, width=31), "uint16")
    many, clear = corpus.smooth(5, height=17, width=18), scene(1, clear=True)
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        options = {"metadata": None, "planarconfig": "contig"}
        writer.write(rgb, photometric="rgb", description="first", resolution=(300, 300), resolutionunit=2, **options)
        writer.write(rgb[::4, ::4], photometric="rgb", subfiletype=1, **options)
        writer.write(gray[..., 0], photometric="minisblack", description="second", subfiletype=2, metadata=None)
        writer.write(many, photometric="minisblack", **options)
        writer.write(clear, photometric="rgb", extrasamples=["unassalpha"], **options)
    return Moving("pages.tif", file.getvalue(), [rgb, gray, many, clear], [None] * 4, None)


def all_kinds() -> list[Moving]:
    """Animations of each format, and pages."""
    opaque, clear = [scene(i) for i in (0, 1, 1, 3)], [scene(i, clear=True) for i in range(4)]
    times = [40, 0, 10, 500]
    default = scene(2)
    apng = save([default, *opaque], "PNG", times, default_image=True, loop=2)
    return [
        _of_pillow("keep.gif", save(opaque[:2], "GIF", [40, 500], loop=0), seconds(40, 500), 0),
        *(_of_pillow(f"disposal{n}.gif", save(clear, "GIF", times, disposal=n, loop=3), seconds(*times), 4) for n in (1, 2, 3)),
        _of_pillow("once.gif", save(clear[:2], "GIF", [70, 80], disposal=2), seconds(70, 80), 1),
        _of_pillow("moving.png", save([opaque[0], opaque[1], opaque[3]], "PNG", [33, 10, 0], loop=0), seconds(33, 10, 0), 0),
        *(
            _of_pillow(
                f"disposal{n}_blend{blend}.png",
                save(clear, "PNG", [5, 40, 50, 60], disposal=n, blend=blend, loop=1),
                seconds(5, 40, 50, 60),
                1,
            )
            for n, blend in ((0, 1), (1, 1), (2, 0))  # Pillow does not restore what a frame is laid over
        ),
        Moving("default.png", apng, _without_repeats(opaque), seconds(40, 10, 500), 2),
        _of_pillow("moving.webp", save(clear, "WEBP", [33, 20, 50, 60], lossless=True, loop=7), seconds(33, 20, 50, 60), 7),
        _of_pillow("lossy.webp", save(opaque[:2], "WEBP", [33, 20], quality=95), seconds(33, 20), 0),
        _of_pillow("moving.avif", save([opaque[0], opaque[3]], "AVIF", [40, 100], quality=95), seconds(40, 100), 0),
        pages(),
    ]


def _without_repeats(frames: list[np.ndarray]) -> list[np.ndarray]:
    return [frame for i, frame in enumerate(frames) if i == 0 or not np.array_equal(frame, frames[i - 1])]
