"""Transposed convolution."""

import functools
import itertools
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from sr_jax.ops.subpixel import Pair, depth_to_space, interleave

LAYOUT = ("NHWC", "HWIO", "NHWC")

# On CPUs, the sums are written out in the program instead of looped over if they have at most so many products.
MAX_WRITTEN_OUT = 320


def conv_transpose2d(
    x: Float[Array, "b h w i"],
    w: Float[Array, "kh kw i2 o_group"],
    *,
    stride: int | Pair,
    padding: int | Pair,
    output_padding: int | Pair = 0,
    dilation: int | Pair = 1,
    groups: int = 1,
) -> Float[Array, "b h_out w_out o"]:
    """Transposed convolution, PyTorch's `conv_transpose2d` on NHWC.

    For all input pixels y and taps t, `out[stride * y + dilation * t - padding] += x[y] @ w[t]`. Height and width become

        (n - 1) * stride - 2 * padding + dilation * (k - 1) + output_padding + 1

    The usual form is one convolution that computes all output phases as channels, and a depth-to-space (Shi et al. 2016,
    arXiv 1609.07009). Where another form is faster, it is used instead (`docs/deconvolution.md`). All are exact and have
    derivatives of any order.

    Args:
      x: values in any range.
      w: the kernel with the axes (kh, kw, in, out / groups): PyTorch's `weight.permute(2, 3, 0, 1)`.
      stride, padding, output_padding, dilation: as in PyTorch. Each is an integer or a pair (vertical, horizontal).
      groups: the channels are split into so many equal parts, and each part of the input makes one part of the output.

    Raises:
      ValueError: if the output would be empty, `groups` does not divide the channels, `output_padding` is not below the
        stride or the dilation, an option is not an integer or a pair of them, or `w` does not fit `x`.

    Example:
      >>> import jax.numpy as jnp
      >>> from sr_jax.ops import conv_transpose2d
      >>> conv_transpose2d(jnp.ones((1, 6, 8, 3)), jnp.ones((4, 4, 3, 3)), stride=2, padding=1).shape
      (1, 12, 16, 3)
    """
    g = _geometry(x, w, stride, padding, output_padding, dilation, groups)
    dtype = jnp.result_type(x, w)
    return _compiled(x.astype(dtype), w.astype(dtype), g)


@dataclass(frozen=True)
class _Axis:
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

    # Before it is cropped by `padding`, the output is cut into cells of `stride` outputs; cell j takes x[j - m], 0 <= m < taps.
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
class _Geometry:
    y: _Axis
    x: _Axis
    groups: int

    @property
    def phases(self) -> int:
        return self.y.stride * self.x.stride


def _geometry(x, w, stride, padding, output_padding, dilation, groups) -> _Geometry:
    stride, dilation = _pair("stride", stride, minimum=1), _pair("dilation", dilation, minimum=1)
    groups, _ = _pair("groups", groups, minimum=1)
    if x.ndim != 4 or w.ndim != 4:
        raise ValueError(f"x {x.shape} and w {w.shape} must have the axes (b, h, w, in) and (kh, kw, in, out / groups)")
    padding, output_padding = _pair("padding", padding, minimum=0), _pair("output_padding", output_padding, minimum=0)
    kernel, i = w.shape[:2], w.shape[2]
    if x.shape[3] != i or i % groups or min(kernel) < 1:
        hint = f", or does not divide by groups={groups}" if groups > 1 else ""
        raise ValueError(
            f"a kernel of shape {w.shape}, (kh, kw, in, out / groups), does not fit an input of {x.shape[3]} channels{hint}"
        )
    axes = []
    for axis, n in enumerate(x.shape[1:3]):
        k, s, p, extra, d = kernel[axis], stride[axis], padding[axis], output_padding[axis], dilation[axis]
        if extra >= max(s, d):
            raise ValueError(f"output_padding={extra} must be below the stride ({s}) or the dilation ({d})")
        axes.append(_Axis(n, k, s, p, d, out=(n - 1) * s - 2 * p + d * (k - 1) + extra + 1))
    if min(axis.out for axis in axes) < 1:
        raise ValueError(
            f"a {x.shape[1]}x{x.shape[2]} input gives an empty output of {axes[0].out}x{axes[1].out}: "
            f"lower padding={padding} or enlarge the kernel ({kernel[0]}x{kernel[1]})"
        )
    return _Geometry(axes[0], axes[1], groups)


def _pair(name: str, value: object, *, minimum: int) -> Pair:
    try:
        first, second = map(operator.index, value if isinstance(value, Sequence) else (value, value))
    except (TypeError, ValueError):
        first = second = minimum - 1
    if min(first, second) < minimum or isinstance(value, bool):
        raise ValueError(f"{name}={value!r} must be an integer of at least {minimum}, or a pair of them")
    return first, second


_Form = Callable[[Array, Array, _Geometry], Array]

# The operator is linear in x and in w, so it is its own derivative. Reverse mode transposes the form in which the derivative
# is written. `_by_input` and `_by_kernel` choose the form whose transpose is fast.


def _forward(x: Array, w: Array, g: _Geometry) -> Array:
    # Both forms multiply by zeros: the dilated form by those between the pixels of x, the other by those that pad the kernel to
    # whole cells. With stride 1 there are none, and the dilated form is a plain convolution.
    default = _dilated if w.shape[0] * w.shape[1] <= g.y.taps * g.x.taps else _phases
    cpu = _channelwise if _is_depthwise(w, g) else _planes if w.size <= MAX_WRITTEN_OUT else default
    return _on_cpu_or_elsewhere(cpu, default, x, w, g)


def _derivative(g: _Geometry, primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    x, w = primals
    dx, dw = tangents
    zero = jax.custom_derivatives.SymbolicZero
    out = _conv_transpose2d(x, w, g)
    terms = []
    if not isinstance(dx, zero):
        terms.append(_by_input(dx, w, g))
    if not isinstance(dw, zero):
        terms.append(_by_kernel(x, dw, g))
    return out, functools.reduce(jnp.add, terms) if terms else jnp.zeros_like(out)


_conv_transpose2d = jax.custom_jvp(_forward, nondiff_argnums=(2,))
_conv_transpose2d.defjvp(_derivative, symbolic_zeros=True)
_compiled = jax.jit(_conv_transpose2d, static_argnums=2)  # for calls outside of a jitted function


def _by_kernel(x: Array, w: Array, g: _Geometry) -> Array:
    """The form for the derivative by w. XLA's own gradient of a convolution's kernel is several times slower on CPUs."""
    thin = g.groups == 1 and g.phases * w.shape[3] < w.shape[2]
    cpu = _channelwise if _is_depthwise(w, g) else _scattered if thin else _gathered
    return _on_cpu_or_elsewhere(cpu, _dilated, x, w, g)


def _by_input(x: Array, w: Array, g: _Geometry) -> Array:
    """The form for the derivative by x. The transpose of the dilated form is an ordinary convolution with a stride."""
    return _on_cpu_or_elsewhere(_channelwise if _is_depthwise(w, g) else _dilated, _dilated, x, w, g)


def _is_depthwise(w: Array, g: _Geometry) -> bool:
    """Whether each channel has one filter. XLA's own depthwise convolutions are 25 times slower on CPUs than `_channelwise`."""
    return g.groups == w.shape[2] and w.shape[3] == 1 and w.shape[0] * w.shape[1] <= MAX_WRITTEN_OUT


def _on_cpu_or_elsewhere(cpu: _Form, elsewhere: _Form, x: Array, w: Array, g: _Geometry) -> Array:
    if cpu is elsewhere:
        return cpu(x, w, g)
    return lax.platform_dependent(x, w, cpu=lambda x, w: cpu(x, w, g), default=lambda x, w: elsewhere(x, w, g))


def _dilated(x: Array, w: Array, g: _Geometry) -> Array:
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


def _phases(x: Array, w: Array, g: _Geometry) -> Array:
    """One ordinary convolution with all phases as output channels."""
    taps = _taps_and_phases(w, g)[::-1, :, ::-1]  # (m, r, n, q, in, out)
    m, _, n, _, i, o = taps.shape
    taps = taps.reshape(m, g.y.stride, n, g.x.stride, g.groups, i // g.groups, o).transpose(0, 2, 5, 4, 1, 3, 6)
    filters = taps.reshape(m, n, i // g.groups, g.groups * g.phases * o)
    cells = lax.conv_general_dilated(
        x, filters, (1, 1), [g.y.pads, g.x.pads], dimension_numbers=LAYOUT, feature_group_count=g.groups
    )
    return _join(cells.reshape(*cells.shape[:3], g.groups, g.phases, o), g)


def _gathered(x: Array, w: Array, g: _Geometry) -> Array:
    """Multiplies the input pixels of each cell, side by side, by a matrix. For kernels with many outputs."""
    taps = _taps_and_phases(w, g)
    m, r, n, q, i, o = taps.shape
    x = _pad(x, g.y.pads, g.x.pads)
    x = x.reshape(*x.shape[:3], g.groups, i // g.groups)
    windows = [x[:, m - 1 - t : m - 1 - t + g.y.cells, n - 1 - u : n - 1 - u + g.x.cells] for t in range(m) for u in range(n)]
    windows = jnp.concatenate(windows, -1).reshape(-1, g.groups, m * n * i // g.groups)
    matrix = taps.reshape(m, r, n, q, g.groups, i // g.groups, o).transpose(4, 0, 2, 5, 1, 3, 6)
    matrix = matrix.reshape(g.groups, windows.shape[2], r * q * o)
    cells = windows[:, 0] @ matrix[0] if g.groups == 1 else jnp.einsum("ngk,gko->ngo", windows, matrix)
    return _join(cells.reshape(x.shape[0], g.y.cells, g.x.cells, g.groups, r * q, o), g)


def _scattered(x: Array, w: Array, g: _Geometry) -> Array:
    """Multiplies each input pixel by a matrix and adds the products to their cells. For kernels with few outputs."""
    taps = _taps_and_phases(w, g)
    m, r, n, q, i, o = taps.shape
    matrix = taps.transpose(0, 2, 1, 3, 5, 4).reshape(-1, i)
    products = (matrix @ x.reshape(-1, i).T).reshape(m, n, r * q * o, *x.shape[:3])
    rows = jnp.zeros((n, r * q * o, x.shape[0], g.y.cells, x.shape[2]), x.dtype)
    for t, product in enumerate(jnp.split(products, m)):
        rows += _pad(product[0], (g.y.pads[0] - (m - 1 - t), g.y.pads[1] - t), (0, 0), first=3)
    cells = jnp.zeros((r * q * o, x.shape[0], g.y.cells, g.x.cells), x.dtype)
    for u, row in enumerate(jnp.split(rows, n)):
        cells += _pad(row[0], (0, 0), (g.x.pads[0] - (n - 1 - u), g.x.pads[1] - u), first=2)
    return _join(cells.transpose(1, 2, 3, 0).reshape(*cells.shape[1:], 1, r * q, o), g)


def _planes(x: Array, w: Array, g: _Geometry) -> Array:
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


def _channelwise(x: Array, w: Array, g: _Geometry) -> Array:
    """Writes a depthwise convolution out as one sum over the taps, for all channels at once."""
    dtype = x.dtype
    x, w = (v.astype(jnp.promote_types(dtype, jnp.float32)) for v in (x, w))

    def cell(windows: list[tuple[int, int, Array]], zero: Array) -> Array:
        return sum((window * jnp.broadcast_to(w[t, u, :, 0], zero.shape) for t, u, window in windows), zero)

    return _sum_of_windows(x, cell, g, first=1).astype(dtype)


def _sum_of_windows(
    x: Array, cell: Callable[[list[tuple[int, int, Array]], Array], Array], g: _Geometry, *, first: int
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


def _reach(axis: _Axis, phase: int) -> list[Pair]:
    """The pairs (tap, shift) that connect output `stride * n + phase` to input `n + shift`."""
    offsets = [(t, phase + axis.padding - axis.dilation * t) for t in range(axis.kernel)]
    return [(t, offset // axis.stride) for t, offset in offsets if offset % axis.stride == 0]


def _taps_and_phases(w: Array, g: _Geometry) -> Array:
    """The kernel with the axes (taps, phases, taps, phases, in, out). Tap m of phase r is `w[m * stride + r]`, or zero."""
    edges = [(0, a.taps * a.stride - a.extent, a.dilation - 1) for a in (g.y, g.x)]
    w = lax.pad(w, jnp.zeros((), w.dtype), [*edges, (0, 0, 0), (0, 0, 0)])
    return w.reshape(g.y.taps, g.y.stride, g.x.taps, g.x.stride, *w.shape[2:])


def _join(cells: Array, g: _Geometry) -> Array:
    """The output image of cells with the axes (b, cells, cells, groups, phases, out / groups)."""
    b, h, w, *_ = cells.shape
    out = depth_to_space(cells.swapaxes(3, 4).reshape(b, h, w, -1), (g.y.stride, g.x.stride))
    return out[:, g.y.crop : g.y.crop + g.y.out, g.x.crop : g.x.crop + g.x.out]


def _pad(x: Array, y_pads: Pair, x_pads: Pair, *, first: int = 1) -> Array:
    """Adds zeros around the axes `first` and `first + 1`, or cuts pixels where a pad is negative."""
    edges = [(0, 0, 0)] * x.ndim
    edges[first], edges[first + 1] = (*y_pads, 0), (*x_pads, 0)
    return lax.pad(x, jnp.zeros((), x.dtype), edges)
