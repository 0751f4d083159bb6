"""From plan to LR and HR patches: both pipelines, windows, degradation."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sr_jax.data import degrade, pack, pipelines
from sr_jax.data.images import Image
from sr_jax.data.plan import Sampler
from sr_jax.errors import InputError
from sr_jax.ops.resize import bicubic_downsample

PATCH = 12


@pytest.fixture
def images(rng):
    shapes = {"a": (30, 25, 3), "b": (13, 40, 1), "c": (24, 24, 3)}
    return [Image(name, rng.integers(0, 256, shape, dtype=np.uint8)) for name, shape in shapes.items()]


def make_sampler(images, scale, batch=16, seed=0):
    packed = pack.pack(images, scale=scale)
    sizes = list(zip(packed.height.tolist(), packed.width.tolist(), strict=True))
    return packed, Sampler(sizes, patch=PATCH, scale=scale, batch=batch, seed=seed, names=[i.name for i in images])


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_both_pipelines_give_the_same_bytes(images, scale):
    packed, sampler = make_sampler(images, scale)
    on_device = jax.device_put(pack.for_device(packed, memory=None))
    resident = jax.jit(functools.partial(pipelines.resident_batch, patch=PATCH, margin=2 * scale))
    for step in range(30):
        plan = sampler.plan(step)
        host = pipelines.host_batch(packed, plan, patch=PATCH, margin=2 * scale)
        device = resident(on_device, plan)
        assert host.window.dtype == device.window.dtype == np.uint8
        np.testing.assert_array_equal(host.window, device.window)
        np.testing.assert_array_equal(host.transform, device.transform)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_lr_patch_is_the_crop_of_the_whole_images_lr(images, scale):
    """Byte for byte, at the borders too, where the window holds reflected pixels; then turned as planned."""
    packed, sampler = make_sampler(images, scale, batch=48)
    plan = sampler.plan(0)
    batch = pipelines.host_batch(packed, plan, patch=PATCH, margin=2 * scale)
    lr, hr, _ = jax.jit(degrade.Degrade(scale=scale))(jax.tree.map(jnp.asarray, batch))
    for i, (image, top, left, which) in enumerate(zip(*plan[:4], strict=True)):
        whole = pack.crop_to_multiple(images[image].pixels, scale)
        whole = np.broadcast_to(whole, (*whole.shape[:2], 3))
        whole_lr = np.asarray(bicubic_downsample(jnp.asarray(whole), scale))
        n = PATCH // scale
        expected_hr = symmetry(whole[top : top + PATCH, left : left + PATCH], which)
        expected_lr = symmetry(whole_lr[top // scale :, left // scale :][:n, :n], which)
        np.testing.assert_array_equal(hr[i], expected_hr)
        np.testing.assert_array_equal(lr[i], expected_lr)


def symmetry(x, which):
    x = x.swapaxes(0, 1) if which & 1 else x
    x = x[::-1] if which & 2 else x
    return x[:, ::-1] if which & 4 else x


def test_the_eight_symmetries_are_different(rng):
    square = jnp.asarray(rng.integers(0, 256, (1, 4, 4, 3), dtype=np.uint8))
    turned = degrade.transform(jnp.repeat(square, 8, 0), jnp.arange(8, dtype=jnp.int32))
    assert len({np.asarray(x).tobytes() for x in turned}) == 8
    np.testing.assert_array_equal(turned[0], square[0])


def test_dispatches_stack_the_plans_in_order(images):
    _, sampler = make_sampler(images, 2)
    items = pipelines.dispatches(
        sampler, lambda plan: plan, start=4, stop=10, steps_per_dispatch=3, rows=slice(0, 16), threads=2, prefetch=2
    )
    got = list(items)
    assert len(got) == 2
    for first, item in zip((4, 7), got, strict=True):
        expected = [np.stack(leaves) for leaves in zip(*(sampler.plan(first + i) for i in range(3)), strict=True)]
        for leaf, value in zip(item, expected, strict=True):
            np.testing.assert_array_equal(leaf, value)


@pytest.mark.parametrize("processes", [2, 4])
def test_processes_feed_parts_of_the_same_global_batch(images, processes):
    packed, sampler = make_sampler(images, 2)
    fetch = functools.partial(pipelines.host_batch, packed, patch=PATCH, margin=4)
    options = {"start": 3, "stop": 5, "steps_per_dispatch": 1, "threads": 1, "prefetch": 1}
    whole = list(pipelines.dispatches(sampler, fetch, rows=slice(0, 16), **options))
    share = 16 // processes
    parts = [
        list(pipelines.dispatches(sampler, fetch, rows=slice(i * share, (i + 1) * share), **options)) for i in range(processes)
    ]
    for step, batch in enumerate(whole):
        joined = np.concatenate([part[step].window for part in parts], 1)
        np.testing.assert_array_equal(joined, batch.window)


def test_images_that_exceed_the_device_are_refused(images):
    packed = pack.pack(images, scale=2)
    with pytest.raises(InputError, match=r"take 0\.0 GiB, a device has .*use data\.pipeline=host"):
        pack.for_device(packed, memory=100)


def test_digest_sees_names_and_pixels(images):
    other = [images[0]._replace(name="z"), *images[1:]]
    changed = [images[0]._replace(pixels=images[0].pixels ^ np.uint8(1)), *images[1:]]
    assert len({pack.digest(images), pack.digest(other), pack.digest(changed), pack.digest(images[::-1])}) == 4
    assert pack.digest(images) == pack.digest(list(images))


def test_plan_has_one_row_for_each_example(images):
    _, sampler = make_sampler(images, 2, batch=5)
    assert [a.shape for a in sampler.plan(0)] == [(5,)] * 4 + [(5, 2)]
