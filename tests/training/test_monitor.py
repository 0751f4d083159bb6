import jax.numpy as jnp
import numpy as np
import pytest

from sr_jax.errors import TrainingError
from sr_jax.training.monitor import Meter, Metrics


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
    meter.start()
    with meter.waiting(busy=lambda: False):
        clock.now += 1
    clock.now += 9
    meter.count(5)
    assert meter.read() == {"images_per_s": 2.0, "wait_share": 0.1}
    with meter.paused():
        clock.now += 50
    with meter.waiting(busy=lambda: True):  # the devices were at work all the while
        clock.now += 10
    meter.count(10)
    assert meter.read() == {"images_per_s": 4.0, "wait_share": 0.0}
    assert meter.seconds == 20
    assert meter.wait_share == 0.05
