"""From plan to LR and HR patches, with all pipelines, in one process and in several."""

import functools
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sr_jax.data import degrade, pack, pipelines, records
from sr_jax.data.images import Image, decode_image
from sr_jax.data.plan import Sampler
from sr_jax.ops.resize import bicubic_downsample
from tests.data import feed
from tests.data.records.conftest import Listed, small_tiles  # noqa: F401
from tests.ports import free_port

pytestmark = pytest.mark.exact

ROOT = Path(__file__).parent.parent.parent
PATCH = 12


@pytest.fixture
def images(rng):
    shapes = {"a": (30, 25, 3), "b": (13, 40, 1), "c": (24, 24, 3)}
    return [Image(name, rng.integers(0, 256, shape, dtype=np.uint8)) for name, shape in shapes.items()]


@pytest.fixture
def make(tmp_path):
    """Packs of images and, if there are any, of their LR images; and a sampler for them."""

    def make_both(images, scale, *, lr=None, batch=16):
        hr, index = pack.build(images, place=tmp_path / "hr", fingerprint="")
        small = pack.build(lr, place=tmp_path / f"lr{scale}", fingerprint="")[0] if lr else None
        packs = pipelines.Images(pack.crop(hr, scale=scale), small)
        sizes = list(zip(packs.hr.height.tolist(), packs.hr.width.tolist(), strict=True))
        return packs, Sampler(sizes, patch=PATCH, scale=scale, batch=batch, seed=0, names=list(index.names))

    return make_both


_downsample = jax.jit(bicubic_downsample, static_argnums=1)


def reduced(image, scale):
    """The whole image's LR image."""
    return np.asarray(_downsample(pack.crop_to_multiple(image.pixels, scale), scale))


@pytest.mark.usefixtures("small_tiles")
@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize(("source", "margin"), [("degrade", 2), ("degrade", 11), ("files", 2)])
def test_all_pipelines_give_the_same_bytes(images, make, tmp_path, scale, source, margin):
    """The tiles of the records are small, so that most windows touch several, and a large margin reflects the images."""
    lr = [Image(image.name, reduced(image, scale)) for image in images] if source == "files" else None
    packs, sampler = make(images, scale, lr=lr)
    hr, small = (
        records.build(Listed(items), title=name, place=tmp_path / name, fingerprint=f"{scale}").images if items else None
        for name, items in (("of hr", images), ("of lr", lr))
    )
    stored = pipelines.Images(pack.crop(hr, scale=scale), small)
    cut = {"patch": PATCH, "margin": margin * scale, "scale": scale}
    resident = jax.jit(functools.partial(pipelines.resident_batch, **cut))
    on_device = jax.device_put(packs)
    for first, steps in ((0, 1), (1, 2), (3, 5)):
        plans = sampler.plans(range(first, first + steps))
        batches = [pipelines.host_batch(images, plans, **cut) for images in (packs, stored)]
        for i in range(steps):
            device = resident(on_device, sampler.plan(first + i))
            for host in (jax.tree.map(lambda a, i=i: a[i], batch) for batch in batches):
                assert (host.lr is None) == (source == "degrade")
                for a, b in zip(jax.tree.leaves(host), jax.tree.leaves(device), strict=True):
                    assert a.dtype == b.dtype
                    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_lr_patch_is_the_crop_of_the_whole_images_lr(images, make, scale):
    """They are equal byte for byte, also at the borders, where the window has reflected pixels."""
    packs, sampler = make(images, scale, batch=48)
    plan = sampler.plan(0)
    batch = pipelines.host_batch(packs, plan, patch=PATCH, margin=2 * scale, scale=scale)
    lr, hr, _ = jax.jit(degrade.Degrade(scale=scale))(jax.tree.map(jnp.asarray, batch))
    for i, (image, top, left, which) in enumerate(zip(*plan[:4], strict=True)):
        whole = pack.crop_to_multiple(images[image].pixels, scale)
        whole_lr = reduced(images[image], scale)
        n = PATCH // scale
        expected_hr = symmetry(whole[top : top + PATCH, left : left + PATCH], which)
        expected_lr = symmetry(whole_lr[top // scale :, left // scale :][:n, :n], which)
        np.testing.assert_array_equal(hr[i], np.broadcast_to(expected_hr, hr[i].shape))
        np.testing.assert_array_equal(lr[i], np.broadcast_to(expected_lr, lr[i].shape))


def symmetry(x, which):
    x = x.swapaxes(0, 1) if which & 1 else x
    x = x[::-1] if which & 2 else x
    return x[:, ::-1] if which & 4 else x


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_matlabs_lr_files_give_the_bytes_of_the_degradation(research_images, make, scale):
    """Set5's published LR files are MATLAB's. Patches cut from them equal those made from HR windows."""

    def load(folder):
        return [Image(path.name, decode_image(path.read_bytes(), path.name)) for path in sorted(folder.glob("*.png"))]

    hr, lr = load(research_images / "Set5/HR"), load(research_images / f"Set5/LRbicx{scale}")
    packs, sampler = make(hr, scale, lr=lr, batch=200)
    batch = pipelines.host_batch(packs, sampler.plan(0), patch=PATCH, margin=2 * scale, scale=scale)
    step = jax.jit(degrade.Degrade(scale=scale))
    of_files, made = (step(jax.tree.map(jnp.asarray, b)) for b in (batch, batch._replace(lr=None)))
    np.testing.assert_array_equal(of_files.lr, made.lr)
    np.testing.assert_array_equal(of_files.hr, made.hr)


def test_the_eight_symmetries_are_different(rng):
    square = jnp.asarray(rng.integers(0, 256, (1, 4, 4, 3), dtype=np.uint8))
    variants = degrade.transform(jnp.repeat(square, 8, 0), jnp.arange(8, dtype=jnp.int32))
    assert len({np.asarray(x).tobytes() for x in variants}) == 8
    np.testing.assert_array_equal(variants[0], square[0])


def test_dispatches_have_the_plans_in_order(images, make):
    _, sampler = make(images, 2)
    items = pipelines.dispatches(
        sampler, lambda plan: plan, start=4, stop=10, steps_per_dispatch=3, rows=slice(4, 12), threads=2, prefetch=2
    )
    dispatches = list(items)
    assert len(dispatches) == 2
    for first, item in zip((4, 7), dispatches, strict=True):
        expected = [np.stack(leaves)[:, 4:12] for leaves in zip(*(sampler.plan(first + i) for i in range(3)), strict=True)]
        for leaf, value in zip(item, expected, strict=True):
            np.testing.assert_array_equal(leaf, value)


def test_plan_has_one_row_for_each_example(images, make):
    _, sampler = make(images, 2, batch=5)
    assert [a.shape for a in sampler.plan(0)] == [(5,)] * 4 + [(5, 2)]


@pytest.mark.slow
def test_processes_feed_the_same_global_batch(images, tmp_path):
    """This compares windows, LR and HR patches of all pipelines, fed by 1, 2 and 4 processes to one mesh."""
    pack.build(images, place=tmp_path / "hr", fingerprint="")
    records.build(Listed(images), title="some", place=tmp_path / "hr/records", fingerprint="")
    expected = feed.expected(tmp_path / "hr")
    runs = {count: start_processes(count, tmp_path / "hr") for count in (1, 2, 4)}
    try:
        for count, run in runs.items():
            digests = {}
            for process in run:
                out, err = process.communicate(timeout=90)
                assert process.returncode == 0, err
                part = json.loads(out.splitlines()[-1])
                assert len(part) == feed.EXAMPLES // count
                assert not digests.keys() & part.keys(), "two processes fed one example"
                digests |= part
            assert digests == expected, f"on {count} processes"
    finally:
        for process in itertools.chain(*runs.values()):
            process.kill()
            process.communicate()


def start_processes(count, place):
    port = free_port()
    environment = os.environ | {"JAX_NUM_CPU_DEVICES": str(4 // count), "JAX_PLATFORMS": "cpu"}
    return [
        subprocess.Popen(
            [sys.executable, "-m", "tests.data.feed", str(place), str(port), str(count), str(i)],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for i in range(count)
    ]
