import jax.numpy as jnp
import numpy as np
import pytest

from sr_jax.errors import TrainingError
from sr_jax.training.monitor import Losses, Meter


def test_mean_since_the_last_call():
    losses = Losses(str)
    losses.add(0, jnp.array([1.0, 2.0]))
    losses.add(2, jnp.array([6.0]))
    losses.settle()
    assert losses.take() == 3.0
    losses.add(3, jnp.array([5.0]))
    losses.settle()
    assert losses.take() == 5.0


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_bad_loss_names_its_step(bad):
    losses = Losses(lambda step: f"described {step}")
    losses.add(10, jnp.array([1.0, 1.0]))
    losses.add(12, jnp.array([1.0, bad, 1.0]))  # checked when the next one is begun
    with pytest.raises(TrainingError, match="step 13; described 13"):
        losses.settle()


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
