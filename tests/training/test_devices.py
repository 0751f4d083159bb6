"""The step, alone and spread over devices."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from benchmarks.scaling import collectives
from sr_jax.data import pack, pipelines
from sr_jax.data.degrade import Degrade
from sr_jax.data.images import Image
from sr_jax.data.plan import Sampler
from sr_jax.errors import InputError
from sr_jax.models import FSRCNN
from sr_jax.system import processes
from sr_jax.training import losses, state
from sr_jax.training.devices import Spread
from sr_jax.training.step import Constants, make_dispatch, make_step

pytestmark = pytest.mark.exact

SCALE, PATCH, BATCH = 2, 12, 8
DEGRADE = Degrade(scale=SCALE)
CUT = {"patch": PATCH, "margin": DEGRADE.margin, "scale": SCALE}


@pytest.fixture(scope="module")
def setting(tmp_path_factory):
    return make_setting(tmp_path_factory.mktemp("pack"))


def make_setting(folder):
    """Images, a sampler, and a network with its parameters."""
    rng = np.random.default_rng(1)
    images = [Image(name, rng.integers(0, 256, (32, 40, 3), dtype=np.uint8)) for name in "ab"]
    packed, _ = pack.build(images, place=folder / "pack", fingerprint="")
    sampler = Sampler([(32, 40)] * 2, patch=PATCH, scale=SCALE, batch=BATCH, seed=0, names=["a", "b"])
    graph, variables = nnx.split(FSRCNN(scale=SCALE, d=8, s=4, m=1, rngs=nnx.Rngs(0)), nnx.Param)
    return pipelines.Images(packed, None), sampler, lambda p, lr: nnx.merge(graph, p)(lr), nnx.to_pure_dict(variables)


def objective(model):
    return lambda params, lr, hr, *_: (losses.l1(model(params, lr).astype(jnp.float32), hr), {})


def prepare(
    setting,
    *,
    kind="shard_map",
    devices=1,
    pipeline="resident",
    steps=4,
    per_dispatch=1,
    unroll=True,
    unroll_parts=False,
    optimizer=None,
    **options,
):
    """What a few steps need: the dispatch, its state and constants, and its items."""
    images, sampler, model, params = setting
    optimizer = optimizer or optax.adam(1e-2)
    step = make_step(objective(model), optimizer, DEGRADE, channels=1, ema_decay=0.9, unroll=unroll_parts, **options)
    if pipeline == "resident":
        on_host, on_device = lambda plan: plan, functools.partial(pipelines.resident_batch, **CUT)
    else:
        on_host, on_device, images = functools.partial(pipelines.host_batch, images, **CUT), lambda _, batch: batch, ()
    spread = Spread(make_dispatch(step, on_device, unroll=unroll), kind=kind, batch=BATCH, devices=jax.devices()[:devices])
    now, constants = spread.replicate(state.create(params, optimizer)), spread.replicate(Constants(images))
    items = pipelines.dispatches(
        sampler, on_host, start=0, stop=steps, steps_per_dispatch=per_dispatch, rows=slice(0, BATCH), threads=1, prefetch=1
    )
    return spread, now, constants, map(spread.put, items)


def run(setting, **options):
    """Trains a few steps; returns the final state and all losses, on the host."""
    spread, now, constants, items = prepare(setting, **options)
    history = []
    for item in items:
        now, metrics = spread(now, constants, item)
        history.append(metrics["loss"])
    return jax.device_get(now), np.concatenate(history)


def assert_same(a, b):
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        np.testing.assert_array_equal(x, y)


def assert_close(a, b):
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        np.testing.assert_allclose(x, y, atol=2e-5)


@pytest.mark.parametrize("devices", [2, 4])
def test_pmap_equals_shard_map(setting, devices):
    mapped, mapped_losses = run(setting, kind="pmap", devices=devices)
    sharded, sharded_losses = run(setting, kind="shard_map", devices=devices)
    assert_same(mapped, sharded)
    np.testing.assert_array_equal(mapped_losses, sharded_losses)


@pytest.mark.parametrize("kind", ["pmap", "shard_map"])
def test_many_devices_equal_one(setting, kind):
    """Up to the order of sums. A gradient summed over devices, not averaged, would show here."""
    one, one_losses = run(setting, devices=1)
    four, four_losses = run(setting, kind=kind, devices=4)
    assert_close(one, four)
    np.testing.assert_allclose(one_losses, four_losses, atol=1e-6)


@pytest.mark.parametrize("kind", ["pmap", "shard_map"])
def test_pipelines_train_the_same_network(setting, kind):
    assert_same(run(setting, kind=kind, devices=2, pipeline="host"), run(setting, kind=kind, devices=2, pipeline="resident"))


@pytest.mark.parametrize("unroll", [True, False])
def test_steps_per_dispatch(setting, unroll):
    one, one_losses = run(setting)
    several, several_losses = run(setting, per_dispatch=2, unroll=unroll)
    assert_close(one, several)
    np.testing.assert_allclose(one_losses, several_losses, atol=1e-6)
    assert one.step == several.step == 4


@pytest.mark.parametrize("devices", [1, 2])
@pytest.mark.parametrize("unroll", [True, False], ids=["repeated", "looped"])
def test_an_accumulated_gradient_equals_that_of_the_full_batch(setting, devices, unroll):
    """Up to the order of sums. XLA miscompiled such a loop on one kind of TPU, so both forms are compared."""
    full, full_losses = run(setting, devices=devices)
    parts, part_losses = run(setting, devices=devices, accumulate=4, unroll_parts=unroll)
    assert_close(full, parts)
    np.testing.assert_allclose(full_losses, part_losses, atol=1e-6)
    assert not np.array_equal(full_losses, part_losses)


@pytest.mark.parametrize("kind", ["pmap", "shard_map"])
@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_step_reduces_its_gradients_once(setting, kind, accumulate):
    """The compiled program has one all-reduce, of the gradients and the loss, also where they are accumulated."""
    spread, now, constants, items = prepare(setting, kind=kind, devices=4, accumulate=accumulate)
    program = spread.lower(now, constants, next(items)).compile().as_text()
    sizes = [leaf.size for leaf in jax.tree.leaves(setting[3])]
    assert collectives(program) == [("all-reduce", 4 * (sum(sizes) + 1))]


def test_the_wish_to_stop_is_reduced_with_the_gradients(setting, monkeypatch):
    monkeypatch.setattr(processes, "count", lambda: 2)  # as a run of several processes is compiled
    spread, now, constants, items = prepare(setting, devices=4)
    program = spread.lower(now, constants, next(items)).compile().as_text()
    assert collectives(program) == [("all-reduce", 4 * (state.count(setting[3]) + 2))]


def test_step_against_optax_by_hand(setting):
    """One step: mean absolute error of the network on the batch's Y, Adam, then the average."""
    images, sampler, model, params = setting
    batch = pipelines.host_batch(images, sampler.plan(0), **CUT)
    after, (loss,) = run(setting, steps=1)
    from skimage.color import rgb2ycbcr

    lr, hr = (
        jnp.asarray(rgb2ycbcr(np.asarray(x))[..., :1] / 255, jnp.float32)
        for x in jax.jit(DEGRADE)(jax.tree.map(jnp.asarray, batch))[:2]
    )
    value, gradients = jax.jit(jax.value_and_grad(lambda p: jnp.mean(jnp.abs(model(p, lr) - hr))))(params)
    assert loss == pytest.approx(float(value), abs=1e-6)
    optimizer = optax.adam(1e-2)
    updates, _ = optimizer.update(gradients, optimizer.init(params), params)
    expected = optax.apply_updates(params, updates)
    large = jax.tree.map(
        lambda g: jnp.abs(g) > 1e-4, gradients
    )  # Adam's first update is the gradient's sign: ill-defined near 0

    def pick(tree):
        return jax.tree.map(lambda a, use: jnp.where(use, a, 0), tree, large)

    assert_close(pick(after.params), pick(expected))
    ema = jax.tree.map(lambda p0, p1: 0.1 * p0 + 0.9 * p1, params, expected)  # decay (1 + 0) / (10 + 0)
    assert_close(pick(after.ema), pick(ema))


def test_a_network_that_reads_rgb_is_trained_on_rgb(setting):
    """An objective whose gradients are the means of LR's and HR's channels shows what the network is given."""
    images, sampler, _, _ = setting
    batch = jax.tree.map(jnp.asarray, pipelines.host_batch(images, sampler.plan(0), **CUT))

    def means(params, lr, hr, *_):
        return sum(jnp.sum(params[key] * jnp.mean(x, (0, 1, 2))) for key, x in (("lr", lr), ("hr", hr))), {}

    optimizer = optax.sgd(1.0)
    step = make_step(means, optimizer, DEGRADE, channels=3, ema_decay=0.9)
    start = state.create({"lr": jnp.zeros(3), "hr": jnp.zeros(3)}, optimizer)
    after, _ = jax.jit(jax.vmap(step, in_axes=(None, 0, None), axis_name="data"))(
        start, jax.tree.map(lambda a: a[None], batch), ()
    )
    for key, pixels in zip(("lr", "hr"), DEGRADE(batch)[:2], strict=True):
        assert pixels.dtype == jnp.uint8
        np.testing.assert_allclose(-after.params[key][0], np.asarray(pixels, np.float64).mean((0, 1, 2)) / 255, rtol=1e-5)


@pytest.mark.parametrize(("steps_done", "decay"), [(0, 1 / 10), (8, 9 / 18), (10**6, 0.9)])
def test_ema_decay_grows_to_its_final_value(setting, steps_done, decay):
    images, sampler, model, params = setting
    step = make_step(objective(model), optax.sgd(0.1), DEGRADE, channels=1, ema_decay=0.9)
    batch = jax.tree.map(jnp.asarray, pipelines.host_batch(images, sampler.plan(0), **CUT))
    one = jax.jit(jax.vmap(step, in_axes=(None, 0, None), axis_name="data"))
    before = state.create(params, optax.sgd(0.1))._replace(step=jnp.int32(steps_done))
    after, _ = one(before, jax.tree.map(lambda a: a[None], batch), ())
    after = jax.tree.map(lambda a: a[0], after)
    assert_close(after.ema, jax.tree.map(lambda old, new: decay * old + (1 - decay) * new, params, after.params))


def test_bfloat16_computes_in_bfloat16_and_keeps_float32(setting):
    _, exact_losses = run(setting)
    rough, rough_losses = run(setting, compute_dtype=jnp.dtype(jnp.bfloat16))
    assert all(leaf.dtype == np.float32 for leaf in jax.tree.leaves((rough.params, rough.ema)))
    assert rough_losses[0] == pytest.approx(exact_losses[0], rel=2**-7)  # before the first update; bfloat16 has 8 bits
    assert rough_losses[0] != exact_losses[0]


def test_a_step_that_is_not_finite_is_skipped(setting):
    """It leaves all but its number as it was, also the optimiser's state and the average."""
    images, sampler, model, params = setting
    batch = jax.tree.map(jnp.asarray, pipelines.host_batch(images, sampler.plan(0), **CUT))

    def poisoned(params, lr, hr, _, constants):
        loss, metrics = objective(model)(params, lr, hr)
        return loss * constants, metrics

    optimizer = optax.adam(1e-2)
    step = make_step(poisoned, optimizer, DEGRADE, channels=1, ema_decay=0.9, skip_not_finite=True)
    one = jax.jit(jax.vmap(step, in_axes=(None, 0, None), axis_name="data"))
    start = state.create(params, optimizer)._replace(step=jnp.int32(7))
    examples = jax.tree.map(lambda a: a[None], batch)
    after, metrics = one(start, examples, jnp.nan)
    after = jax.tree.map(lambda a: a[0], after)
    assert metrics["skipped"] == 1
    assert after.step == 8
    assert_same(after._replace(step=start.step), start)
    good, metrics = one(start, examples, 1.0)
    assert metrics["skipped"] == 0
    assert not np.array_equal(jax.tree.leaves(good.params)[0][0], jax.tree.leaves(params)[0])


def test_batch_that_cannot_be_divided():
    with pytest.raises(InputError, match=r"data\.batch=6 cannot be divided among 4 devices; use 4 or 8"):
        Spread(lambda *a: a, kind="pmap", batch=6, devices=jax.devices())
    with pytest.raises(InputError, match=r"data\.batch=2 .* use 4$"):
        Spread(lambda *a: a, kind="pmap", batch=2, devices=jax.devices())
    with pytest.raises(InputError, match=r"data\.batch=12 .* 4 devices with 2 parts each \(accumulate=2\); use 8 or 16"):
        Spread(lambda *a: a, kind="pmap", batch=12, devices=jax.devices(), parts=2)
