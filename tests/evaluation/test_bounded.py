import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sr_jax.errors import InputError
from sr_jax.evaluation import bounded
from sr_jax.evaluation.bounded import BoundedNetwork, assign_sides
from sr_jax.evaluation.tiles import SIDES
from sr_jax.models.about import About

ABOUT = About(name="Net", channels=1, scales=(2,))
REACH = 3


def blur(params, lr, xp=jnp):
    """Doubles the image, after a mean over a cross that reaches three pixels."""
    padded = xp.pad(lr, ((0, 0), (REACH, REACH), (REACH, REACH), (0, 0)))
    h, w = lr.shape[1:3]
    parts = [padded[:, REACH : REACH + h, t : t + w] + padded[:, t : t + h, REACH : REACH + w] for t in range(2 * REACH + 1)]
    return xp.repeat(xp.repeat(params["gain"] * sum(parts) / len(parts), 2, 1), 2, 2)


PARAMS = {"gain": np.float32(0.5)}


def network(apply=blur, memory=None):
    return BoundedNetwork(apply, ABOUT, scale=2, params=PARAMS, memory=memory)


def expected(image):
    return blur({"gain": 0.5}, image[None].astype(np.float64), np)[0]


def test_a_hundred_sizes_need_a_handful_of_programs(rng):
    shapes = [(int(h), int(w)) for h, w in rng.integers(40, 120, (100, 2))]
    one = network()
    one.prepare(shapes)
    for shape in shapes[:8]:
        image = rng.random((*shape, 1), dtype=np.float32)
        np.testing.assert_allclose(one.enlarge(image), expected(image), atol=1e-6)
    assert one._radius == REACH
    assert one._run._cache_size() <= 1 + bounded.MOST_SIDES
    assert 0 not in one._sides.values()


def test_small_pictures_and_networks_without_a_radius_are_whole(rng):
    small = network()
    image = rng.random((1, 41, 1), dtype=np.float32)
    np.testing.assert_allclose(small.enlarge(image), expected(image), atol=1e-6)
    assert small.why_whole is None
    of_mean = network(lambda p, lr: blur(p, lr) + lr.mean())
    image = rng.random((70, 66, 1), dtype=np.float32)
    np.testing.assert_allclose(of_mean.enlarge(image), expected(image) + image.mean(), atol=1e-5)
    assert "too far for tiles" in of_mean.why_whole


def test_a_finish_is_applied_to_every_part(rng):
    image = rng.random((50, 61, 1), dtype=np.float32)
    result = network().enlarge(image, finish=lambda sr: np.floor(sr * 255).astype(np.uint8))
    assert result.dtype == np.uint8
    assert np.abs(result - expected(image) * 255).max() <= 1.001


def test_out_of_memory_is_answered_with_smaller_tiles(rng, monkeypatch):
    """The tiles that were computed before the memory ran out are not kept: a new array is filled."""
    image = rng.random((150, 140, 1), dtype=np.float32)
    one, apply, sizes = network(), BoundedNetwork._apply, []
    one.prepare([(150, 140)])
    one._pixels_per_call = 2**17
    one._assign()

    def limited(self, lr, known):
        sizes.append(lr.shape[0] * lr.shape[1] ** 2)
        if sizes[-1] > 40_000 or (sizes[-1] > 20_000 and len(sizes) % 3 == 0):
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 123 bytes")
        return apply(self, self._params, lr, known)

    monkeypatch.setattr(BoundedNetwork, "_apply", lambda self, params, lr, known: limited(self, lr, known))
    np.testing.assert_allclose(one.enlarge(image), expected(image), atol=1e-6)
    assert sizes[0] > 40_000
    assert sizes[-1] <= 20_000


def test_memory_that_never_suffices_is_said(rng, monkeypatch):
    def fail(*_):
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory")

    one = network()
    one.prepare([(64, 64)])
    monkeypatch.setattr(BoundedNetwork, "_apply", fail)
    with pytest.raises(MemoryError, match="RESOURCE_EXHAUSTED"):
        one.enlarge(rng.random((64, 64, 1), dtype=np.float32))


def test_the_bound_on_memory_chooses_the_tiles(rng):
    shape, image = (300, 280), rng.random((300, 280, 1), dtype=np.float32)
    free = network()
    free.prepare([shape])
    (side,) = free._sides.values()
    whole = free._program_bytes(free._tiles_per_call(side), (side, side), None)
    one = network(memory=whole // 2)
    one.prepare([shape])
    (side,) = one._sides.values()
    assert one._program_bytes(one._tiles_per_call(side), (side, side), None) <= whole // 2
    np.testing.assert_allclose(one.enlarge(image), expected(image), atol=1e-6)
    with pytest.raises(InputError, match=r"Net takes .* MiB for the smallest tiles, and may use 0\.00 MiB"):
        network(memory=1000).prepare([shape])
    with pytest.raises(InputError, match=r"Net is applied to whole pictures because a pixel reaches .* for 280x300 pixels"):
        network(lambda p, lr: blur(p, lr) + lr.mean(), memory=2**18).enlarge(image)


def test_windows_without_tiles_show_a_wrong_radius(rng, monkeypatch):
    image = rng.random((200, 190, 1), dtype=np.float32)
    one = network()
    assert max(one.differences(image, one.enlarge(image), seed=0, count=3)) < 1e-6
    monkeypatch.setattr(BoundedNetwork, "_measure_radius", lambda *_, **__: 1)
    wrong = network()
    assert max(wrong.differences(image, wrong.enlarge(image), seed=0, count=20)) > 1e-3


def test_sides_cost_least_of_all_choices():
    shapes = [(33, 300), (70, 70), (500, 800), (20, 20)]

    def cost(shape, side):
        return (-(-shape[0] // (side - 20)) * -(-shape[1] // (side - 20))) * side**2

    assigned = assign_sides(shapes, [32, 64, 384], cost=cost)
    assert assigned == {(33, 300): 32, (70, 70): 32, (500, 800): 384, (20, 20): 0}
    assert assign_sides(shapes, [], cost=cost) == dict.fromkeys(shapes, 0)
    many = assign_sides([(n, n) for n in range(32, 900, 7)], SIDES[:6], cost=cost)
    assert len({*many.values()}) <= bounded.MOST_SIDES
    assert all(side <= min(shape) for shape, side in many.items())


@pytest.mark.parametrize("shape", [(150, 141), (33, 300), (301, 32), (64, 64), (20, 50), (1, 1)])
def test_bands_equal_the_whole_picture(shape, rng):
    """Byte for byte, whatever their heights are. Pictures that are smaller than a tile come in one band."""
    image = rng.integers(0, 256, (*shape, 1), dtype=np.uint8)
    one = network()
    one.prepare([shape])
    calls = []

    def rows(start, stop):
        calls.append((start, stop))
        return image[start:stop]

    def begin(pixels):
        return pixels / np.float32(255)

    watch = one.watch(shape, seed=0, count=3)
    whole = one.enlarge(begin(image), finish=lambda sr: np.float16(sr))
    bands = list(one.bands(shape, rows, begin=begin, finish=lambda sr: np.float16(sr), watch=watch))
    np.testing.assert_array_equal(np.concatenate(bands), whole)
    assert calls == sorted(calls)
    if min(shape) >= min(SIDES):
        assert max(stop - start for start, stop in calls) <= max(SIDES)
        differences = list(one.watched_differences(watch, begin=begin))
        assert len(differences) == 3
        assert max(differences) < 1e-6
        watch.sr = [sr + np.float32(0.5) for sr in watch.sr]
        assert min(one.watched_differences(watch, begin=begin)) > 0.4


def test_bands_begin_again_with_smaller_tiles(rng, monkeypatch):
    image = rng.random((150, 140, 1), dtype=np.float32)
    one, apply, calls = network(), BoundedNetwork._apply, []
    one.prepare([(150, 140)])
    one._pixels_per_call = 2**17
    one._assign()

    def limited(self, params, lr, known):
        calls.append(lr.shape)
        if lr.shape[0] * lr.shape[1] ** 2 > 20_000:
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 123 bytes")
        return apply(self, params, lr, known)

    monkeypatch.setattr(BoundedNetwork, "_apply", limited)
    while True:
        try:
            bands = list(one.bands((150, 140), lambda start, stop: image[start:stop]))
            break
        except bounded.TilesShrank:
            assert len(calls) < 20
    assert len(calls) > 1
    np.testing.assert_allclose(np.concatenate(bands), expected(image), atol=1e-6)
    monkeypatch.setattr(BoundedNetwork, "_shrink", lambda *_: False)
    monkeypatch.setattr(BoundedNetwork, "_apply", lambda *_: (_ for _ in ()).throw(MemoryError("no memory")))
    with pytest.raises(MemoryError):
        list(one.bands((150, 140), lambda start, stop: image[start:stop]))
