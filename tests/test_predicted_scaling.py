"""The predicted efficiencies of docs/scaling.md, against arithmetic by hand."""

import pytest

from benchmarks.predicted_scaling import DEVICES, Network, predict

V5E, V6E, V5P, H100 = DEVICES
SMALL = Network("small", parameters=12_500, multiply_adds=10**7, utilisation=0.05)
LARGE = Network("large", parameters=45_000_000, multiply_adds=10**11, utilisation=0.5)


@pytest.mark.parametrize(
    ("device", "chips", "small", "large"),
    [
        # 50 kB only wait: half the lengths of all axes, 1 us each; there and back; twice that without a wrap-around.
        # 180 MB are bound by 90 GB/s on each of 2 axes: 1000 us there and 1000 us back.
        (V5E, 8, (2 + 4) / 2 * 2 * 2, 4000),
        (V5E, 64, (8 + 8) / 2 * 2 * 2, 4000),
        (V5E, 256, (16 + 16) / 2 * 2, 2000),
        (V6E, 256, 32, 1000),
        # 180 GB/s on each of 3 axes, which wrap around from length 4 on
        (V5P, 8, (2 + 2 + 2) / 2 * 2 * 2, 1333.3),
        (V5P, 64, 12, 666.7),
        (V5P, 256, 20, 666.7),
        # 2 x 7/8 of 50 kB at 150 GB/s, and of 180 MB at 370 GB/s; then 2 x V at 400 GB/s to other nodes
        (H100, 8, 0.583, 851.4),
        (H100, 64, 0.583 + 0.25, 851.4 + 900),
    ],
)
def test_all_reduce(device, chips, small, large):
    for network, expected in ((SMALL, small), (LARGE, large)):
        row = predict(network, device, chips=chips, batch=16 * chips)
        assert row["reducing"] * 1e6 == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(
    ("chips", "batch", "computing", "efficiency"),
    [
        # 3 passes x 2 x 10^7 x 16 patches = 9.6e8 operations at 5 % of 197e12 in a second: 97.5 us
        (256, 16 * 256, 97.46, 97.46 / (97.46 + 32)),
        (64, 16 * 64, 97.46, 97.46 / (97.46 + 32)),
        (8, 16, 97.46 / 8, 97.46 / (97.46 + 8 * 12)),
    ],
)
def test_efficiency(chips, batch, computing, efficiency):
    row = predict(SMALL, V5E, chips=chips, batch=batch)
    assert row["computing"] * 1e6 == pytest.approx(computing, rel=1e-3)
    assert row["efficiency"] == pytest.approx(efficiency, rel=1e-3)
