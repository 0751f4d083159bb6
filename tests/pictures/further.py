"""Further files of the corpus: kinds that are seen less often, and hostile ones."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

from sr_jax.pictures import exif, heif
from sr_jax.pictures.segments import chunk
from tests.pictures.corpus import HEIGHT, WIDTH, Bad, Good, exif_of, of_type, pillow, png_header, profile, smooth, tiff
from tests.pictures.moving import save, scene


def _quantized(pixels: np.ndarray, colours: int) -> tuple[Image.Image, np.ndarray]:
    image = Image.fromarray(pixels).quantize(colours)
    return image, np.asarray(image.convert("RGB"))


def _saved(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def _gray_png(values: np.ndarray, bits: int) -> bytes:
    """Gray of 2 or 4 bits, which Pillow does not write."""
    rows = [_packed(row, bits) for row in values[..., 0]]
    header = png_header(WIDTH, HEIGHT, bits=bits, kind=0)
    empty = header.index(b"IDAT") - 4
    return header[:empty] + chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows))) + chunk(b"IEND", b"")


def _packed(row: np.ndarray, bits: int) -> bytes:
    return np.packbits((row[:, None] >> np.arange(bits - 1, -1, -1)) & 1).tobytes()


def good() -> list[Good]:
    gray, rgb, rgba = (of_type(smooth(n), "uint8") for n in (1, 3, 4))
    few, shown_few = _quantized(rgb, 4)
    many, shown_many = _quantized(rgb, 200)
    clear = np.where(np.asarray(few) == 1, 0, 255).astype(np.uint8)[..., None]
    black = gray[..., 0] > 127
    white_black = black.astype(np.uint8)[..., None] * 255
    long = of_type(smooth(3, height=1, width=301), "uint8")
    narrow = of_type(smooth(1, height=90, width=1), "uint8")
    photo = exif.PREFIX + exif_of(8)
    files = [
        Good("palette2.png", _saved(few, "PNG", bits=2), shown_few),
        Good("palette8.bmp", _saved(many, "BMP"), shown_many),
        Good("bits1.bmp", _saved(Image.fromarray(black), "BMP"), white_black),
        Good("clear.gif", _saved(few, "GIF", transparency=1), shown_few, clear),
        Good("gray.gif", _saved(Image.fromarray(gray[..., 0]), "GIF"), np.repeat(gray, 3, -1)),
        Good("lossless.webp", pillow(rgb, "WEBP", lossless=True), rgb),
        Good("turned.webp", pillow(rgb, "WEBP", lossless=True, exif=photo), np.rot90(rgb)),
        Good("profile.jpg", pillow(rgb, "JPEG", quality=98, icc_profile=profile()), rgb, tolerance=2),
        Good("profile.webp", pillow(rgb, "WEBP", lossless=True, icc_profile=profile()), rgb),
        Good("profile.tif", tiff(rgb, photometric="rgb", iccprofile=profile()), rgb),
        Good("chroma.jpg", pillow(rgb, "JPEG", quality=98, subsampling=2), rgb, tolerance=6),
        Good("rgba.avif", pillow(rgba, "AVIF", quality=100, subsampling="4:4:4"), rgba[..., :3], rgba[..., 3:], tolerance=3),
        Good("packbits.tif", tiff(gray[..., 0], photometric="minisblack", compression="packbits"), gray),
        Good("zstd.tif", tiff(rgb, photometric="rgb", compression="zstd", tile=(16, 32)), rgb),
        Good("fax.tif", _saved(Image.fromarray(black), "TIFF", compression="group4"), white_black),
        Good("strips.tif", _saved(Image.fromarray(rgb), "TIFF", compression="tiff_lzw", strip_size=600), rgb),
        *(Good(f"bits{n}.png", _gray_png(gray >> (8 - n), n), (gray >> (8 - n)) * (255 // (2**n - 1))) for n in (2, 4)),
        Good("camera.tif", _saved(Image.fromarray(rgb), "TIFF", exif=photo), np.rot90(rgb)),
        Good("long.jpg", pillow(long, "JPEG", quality=98), long, tolerance=3),
        Good("long.tif", tiff(long, photometric="rgb"), long),
        Good("narrow.png", pillow(narrow, "PNG"), narrow),
        Good("narrow.webp", pillow(narrow, "WEBP", lossless=True), np.repeat(narrow, 3, -1)),
    ]  # fmt: skip
    return files + (_heif(rgb) if heif.is_there() else [])


def _heif(rgb: np.ndarray) -> list[Good]:
    import pillow_heif

    def made(pixels: np.ndarray, mode: str, **options) -> bytes:
        file = io.BytesIO()
        pillow_heif.from_bytes(mode, (pixels.shape[1], pixels.shape[0]), pixels.tobytes()).save(file, quality=98, **options)
        return file.getvalue()

    deep = of_type(smooth(3), "uint16")
    return [
        Good("rgb.heic", made(rgb, "RGB", icc_profile=profile()), rgb, tolerance=5),
        Good("turned.heif", made(rgb, "RGB", exif=exif.PREFIX + exif_of(1)), rgb, tolerance=5),
        Good("deep.hif", made(deep, "RGB;16"), deep, tolerance=5 * 257),
    ]


def bad() -> list[Bad]:
    noise = np.random.default_rng(0).integers(0, 256, (36, 40, 3), dtype=np.uint8)
    moving = save([scene(0), noise], "GIF", 40)
    apng = save([noise, scene(1)], "PNG", 40)
    webp = save([scene(0), noise], "WEBP", 40, lossless=True)
    heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200)
    pages = tiff(np.stack([noise, noise]), photometric="rgb")
    return [
        Bad("cut_moving.gif", moving[: len(moving) - 300], "damaged"),
        Bad("cut_moving.png", apng[: len(apng) - 60], "damaged"),
        Bad("cut_moving.webp", webp[: len(webp) // 2], "damaged|not a picture"),
        Bad("cut_pages.tif", pages[: len(pages) - 500], "damaged"),
        Bad("empty.heic", heic, "damaged|HEIF needs"),
        Bad("volume.tif", tiff(np.zeros((2, 16, 16), np.uint8), volumetric=True, tile=(2, 16, 16)), "volume"),
        Bad("double16.tif", tiff(noise[..., 0].astype(np.uint32)), "not supported"),
        Bad("svg.png", b'<svg xmlns="http://www.w3.org/2000/svg"/>', "not a picture of a known kind"),
        Bad("signature.png", b"\x89PNG\r\n\x1a\n", "damaged|not a picture"),
        Bad("signature.gif", b"GIF89a", "damaged|not a picture"),
        Bad("signature.webp", b"RIFF\xff\xff\xff\xffWEBPVP8 ", "damaged|not a picture"),
        Bad("signature.tif", b"II*\0\xff\xff\xff\x7f", "damaged"),
    ]


def hostile() -> list[Bad]:
    """Files that claim to be too large for any memory, and cost nothing until then."""
    gif = bytearray(save([scene(0), scene(1)], "GIF", 40))
    struct.pack_into("<HH", gif, 6, 65_535, 65_535)
    big = bytearray(tiff(scene(0), photometric="rgb"))
    for tag, value in ((256, 200_000), (257, 200_000), (278, 200_000)):  # width, height, rows of a strip
        place = bytes(big).index(struct.pack("<HH", tag, 3 if struct.pack("<HH", tag, 3) in bytes(big) else 4))
        struct.pack_into("<HLL", big, place + 2, 4, 1, value)
    return [
        Bad("huge.png", png_header(100_000, 100_000), "100,000x100,000 pixels take about"),
        Bad("huge16.png", png_header(2**31 - 1, 2**31 - 1, bits=16), "pixels a side|pixels take about"),
        Bad("huge.gif", bytes(gif), "pixels a side|pixels take about"),
        Bad("huge.tif", bytes(big), "pixels take about|damaged"),
    ]
