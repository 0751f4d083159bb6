"""The sampling plan: the image, the patch position and the symmetry of every example of every step.

The plan is a pure function of (seed, step), and there is no iterator state. So a run resumes at any step, and two integers
reproduce a batch on any number of processes.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Int32, UInt32

from sr_jax.errors import InputError


class Plan(NamedTuple):
    """A global batch, with one row for each example."""

    image: Int32[np.ndarray, "*n"]
    top: Int32[np.ndarray, "*n"]
    """First row of the HR patch [HR pixels], a multiple of the scale."""
    left: Int32[np.ndarray, "*n"]
    """First column of the HR patch [HR pixels], a multiple of the scale."""
    transform: Int32[np.ndarray, "*n"]
    """0 to 7, for the eight symmetries of the square; see `sr_jax.data.degrade.transform`."""
    draw: UInt32[np.ndarray, "*n 2"]
    """Data of each example's random key, from which its degradation is drawn."""


class Sampler:
    """Draws plans in which all aligned patch positions of all images, and all symmetries, are equally likely.

    Args:
      sizes: height and width of each image [HR pixels].
      patch: height and width of an HR patch, a multiple of `scale`.
      scale: positions are multiples of it, so that a patch lies on the LR grid.
      batch: examples in a global batch.
      names: names of the images with their sizes, for error messages.

    Raises:
      InputError: if a patch does not fit into the smallest image.
    """

    def __init__(self, sizes: list[tuple[int, int]], *, patch: int, scale: int, batch: int, seed: int, names: list[str]):
        smallest = min(range(len(sizes)), key=lambda i: min(sizes[i]))
        if min(sizes[smallest]) < patch:
            fitting = min(sizes[smallest]) // scale * scale
            smaller = f"use at most {fitting}, or " if fitting >= 2 * scale else ""
            raise InputError(
                f"a patch of {patch}x{patch} does not fit into the smallest image, {names[smallest]}; "
                f"{smaller}skip the images that are smaller"
            )
        self._scale, self._batch, self._seed = scale, batch, seed
        grid = (np.array(sizes, np.int64) - patch) // scale + 1  # rows and columns of positions in each image
        self._columns = grid[:, 1]
        self._ends = np.cumsum(grid.prod(1))
        self._starts = self._ends - grid.prod(1)

    def plan(self, step: int) -> Plan:
        """The plan of a step; the first step is 0."""
        return Plan(*(a[0] for a in self.plans(range(step, step + 1))))

    def plans(self, steps: range) -> Plan:
        """The plans of several steps, along a leading axis.

        The numbers are raw output of the counter-based generator Philox-4x64. NumPy guarantees that its stream never changes.
        """
        philox = [np.random.Philox(key=self._seed, counter=[0, step, 0, 0]) for step in steps]
        raw = np.stack([generator.random_raw(3 * self._batch) for generator in philox])
        choice, turn, draw = np.split(raw, 3, axis=1)
        position = (choice % np.uint64(self._ends[-1])).astype(np.int64)
        image = np.searchsorted(self._ends, position, side="right")
        row, column = np.divmod(position - self._starts[image], self._columns[image])
        halves = np.stack([draw >> np.uint64(32), draw & np.uint64(2**32 - 1)], -1)
        image, top, left, turn = (
            a.astype(np.int32) for a in (image, row * self._scale, column * self._scale, turn % np.uint64(8))
        )
        return Plan(image, top, left, turn, halves.astype(np.uint32))
