"""The forms of a transposed convolution. All compute the same output; their speed depends on the shapes."""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from sr_jax.ops.subpixel import Pair, depth_to_space, interleave

LAYOUT = ("NHWC", "HWIO", "NHWC")
"""The axes of images, kernels and outputs, for `lax.conv_general_dilated`."""


@dataclass(frozen=True)
class Axis:
    """The sizes along one spatial axis."""

    size: int  # input pixels
    kernel: int  # taps
    stride: int
    padding: int
    dilation: int
    out: int  # output pixels

    @property
    def taps(self) -> int:
        """The number of input pixels that contribute to one output, ceil(extent / stride)."""
        return -(-self.extent // self.stride)

    @property
    def extent(self) -> int:
        """The number of outputs from the first to the last to which one input pixel contributes."""
        return self.dilation * (self.kernel - 1) + 1

    # Before the crop by `padding`, the output consists of cells of `stride` outputs. Cell j takes x[j - m] for 0 <= m < taps.
    @property
    def first_cell(self) -> int:
        return self.padding // self.stride

    @property
    def cells(self) -> int:
        return (self.padding + self.out - 1) // self.stride - self.first_cell + 1

    @property
    def crop(self) -> int:
        """The number of outputs to cut from the first cell."""
        return self.padding - self.first_cell * self.stride

    @property
    def pads(self) -> Pair:
        """The zeros to add before and after x so that windows of `taps` pixels give the cells. Negative ones cut pixels."""
        return self.taps - 1 - self.first_cell, self.first_cell + self.cells - self.size


@dataclass(frozen=True)
class Geometry:
    """The sizes of a transposed convolution."""

    y: Axis
    x: Axis
    groups: int

    @property
    def phases(self) -> int:
        return self.y.stride * self.x.stride


Form = Callable[[Array, Array, Geometry], Array]


def dilated(x: Array, w: Array, g: Geometry) -> Array:
    """The definition: an ordinary convolution of x with stride - 1 zeros between its pixels."""
    kh, kw, i, o = w.shape
    w = w[::-1, ::-1].reshape(kh, kw, g.groups, i // g.groups, o).transpose(0, 1, 3, 2, 4)
    axes = (g.y, g.x)
    return lax.conv_general_dilated(
        x,
        w.reshape(kh, kw, i // g.groups, g.groups * o),
        window_strides=(1, 1),
        padding=[(a.extent - 1 - a.padding, a.out + a.padding - 1 - (a.size - 1) * a.stride) for a in axes],
        lhs_dilation=[a.stride for a in axes],
        rhs_dilation=[a.dilation for a in axes],
        dimension_numbers=LAYOUT,
        feature_group_count=g.groups,
    )


def phases(x: Array, w: Array, g: Geometry) -> Array:
    """One ordinary convolution with all phases as output channels."""
    taps = _taps_and_phases(w, g)[::-1, :, ::-1]  # (m, r, n, q, in, out)
    m, _, n, _, i, o = taps.shape
    taps = taps.reshape(m, g.y.stride, n, g.x.stride, g.groups, i // g.groups, o).transpose(0, 2, 5, 4, 1, 3, 6)
    filters = taps.reshape(m, n, i // g.groups, g.groups * g.phases * o)
    cells = lax.conv_general_dilated(
        x, filters, (1, 1), [g.y.pads, g.x.pads], dimension_numbers=LAYOUT, feature_group_count=g.groups
    )
    return _join(cells.reshape(*cells.shape[:3], g.groups, g.phases, o), g)


def gathered(x: Array, w: Array, g: Geometry) -> Array:
    """Multiplies the input pixels of each cell, side by side, by a matrix. For kernels with many outputs."""
    taps = _taps_and_phases(w, g)
    m, r, n, q, i, o = taps.shape
    x = _pad(x, g.y.pads, g.x.pads)
    x = x.reshape(*x.shape[:3], g.groups, i // g.groups)
    windows = [x[:, m - 1 - t : m - 1 - t + g.y.cells, n - 1 - u : n - 1 - u + g.x.cells] for t in range(m) for u in range(n)]
    pixels = x.shape[0] * g.y.cells * g.x.cells
    windows = jnp.concatenate(windows, -1).reshape(pixels, g.groups, m * n * i // g.groups)
    matrix = taps.reshape(m, r, n, q, g.groups, i // g.groups, o).transpose(4, 0, 2, 5, 1, 3, 6)
    matrix = matrix.reshape(g.groups, windows.shape[2], r * q * o)
    cells = windows[:, 0] @ matrix[0] if g.groups == 1 else jnp.einsum("ngk,gko->ngo", windows, matrix)
    return _join(cells.reshape(x.shape[0], g.y.cells, g.x.cells, g.groups, r * q, o), g)


def scattered(x: Array, w: Array, g: Geometry) -> Array:
    """Multiplies each input pixel by a matrix and adds the products to their cells. For kernels with few outputs."""
    taps = _taps_and_phases(w, g)
    m, r, n, q, i, o = taps.shape
    matrix = taps.transpose(0, 2, 1, 3, 5, 4).reshape(-1, i)
    pixels = math.prod(x.shape[:3])
    products = (matrix @ x.reshape(pixels, i).T).reshape(m, n, r * q * o, *x.shape[:3])
    rows = jnp.zeros((n, r * q * o, x.shape[0], g.y.cells, x.shape[2]), x.dtype)
    for t, product in enumerate(jnp.split(products, m)):
        rows += _pad(product[0], (g.y.pads[0] - (m - 1 - t), g.y.pads[1] - t), (0, 0), first=3)
    cells = jnp.zeros((r * q * o, x.shape[0], g.y.cells, g.x.cells), x.dtype)
    for u, row in enumerate(jnp.split(rows, n)):
        cells += _pad(row[0], (0, 0), (g.x.pads[0] - (n - 1 - u), g.x.pads[1] - u), first=2)
    return _join(cells.transpose(1, 2, 3, 0).reshape(*cells.shape[1:], 1, r * q, o), g)


def planes(x: Array, w: Array, g: Geometry) -> Array:
    """Writes each output plane out as one sum of planes. With few channels this is as fast as memory allows."""
    i_group, o_group = w.shape[2] // g.groups, w.shape[3]
    dtype = x.dtype
    x, w = (v.astype(jnp.promote_types(dtype, jnp.float32)) for v in (x, w))  # long sums in half precision are inaccurate

    def cell(windows: list[tuple[int, int, Array]], zero: Array) -> Array:
        planes = []
        for group, o in itertools.product(range(g.groups), range(o_group)):
            channels = range(i_group * group, i_group * (group + 1))
            planes.append(sum((window[i] * w[t, u, i, o] for t, u, window in windows for i in channels), zero[0]))
        return jnp.stack(planes, -1)

    return _sum_of_windows(x.transpose(3, 0, 1, 2), cell, g, first=2).astype(dtype)


def channelwise(x: Array, w: Array, g: Geometry) -> Array:
    """Writes a depthwise convolution out as one sum over the taps, for all channels at once."""
    dtype = x.dtype
    x, w = (v.astype(jnp.promote_types(dtype, jnp.float32)) for v in (x, w))

    def cell(windows: list[tuple[int, int, Array]], zero: Array) -> Array:
        return sum((window * jnp.broadcast_to(w[t, u, :, 0], zero.shape) for t, u, window in windows), zero)

    return _sum_of_windows(x, cell, g, first=1).astype(dtype)


def _sum_of_windows(
    x: Array, cell: Callable[[list[tuple[int, int, Array]], Array], Array], g: Geometry, *, first: int
) -> Array:
    """Joins the phases that `cell` computes, each from the tuples (tap, tap, window of x) that contribute to it."""
    axes = (g.y, g.x)
    reach = [[_reach(axis, phase) for phase in range(axis.stride)] for axis in axes]
    cells = [-(-axis.out // axis.stride) for axis in axes]
    pads = []
    for axis, phases, n in zip(axes, reach, cells, strict=True):
        shifts = [shift for phase in phases for _, shift in phase]
        pads.append((-min(shifts), n + max(shifts) - axis.size))
    x = _pad(x, *pads, first=first)

    def window(dy: int, dx: int) -> Array:
        y, x_ = dy + pads[0][0], dx + pads[1][0]
        rows = lax.slice_in_dim(x, y, y + cells[0], axis=first)
        return lax.slice_in_dim(rows, x_, x_ + cells[1], axis=first + 1)

    def phase(rows: list[Pair], columns: list[Pair]) -> Array:
        windows = [(t, u, window(dy, dx)) for (t, dy), (u, dx) in itertools.product(rows, columns)]
        return cell(windows, jnp.zeros_like(window(-pads[0][0], -pads[1][0])))

    out = interleave([[phase(r, q) for q in reach[1]] for r in reach[0]])
    return out[:, : g.y.out, : g.x.out]


def _reach(axis: Axis, phase: int) -> list[Pair]:
    """The pairs (tap, shift) that connect output `stride * n + phase` to input `n + shift`."""
    offsets = [(t, phase + axis.padding - axis.dilation * t) for t in range(axis.kernel)]
    return [(t, offset // axis.stride) for t, offset in offsets if offset % axis.stride == 0]


def _taps_and_phases(w: Array, g: Geometry) -> Array:
    """The kernel with the axes (taps, phases, taps, phases, in, out). Tap m of phase r is `w[m * stride + r]`, or zero."""
    edges = [(0, a.taps * a.stride - a.extent, a.dilation - 1) for a in (g.y, g.x)]
    w = lax.pad(w, jnp.zeros((), w.dtype), [*edges, (0, 0, 0), (0, 0, 0)])
    return w.reshape(g.y.taps, g.y.stride, g.x.taps, g.x.stride, *w.shape[2:])


def _join(cells: Array, g: Geometry) -> Array:
    """The output image of cells with the axes (b, cells, cells, groups, phases, out / groups)."""
    b, h, w, *channels = cells.shape
    out = depth_to_space(cells.swapaxes(3, 4).reshape(b, h, w, math.prod(channels)), (g.y.stride, g.x.stride))
    return out[:, g.y.crop : g.y.crop + g.y.out, g.x.crop : g.x.crop + g.x.out]


def _pad(x: Array, y_pads: Pair, x_pads: Pair, *, first: int = 1) -> Array:
    """Adds zeros around the axes `first` and `first + 1`, or cuts pixels where a pad is negative."""
    edges = [(0, 0, 0)] * x.ndim
    edges[first], edges[first + 1] = (*y_pads, 0), (*x_pads, 0)
    return lax.pad(x, jnp.zeros((), x.dtype), edges)
