import numpy as np
import pytest

from sr_jax.data.images import Image
from sr_jax.data.records import tiles


class Listed(list):
    """Images in memory, as `records.build` takes them. It counts which are decoded."""

    def __init__(self, images):
        super().__init__(images)
        self.decoded = []

    def __getitem__(self, index):
        self.decoded.append(index)
        return super().__getitem__(index)

    def size(self, index):
        return super().__getitem__(index).pixels.nbytes if hasattr(super().__getitem__(index), "pixels") else 0


@pytest.fixture
def small_tiles(monkeypatch):
    """Tiles of 24 pixels, of which they share 8 with the next, so that small images have many."""
    monkeypatch.setattr(tiles, "STEP", 16)
    monkeypatch.setattr(tiles, "OVERLAP", 8)


@pytest.fixture
def images(rng):
    shapes = {"a": (70, 90, 3), "b": (13, 40, 1), "c": (24, 25, 3), "d": (60, 8, 3)}
    return [Image(name, rng.integers(0, 256, shape, dtype=np.uint8)) for name, shape in shapes.items()]
