import math

import pytest

from sr_jax import optim


def test_schedule():
    """Half a cosine: at half its length the mean of both ends."""
    rate = optim.cosine(lr=1e-2, warmup_steps=10, final_lr=1e-4, steps=110)
    assert rate(0) == 0
    assert float(rate(5)) == pytest.approx(5e-3)
    assert float(rate(10)) == pytest.approx(1e-2)
    assert float(rate(60)) == pytest.approx((1e-2 + 1e-4) / 2)
    assert float(rate(35)) == pytest.approx(1e-4 + (1e-2 - 1e-4) * (1 + math.cos(math.pi / 4)) / 2)
    assert float(rate(110)) == pytest.approx(1e-4)
