from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def save(rng):
    """Writes random images, and returns their pixels."""

    def write(folder: Path, *names: str, shape=(12, 10, 3)) -> dict[str, np.ndarray]:
        pixels = {name: rng.integers(0, 256, shape, dtype=np.uint8) for name in names}
        for name, array in pixels.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(array.squeeze()).save(folder / name)
        return pixels

    return write
