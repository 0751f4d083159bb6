"""Damages files at random."""

import numpy as np


def mutated(data: bytes, rng: np.random.Generator) -> bytes:
    """The file with one to three bytes changed, mostly near its beginning, or with its end cut off."""
    changed = bytearray(data)
    for _ in range(rng.integers(1, 4)):
        place = int(rng.integers(len(changed)))
        match rng.integers(8):
            case 0:
                changed = changed[: max(1, place)]
            case 1 | 2 | 3:
                changed[place] ^= 1 << int(rng.integers(8))
            case _:
                changed[min(place, int(rng.integers(120)))] = int(rng.integers(256))
    return bytes(changed)
