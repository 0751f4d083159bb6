"""Pictures in strips, compared with the same pictures as a whole."""

import errno
from pathlib import PurePath
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sr_jax.assembly import strips
from sr_jax.assembly.upscaler import Upscaler, Way
from sr_jax.errors import InputError, TrainingError
from sr_jax.evaluation.bounded import BoundedNetwork
from sr_jax.pictures import png_strips, read, tiff_strips, write
from sr_jax.pictures import strips as files
from sr_jax.pictures.names import Source
from sr_jax.pictures.picture import Metadata, Picture
from sr_jax.pictures.plan import Job
from tests.assembly.test_upscaler import fake, slanted
from tests.pictures import corpus

SIZES = [(70, 81), (33, 200), (161, 32)]


@pytest.fixture(autouse=True)
def _few_rows(monkeypatch):
    for module in (png_strips, tiff_strips):
        monkeypatch.setattr(module, "STRIP", 3000)


@pytest.fixture(scope="module")
def upscaler():
    return Upscaler(fake(slanted), memory=None)


def picture(kind, dtype, shape):
    channels = {"gray": 1, "rgb": 3, "channels": 5}[kind.removesuffix("a")]
    pixels = corpus.smooth(channels, height=shape[0], width=shape[1])
    pixels = 3 * pixels - 1 if dtype == "float32" else corpus.of_type(pixels, dtype)
    alpha = None
    if kind in ("graya", "rgba"):
        opacity = np.clip(2.5 * corpus.smooth(1, seed=1, height=shape[0], width=shape[1]) - 0.9, 0, 1)
        alpha = corpus.of_type(opacity, dtype)
        pixels = np.where(alpha == 0, np.zeros((), dtype) + 1, pixels)  # another colour where nothing is seen
    return Picture(pixels, alpha, kind.removesuffix("a") if alpha is not None else kind, Metadata(), "tiff")


def job_of(data, name, *, to="tiff", dtype=None):
    header = read.read_header(data, name)
    size = (2 * header.height, 2 * header.width)
    return Job(Source(None, PurePath(name)), header, to, dtype or header.dtype, size, False, PurePath(f"x2_{name}"), True)


def common(upscaler, *, windows=0, seen=None):
    about = lambda job, metadata, sha256: metadata._replace(xmp=sha256.encode())
    return strips.Common(upscaler, about, windows, "--out here", lambda job, n: seen.append(n) if seen is not None else None)


@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize(
    ("kind", "dtype", "to"),
    [
        ("gray", "uint8", "png"),
        ("gray", "uint16", "tiff"),
        ("rgb", "uint8", "tiff"),
        ("rgb", "uint16", "png"),
        ("rgb", "float32", "tiff"),
        ("rgba", "uint8", "png"),
        ("graya", "uint16", "png"),
        ("rgba", "float32", "tiff"),
        ("channels", "uint8", "tiff"),
    ],
)
def test_strips_equal_the_whole_picture(kind, dtype, to, shape, upscaler, tmp_path):
    given = picture(kind, dtype, shape)
    data = write.encode(given, to, quality=None)
    job = job_of(data, "a.tif", to=to)
    for alpha in ("network", "bicubic") if given.alpha is not None else ("network",):
        way, seen, target = Way(job.dtype, job.size, alpha), [], tmp_path / "result"
        upscaler.prepare([job.header], [way])
        assert not strips.refused([job], upscaler)
        difference = strips.enlarge(job, data, way, target, common(upscaler, windows=2, seen=seen), sha256="abc")
        result, whole = read.decode(target, "result"), upscaler(read.decode(data, "a"), way)
        assert result.pixels.dtype == whole.pixels.dtype
        assert result.metadata.xmp == b"abc"
        assert sum(seen) == shape[0] * shape[1]
        assert difference is not None
        assert difference < 1e-6
        if whole.alpha is None:
            np.testing.assert_array_equal(result.pixels, whole.pixels)
            continue
        np.testing.assert_array_equal(result.alpha, whole.alpha)
        assert 0 < (whole.alpha > 0).mean() < 1
        visible = whole.alpha[..., 0] > 0
        np.testing.assert_array_equal(result.pixels[visible], whole.pixels[visible])


def test_other_depths_and_srgb(upscaler, tmp_path):
    rgb = picture("rgb", "uint8", SIZES[0])._replace(metadata=Metadata(icc=corpus.profile()))
    data = write.encode(rgb, "png", quality=None)
    job = job_of(data, "a.png", to="tiff", dtype="uint16")._replace(to_srgb=True)
    way = Way("uint16", job.size)
    upscaler.prepare([job.header], [way])
    strips.enlarge(job, data, way, tmp_path / "a.tif", common(upscaler), sha256="")
    result, whole = read.decode(tmp_path / "a.tif", "a"), upscaler(strips.metadata.to_srgb(read.decode(data, "a")), way)
    np.testing.assert_array_equal(result.pixels, whole.pixels)
    assert result.metadata.icc is None


def test_what_fails_leaves_nothing(upscaler, tmp_path, monkeypatch):
    data = write.encode(picture("rgb", "uint8", SIZES[0]), "png", quality=None)
    job, target = job_of(data, "a.png", to="png"), tmp_path / "result"
    way = Way("uint8", job.size)
    upscaler.prepare([job.header], [way])

    def fails(error, message, given=data):
        with pytest.raises(error, match=message):
            strips.enlarge(job, given, way, target, common(upscaler), sha256="")
        assert not list(tmp_path.iterdir())

    middle = len(data) // 2
    fails(InputError, "standard input: is damaged", data[:middle] + bytes([data[middle] ^ 255]) + data[middle + 1 :])
    other = write.encode(picture("rgb", "uint8", (70, 82)), "png", quality=None)
    fails(InputError, "changed while this command ran", other)
    full = lambda *_, **__: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left on device"))
    with monkeypatch.context() as patch:
        patch.setitem(files.WRITERS, "png", full)
        fails(TrainingError, "the disk is full: --out here cannot be written")
    with monkeypatch.context() as patch:
        patch.setattr(strips, "from_network", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        fails(KeyboardInterrupt, None)


def test_too_little_memory_for_tiles_begins_again(tmp_path, monkeypatch):
    upscaler, apply = Upscaler(fake(slanted), memory=None), BoundedNetwork._apply
    given, sizes, seen = picture("rgb", "uint8", (900, 140)), [], []
    data = write.encode(given, "png", quality=None)
    job = job_of(data, "a.png", to="png")
    way = Way("uint8", job.size)
    upscaler.prepare([job.header], [way])

    def limited(self, params, lr, known):
        sizes.append(lr.shape[0] * lr.shape[1] ** 2)
        if len(sizes) > 2 and sizes[-1] >= sizes[0]:
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 123 bytes")
        return apply(self, params, lr, known)

    monkeypatch.setattr(BoundedNetwork, "_apply", limited)
    strips.enlarge(job, data, way, tmp_path / "result", common(upscaler, seen=seen), sha256="")
    assert sizes[-1] < sizes[0]
    assert min(seen) < 0
    assert sum(seen) == 900 * 140
    np.testing.assert_array_equal(read.decode(tmp_path / "result", "a").pixels, upscaler(given, way).pixels)


def test_a_job_is_in_strips_only_where_the_memory_does_not_suffice():
    data = write.encode(picture("rgb", "uint8", SIZES[0]), "png", quality=None)
    job = job_of(data, "a.png", to="png")._replace(in_strips=False)

    def fitted(job, data=data, *, most=2**40, self_ensemble=False):
        return strips.fitted(job, data, scale=2, self_ensemble=self_ensemble, most=most, mend="free some")

    assert not fitted(job).in_strips
    monster = job._replace(header=job.header._replace(height=10**6), size=(2 * 10**6, job.size[1]))
    most = monster.memory(scale=2, self_ensemble=False) - 1
    in_strips = monster._replace(in_strips=True)
    assert strips.memory(in_strips, scale=2, self_ensemble=False) < most
    assert fitted(monster, most=most).in_strips
    jpeg = corpus.pillow(corpus.of_type(corpus.smooth(3), "uint8"), "JPEG")
    cases: Any = (
        (job, {"most": 10**4}, r"its strips take [\d.]+ GiB or more"),
        (monster, {"most": most, "self_ensemble": True}, "--self_ensemble turns it"),
        (monster._replace(format="webp"), {"most": most}, "WEBP is not written in strips"),
        (monster._replace(size=(7, 7)), {"most": 10**6}, "leave out --outscale"),
        (monster._replace(header=monster.header._replace(format="jpeg")), {"most": most, "data": jpeg}, "JPEG is not read"),
    )
    for bad, options, reason in cases:
        with pytest.raises(InputError, match=rf"^standard input: [\d,x]+ pixels take about .*; free some, .*{reason}"):
            fitted(bad, **options)


def test_wide_pictures_get_smaller_tiles():
    job = job_of(write.encode(picture("rgba", "uint8", SIZES[0]), "png", quality=None), "a.png", to="png")
    wide = job._replace(header=job.header._replace(width=10**5), size=(140, 2 * 10**5))
    sides = [strips.greatest_side([job, wide], scale=2, most=most) for most in (2**24, 2**32, 2**33, 2**40)]
    assert sides == sorted(sides)
    assert 32 == sides[0] < sides[1] < sides[3] == 384
    assert strips.greatest_side([wide._replace(in_strips=False)], scale=2, most=0) == 384
    upscaler = Upscaler(fake(slanted), memory=None, greatest_side=sides[1])
    upscaler.prepare([wide.header._replace(height=500)], [Way("uint8", wide.size)])
    assert all(network.side((500, 10**5)) == sides[1] for network in upscaler.networks(wide.header))


def test_networks_of_the_whole_picture_and_narrow_pictures_are_refused():
    of_mean = Upscaler(fake(lambda p, lr: slanted(p, lr) + jnp.mean(lr)), memory=None)
    data = write.encode(picture("rgb", "uint8", (70, 81)), "png", quality=None)
    job = job_of(data, "a.png", to="png")
    of_mean.prepare([job.header], [Way("uint8", job.size)])
    assert "too far for tiles" in strips.refused([job], of_mean)[job]
    assert not strips.refused([job._replace(in_strips=False)], of_mean)
    narrow = job._replace(header=job.header._replace(width=20))
    local = Upscaler(fake(slanted), memory=None)
    local.prepare([narrow.header], [Way("uint8", narrow.size)])
    assert "too narrow for tiles" in strips.refused([narrow], local)[narrow]
