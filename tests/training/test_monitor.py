import math
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from sr_jax.errors import TrainingError
from sr_jax.training.monitor import Meter, Metrics, memory_in_use


def test_means_since_the_last_call_by_name():
    metrics = Metrics(str)
    metrics.add(0, {"loss": jnp.array([1.0, 2.0]), "grad_norm": jnp.array([5.0, 7.0])})
    metrics.add(2, {"loss": jnp.array([6.0]), "grad_norm": jnp.array([0.0])})
    metrics.settle()
    assert metrics.take() == {"loss": 3.0, "grad_norm": 4.0}
    metrics.add(3, {"loss": jnp.array([5.0]), "another": jnp.array([2.0])})
    metrics.settle()
    assert metrics.take() == {"loss": 5.0, "another": 2.0}


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_bad_loss_names_its_step(bad):
    metrics = Metrics(lambda step: f"described {step}")
    metrics.add(10, {"loss": jnp.array([1.0, 1.0])})
    metrics.add(12, {"loss": jnp.array([1.0, bad, 1.0])})  # it is checked when the next dispatch begins
    with pytest.raises(TrainingError, match="step 13; described 13"):
        metrics.settle()


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 100.0

    monkeypatch.setattr("sr_jax.training.monitor.time.monotonic", lambda: Clock.now)
    return Clock


def test_meter(clock):
    meter = Meter(batch=4)
    with meter.waiting(busy=lambda: False):  # before the first step nothing counts
        clock.now += 7
    meter.count(5)
    assert meter.read() == {}
    meter.start()
    with meter.waiting(busy=lambda: False):
        clock.now += 1
    clock.now += 9
    meter.count(5)
    times = dict.fromkeys(("step_s_median", "step_s_p90", "step_s_p99", "step_s_max"), 2.0)
    assert meter.read() == {"images_per_s": 2.0, "wait_share": 0.1} | times
    with meter.paused():
        clock.now += 50
    with meter.waiting(busy=lambda: True):  # the devices were at work all the while
        clock.now += 10
    meter.count(10)
    times = dict.fromkeys(times, 1.0)
    assert meter.read() == {"images_per_s": 4.0, "wait_share": 0.0} | times
    assert meter.seconds == 20
    assert meter.wait_share == 0.05


def test_pauses_before_the_first_step_do_not_start_the_meter(clock):
    meter = Meter(batch=4)
    with meter.paused():
        clock.now += 1
    clock.now += 1
    meter.count(1)
    assert meter.read() == {}
    assert meter.seconds == 0


def test_times_of_steps_are_those_between_the_ends_of_dispatches(clock):
    """Dispatches of 4 steps that end 1, 2, ..., 100 ms after one another."""
    metrics, meter = Metrics(str), Meter(batch=4)
    seconds = np.random.default_rng(0).permutation(np.arange(1, 101)) / 1000
    meter.start()
    meter.count(metrics.add(0, {"loss": jnp.zeros(4)}))  # nothing has ended
    for index, time in enumerate(seconds):
        clock.now += time
        if index == 50:
            meter.count(metrics.settle())  # as before a report
        meter.count(metrics.add(4 * index, {"loss": jnp.zeros(4)}))
    read = meter.read()
    ours = [1000 * read[name] for name in ("step_s_median", "step_s_p90", "step_s_p99", "step_s_max")]
    assert ours == pytest.approx([*np.percentile(np.arange(1, 101) / 4, (50, 90, 99)), 25])
    assert read["images_per_s"] == pytest.approx(4 * 400 / seconds.sum())
    assert meter.read() == {}  # only what has ended since


def test_memory_of_the_fullest_device(monkeypatch):
    class Device:
        def __init__(self, **statistics):
            self.memory_stats = lambda: statistics or None

    devices = [Device(bytes_in_use=3, peak_bytes_in_use=9), Device(bytes_in_use=5, peak_bytes_in_use=5), Device()]
    monkeypatch.setattr("sr_jax.training.monitor.jax.local_devices", lambda: devices)
    assert {name: value for name, value in memory_in_use().items() if name != "host_bytes"} == {
        "device_bytes": 5,
        "device_bytes_peak": 9,
    }


def test_memory_of_this_process():
    """CPU devices do not count their memory. 64 MiB more of the host's are seen."""
    if not Path("/proc/self/statm").exists():
        assert memory_in_use() == {}
        return
    before = memory_in_use()
    assert before.keys() == {"host_bytes"}
    block = np.ones(2**26, np.uint8)
    after = memory_in_use()["host_bytes"]
    assert 2**25 < after - before["host_bytes"] < 2**27
    del block


def test_skipped_steps_are_counted_and_not_averaged():
    metrics = Metrics(lambda step: f"batch {step}")
    metrics.add(0, {"loss": jnp.array([1.0, jnp.nan, 3.0]), "skipped": jnp.array([0.0, 1.0, 0.0])})
    metrics.settle()
    assert metrics.take() == {"loss": 2.0, "skipped": 1.0}
    metrics.add(3, {"loss": jnp.array([jnp.nan]), "skipped": jnp.array([1.0])})
    metrics.settle()
    assert math.isnan(metrics.take()["loss"])


def test_a_loss_that_is_not_finite_and_not_skipped_stops():
    metrics = Metrics(lambda step: f"batch {step}")
    metrics.add(5, {"loss": jnp.array([jnp.nan, jnp.inf]), "skipped": jnp.array([1.0, 0.0])})
    with pytest.raises(TrainingError, match="the loss became inf in step 6; batch 6"):
        metrics.settle()


def test_too_many_skipped_steps_in_a_row_stop():
    metrics = Metrics(lambda step: f"batch {step}")
    some = {"loss": jnp.full(60, jnp.nan), "skipped": jnp.ones(60)}
    metrics.add(0, some)
    metrics.add(60, {"loss": jnp.ones(1), "skipped": jnp.zeros(1)})
    metrics.add(61, some)
    metrics.add(121, some)
    with pytest.raises(TrainingError, match=r"101 steps in a row were skipped.*the last one was step 161; batch 61"):
        metrics.settle()
