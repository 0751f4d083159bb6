"""Makes files of pictures: every kind that is read, with what their pixels are, and every kind that is refused."""

import functools
import io
import struct
import zlib
from typing import Any, NamedTuple

import imagecodecs
import numpy as np
import tifffile
from PIL import Image, ImageCms

from sr_jax.pictures import exif

HEIGHT, WIDTH = 36, 40


class Good(NamedTuple):
    """A file that can be read."""

    name: str
    data: bytes
    pixels: np.ndarray
    """Its colours, with the orientation applied."""
    alpha: np.ndarray | None = None
    tolerance: float = 0
    """Greatest mean difference of the decoded samples, for formats that lose something [levels of its type]."""
    space: str = ""


class Bad(NamedTuple):
    """A file that is refused, and a part of the reason."""

    name: str
    data: bytes
    reason: str


def smooth(channels: int, *, seed: int = 0, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """A smooth random picture, float in [0, 1]."""
    rng = np.random.default_rng(seed)
    layers = [Image.fromarray(rng.random((4, 4), dtype=np.float32)) for _ in range(channels)]
    resized = [np.asarray(one.resize((width, height), Image.Resampling.BICUBIC)) for one in layers]
    return np.stack(resized, -1).clip(0, 1)


def of_type(values: np.ndarray, dtype: str) -> np.ndarray:
    return values.astype(dtype) if dtype.startswith("float") else np.round(values * np.iinfo(dtype).max).astype(dtype)


def pillow(pixels: np.ndarray, kind: str, mode: str | None = None, **options: Any) -> bytes:
    file = io.BytesIO()
    image = Image.fromarray(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels)
    (image.convert(mode) if mode else image).save(file, kind, **options)
    return file.getvalue()


def tiff(pixels: np.ndarray, **options: Any) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, pixels, **{"metadata": None, **options})
    return file.getvalue()


@functools.cache  # it holds the time at which it was made
def profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def exif_of(orientation: int, *, order: str = "<", width: int = WIDTH, height: int = HEIGHT) -> bytes:
    """EXIF with an orientation, sizes in a directory of their own, and a thumbnail."""

    def directory(entries: list[tuple[int, int, int]], following: int) -> bytes:
        body = struct.pack(f"{order}H", len(entries))
        for tag, kind, value in entries:
            body += struct.pack(f"{order}HHL", tag, kind, 1)
            body += struct.pack(f"{order}HH", value, 0) if kind == 3 else struct.pack(f"{order}L", value)
        return body + struct.pack(f"{order}L", following)

    first = 8
    second, third = first + 2 + 3 * 12 + 4, first + 2 + 3 * 12 + 4 + 2 + 2 * 12 + 4
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}L", first)
    main = directory([(0x0112, 3, orientation), (0x0213, 3, 1), (exif.EXIF_IFD, 4, second)], third)
    sizes = directory([(exif.PIXEL_WIDTH, 4, width), (exif.PIXEL_HEIGHT, 3, height)], 0)
    thumbnail = directory([(0x0103, 3, 6), (0x0201, 4, third + 2 + 3 * 12 + 4), (0x0202, 4, 4)], 0)
    return head + main + sizes + thumbnail + b"\xff\xd8\xff\xd9"


def _late_exif(png: bytes, blob: bytes) -> bytes:
    """A PNG file with EXIF behind its pixels."""
    end = png.rindex(b"IEND") - 4
    return (
        png[:end] + struct.pack(">L4s", len(blob), b"eXIf") + blob + struct.pack(">L", zlib.crc32(b"eXIf" + blob)) + png[end:]
    )


def _good_png() -> list[Good]:
    gray, rgb, rgba = (of_type(smooth(n), "uint8") for n in (1, 3, 4))
    deep = {n: of_type(smooth(n), "uint16") for n in (1, 2, 3, 4)}
    palette = Image.fromarray(rgb).quantize(16)
    clear = palette.copy()
    shown = np.asarray(palette.convert("RGB"))
    key = tuple(int(v) for v in rgb[3, 5])
    file, clear_file = io.BytesIO(), io.BytesIO()
    palette.save(file, "PNG")
    clear.save(clear_file, "PNG", transparency=3)
    black = (gray > 127).astype(np.uint8) * 255
    keyed = np.where((rgb == key).all(-1, keepdims=True), 0, 255).astype(np.uint8)
    index = np.asarray(palette)[..., None]
    return [
        Good("gray.png", pillow(gray, "PNG"), gray),
        Good("bits1.png", pillow(black, "PNG", "1"), black),
        Good("rgb.png", pillow(rgb, "PNG"), rgb),
        Good("rgba.png", pillow(rgba, "PNG"), rgba[..., :3], rgba[..., 3:]),
        Good(
            "gray_alpha.png", pillow(rgba, "PNG", "LA"), np.asarray(Image.fromarray(rgba).convert("LA"))[..., :1], rgba[..., 3:]
        ),
        Good("palette.png", file.getvalue(), shown),
        Good("palette_alpha.png", clear_file.getvalue(), shown, np.where(index == 3, 0, 255).astype(np.uint8)),
        Good("key.png", pillow(rgb, "PNG", transparency=key), rgb, keyed),
        Good("gray16.png", imagecodecs.png_encode(deep[1][..., 0]), deep[1]),
        Good("gray_alpha16.png", imagecodecs.png_encode(deep[2]), deep[2][..., :1], deep[2][..., 1:]),
        Good("rgb16.png", imagecodecs.png_encode(deep[3]), deep[3]),
        Good("rgba16.png", imagecodecs.png_encode(deep[4]), deep[4][..., :3], deep[4][..., 3:]),
        Good("turned.png", _late_exif(pillow(rgb, "PNG"), exif_of(6)), np.rot90(rgb, -1)),
        Good("profile.png", pillow(rgb, "PNG", icc_profile=profile()), rgb),
    ]


def _good_lossy() -> list[Good]:
    gray, rgb, rgba, cmyk = (of_type(smooth(n), "uint8") for n in (1, 3, 4, 4))
    turned = {
        n: Image.fromarray(rgb).transpose(m)
        for n, m in {
            2: Image.Transpose.FLIP_LEFT_RIGHT,
            3: Image.Transpose.ROTATE_180,
            4: Image.Transpose.FLIP_TOP_BOTTOM,
            5: Image.Transpose.TRANSPOSE,
            6: Image.Transpose.ROTATE_270,
            7: Image.Transpose.TRANSVERSE,
            8: Image.Transpose.ROTATE_90,
        }.items()
    }
    file = io.BytesIO()
    Image.fromarray(cmyk, "CMYK").save(file, "JPEG", quality=98)
    seen = [
        Good(
            f"orientation{n}.jpg",
            pillow(rgb, "JPEG", exif=b"Exif\0\0" + exif_of(n, order="<>"[n % 2]), quality=98),
            np.asarray(image),
            tolerance=2,
        )
        for n, image in turned.items()
    ]
    return [
        Good("gray.jpg", pillow(gray, "JPEG", quality=98), gray, tolerance=2),
        Good("rgb.jpeg", pillow(rgb, "JPEG", quality=98, comment=b"a comment"), rgb, tolerance=2),
        Good("progressive.jpg", pillow(rgb, "JPEG", quality=98, progressive=True, dpi=(300, 300)), rgb, tolerance=2),
        Good("cmyk.jpg", file.getvalue(), cmyk, tolerance=2, space="cmyk"),
        *seen,
        Good("rgb.webp", pillow(rgb, "WEBP", quality=98), rgb, tolerance=3),
        Good("rgba.webp", pillow(rgba, "WEBP", lossless=True, exact=True), rgba[..., :3], rgba[..., 3:]),
        Good("rgb.avif", pillow(rgb, "AVIF", quality=95), rgb, tolerance=3),
        Good("gray.bmp", pillow(gray, "BMP"), gray),
        Good("rgb.bmp", pillow(rgb, "BMP"), rgb),
        Good("still.gif", pillow(rgb, "GIF"), rgb, tolerance=12),
    ]


def _good_tiff() -> list[Good]:
    made = {(n, dtype): of_type(smooth(n), dtype) for n in (1, 3, 4, 5) for dtype in ("uint8", "uint16", "float32")}
    gray, rgb, rgba = made[1, "uint8"], made[3, "uint8"], made[4, "uint8"]
    five, opaque = made[5, "uint16"], np.maximum(rgba[..., 3:], 60)
    multiplied = np.round(rgba[..., :3] * (rgba[..., 3:] / 255)).astype(np.uint8)
    wide = made[3, "float32"] * 40 - 10
    entries = np.round(np.random.default_rng(0).random((3, 256)) * 255).astype(np.uint16)
    kinds = [
        Good(f"{'gray' if n == 1 else 'rgb'}_{dtype}.tif", tiff(p[..., 0] if n == 1 else p, photometric=kind), p)
        for (n, dtype), p in made.items()
        for kind in (["minisblack"] if n == 1 else ["rgb"])
        if n in (1, 3)
    ]
    return [
        *kinds,
        Good("half.tif", tiff(smooth(1)[..., 0].astype(np.float16)), smooth(1).astype(np.float16).astype(np.float32)),
        Good("double.tif", tiff(smooth(1)[..., 0].astype(np.float64)), smooth(1).astype(np.float32)),
        Good("wide.tif", tiff(wide, photometric="rgb"), wide),
        Good("five.tif", tiff(five, photometric="minisblack", planarconfig="contig"), five, space="channels"),
        Good("rgba.tif", tiff(rgba, photometric="rgb", extrasamples=["unassalpha"]), rgba[..., :3], rgba[..., 3:]),
        Good(
            "multiplied.tif",
            tiff(np.concatenate([multiplied, opaque], -1), photometric="rgb", extrasamples=["assocalpha"]),
            np.minimum(255, np.round(multiplied * (255 / opaque))),
            opaque,
            tolerance=0.02,
        ),
        Good("lzw16.tif", tiff(made[3, "uint16"], photometric="rgb", compression="lzw", predictor=True), made[3, "uint16"]),
        Good("deflate.tif", tiff(rgb, photometric="rgb", compression="zlib", tile=(16, 16)), rgb),
        Good("planes.tif", tiff(np.moveaxis(rgb, -1, 0), photometric="rgb", planarconfig="separate"), rgb),
        Good("big_endian.tif", tiff(made[3, "uint16"], photometric="rgb", byteorder=">"), made[3, "uint16"]),
        Good("bigtiff.tif", tiff(rgb, photometric="rgb", bigtiff=True, rowsperstrip=5), rgb),
        Good("white_is_zero.tif", tiff(255 - gray[..., 0], photometric="miniswhite"), gray),
        Good("bits1.tif", tiff(gray[..., 0] > 127, photometric="minisblack"), (gray > 127).astype(np.uint8) * 255),
        Good("palette.tif", tiff(gray[..., 0], photometric="palette", colormap=entries * 257), entries.T[gray[..., 0]]),
        Good("cmyk.tif", tiff(rgba, photometric="separated"), rgba, space="cmyk"),
        Good("jpeg.tif", pillow(rgb, "TIFF", compression="jpeg", quality=98), rgb, tolerance=2),
        Good("turned.tif", tiff(rgb, photometric="rgb", extratags=[(274, 3, 1, 6, True)]), np.rot90(rgb, -1)),
    ]


def _odd_sizes() -> list[Good]:
    sizes = [(1, 1), (1, 41), (37, 1), (3, 2)]
    made = {(h, w): of_type(smooth(3, height=h, width=w), "uint8") for h, w in sizes}
    return [Good(f"size{h}x{w}.png", pillow(p, "PNG"), p) for (h, w), p in made.items()]


def good() -> list[Good]:
    return [*_good_png(), *_good_lossy(), *_good_tiff(), *_odd_sizes()]


def png_header(width: int, height: int, *, bits: int = 8, kind: int = 2) -> bytes:
    """A PNG file that claims a size and holds no pixels."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">L", len(content)) + name + content + struct.pack(">L", zlib.crc32(name + content))

    head = chunk(b"IHDR", struct.pack(">LLBBBBB", width, height, bits, kind, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def bad() -> list[Bad]:
    rgb = of_type(smooth(3), "uint8")
    noise = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)

    def cut(data: bytes) -> bytes:
        return data[: len(data) // 2]

    holes = np.where(smooth(1) > 0.5, np.nan, smooth(1))[..., 0].astype(np.float32)
    return [
        Bad("empty.png", b"", "is empty"),
        Bad("text.jpg", b"this is not a picture at all", "not a picture of a known kind"),
        Bad("cut.png", cut(pillow(noise, "PNG")), "damaged"),
        Bad("cut16.png", cut(imagecodecs.png_encode(noise.astype(np.uint16) * 257)), "damaged"),
        Bad("cut.jpg", cut(pillow(noise, "JPEG")), "damaged"),
        Bad("cut.webp", cut(pillow(noise, "WEBP")), "damaged|not a picture"),
        Bad("cut.tif", cut(tiff(noise, photometric="rgb")), "damaged"),
        Bad("cut.bmp", cut(pillow(noise, "BMP")), "damaged"),
        Bad("no_pixels.png", png_header(40, 36), "damaged"),
        Bad("no_pixels16.png", png_header(40, 36, bits=16), "damaged"),
        Bad("int32.tif", tiff(rgb[..., 0].astype(np.int32)), "not supported"),
        Bad("complex.tif", tiff(rgb[..., 0].astype(np.complex64)), "not supported"),
        Bad("nan.tif", tiff(holes), "not finite"),
        Bad("lab.tif", tiff(rgb, photometric="cielab"), "not supported"),
    ]
