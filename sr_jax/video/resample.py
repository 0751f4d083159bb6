"""Resamples planes of samples whose grids need not lie on the pixels, as those of chroma in a video.

A grid is given by the position of its first sample and by its step, in pixels of the source's luma. Kernel and edges are those
of MATLAB's `imresize`: Keys' cubic kernel, which is widened where the grid becomes coarser, and symmetric reflection.
"""

import functools
import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32
from scipy import sparse

from sr_jax.ops.resize_kernels import find_kernel

KERNEL = find_kernel("bicubic")


class Grid(NamedTuple):
    """The positions `first + step * i` of samples along one axis, for i < size."""

    size: int
    first: float = 0.0
    step: float = 1.0


def scaled(grid: Grid, factor: float) -> Grid:
    """Returns a grid of an image in the pixels of another one, which is `factor` times smaller.

    The edges of both images coincide, so that pixel i of the larger one lies at `(i + 0.5) / factor - 0.5`.
    """
    return Grid(grid.size, (grid.first + 0.5) / factor - 0.5, grid.step / factor)


def resample(
    plane: Float32[np.ndarray, "h w"], source: tuple[Grid, Grid], target: tuple[Grid, Grid]
) -> Float32[np.ndarray, "sh sw"]:
    """Returns the values at the positions of the target.

    Args:
      source, target: the grids of rows and columns.
    """
    rows, columns = (_weights(one, other) for one, other in zip(source, target, strict=True))
    if rows is not None:
        plane = rows @ plane
    if columns is not None:
        plane = (columns @ np.ascontiguousarray(plane.T)).T
    return np.ascontiguousarray(plane)


@functools.lru_cache(maxsize=64)
def _weights(source: Grid, target: Grid) -> sparse.csr_array | None:
    """The matrix of one axis, in float32; None if the grids are the same."""
    if source == target:
        return None
    shrink = min(1.0, source.step / target.step)
    centre = (target.first + target.step * np.arange(target.size) - source.first) / source.step
    reach = KERNEL.support / shrink
    index = np.floor(centre - reach).astype(np.int64)[:, None] + np.arange(math.ceil(2 * reach) + 2)
    weights = KERNEL.values((centre[:, None] - index) * shrink, 1).astype(np.float64)
    weights /= weights.sum(1, keepdims=True)
    mirrored = index % (2 * source.size)
    columns = np.minimum(mirrored, 2 * source.size - 1 - mirrored)
    rows = np.broadcast_to(np.arange(target.size)[:, None], columns.shape)
    entries = (weights.ravel(), (rows.ravel(), columns.ravel()))
    matrix = sparse.csr_array(entries, shape=(target.size, source.size))  # adds up what is reflected to one sample
    matrix.eliminate_zeros()
    return sparse.csr_array(matrix, dtype=np.float32)
