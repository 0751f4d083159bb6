"""Transposed convolution: its options, and the choice of its form by shape."""

import functools
import operator
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from sr_jax.ops.conv_forms import Axis, Form, Geometry, channelwise, dilated, gathered, phases, planes, scattered
from sr_jax.ops.subpixel import Pair

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
    g = make_geometry(x, w, stride, padding, output_padding, dilation, groups)
    dtype = jnp.result_type(x, w)
    return _compiled(x.astype(dtype), w.astype(dtype), g)


def make_geometry(x, w, stride, padding, output_padding, dilation, groups) -> Geometry:
    """Checks the options of `conv_transpose2d` and computes the sizes of its arrays."""
    stride, dilation = _pair("stride", stride, minimum=1), _pair("dilation", dilation, minimum=1)
    groups, _ = _pair("groups", groups, minimum=1)
    if x.ndim != 4 or w.ndim != 4:
        raise ValueError(f"x {x.shape} and w {w.shape} must have the axes (b, h, w, in) and (kh, kw, in, out / groups)")
    padding, output_padding = _pair("padding", padding, minimum=0), _pair("output_padding", output_padding, minimum=0)
    kernel, i = w.shape[:2], w.shape[2]
    if x.shape[3] != i or i % groups or min(kernel) < 1:
        hint = f" and groups={groups}" if groups > 1 else ""
        raise ValueError(
            f"a kernel of shape {w.shape}, (kh, kw, in, out / groups), does not fit an input of {x.shape[3]} channels{hint}"
        )
    axes = []
    for axis, n in enumerate(x.shape[1:3]):
        k, s, p, extra, d = kernel[axis], stride[axis], padding[axis], output_padding[axis], dilation[axis]
        if extra >= max(s, d):
            raise ValueError(f"output_padding={extra} must be below the stride ({s}) or the dilation ({d})")
        axes.append(Axis(n, k, s, p, d, out=(n - 1) * s - 2 * p + d * (k - 1) + extra + 1))
    if min(axis.out for axis in axes) < 1:
        raise ValueError(
            f"a {x.shape[1]}x{x.shape[2]} input gives an empty output of {axes[0].out}x{axes[1].out}: "
            f"lower padding={padding} or enlarge the kernel ({kernel[0]}x{kernel[1]})"
        )
    return Geometry(axes[0], axes[1], groups)


def _pair(name: str, value: object, *, minimum: int) -> Pair:
    try:
        first, second = map(operator.index, value if isinstance(value, Sequence) else (value, value))
    except (TypeError, ValueError):
        first = second = minimum - 1
    if min(first, second) < minimum or isinstance(value, bool):
        raise ValueError(f"{name}={value!r} must be an integer of at least {minimum}, or a pair of them")
    return first, second


# The operator is linear in x and in w, so it is its own derivative. Reverse mode transposes the form in which the derivative
# is written. `_by_input` and `_by_kernel` choose the form whose transpose is fast.


def _forward(x: Array, w: Array, g: Geometry) -> Array:
    # Both forms multiply by zeros: the dilated form by those between the pixels of x, the other by those that pad the kernel to
    # whole cells. With stride 1 there are none, and the dilated form is a plain convolution.
    default = dilated if w.shape[0] * w.shape[1] <= g.y.taps * g.x.taps else phases
    cpu = channelwise if _is_depthwise(w, g) else planes if w.size <= MAX_WRITTEN_OUT else default
    return _on_cpu_or_elsewhere(cpu, default, x, w, g)


def _derivative(g: Geometry, primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
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


def _by_kernel(x: Array, w: Array, g: Geometry) -> Array:
    """The form for the derivative by w. XLA's own gradient of a convolution's kernel is several times slower on CPUs."""
    thin = g.groups == 1 and g.phases * w.shape[3] < w.shape[2]
    cpu = channelwise if _is_depthwise(w, g) else scattered if thin else gathered
    return _on_cpu_or_elsewhere(cpu, dilated, x, w, g)


def _by_input(x: Array, w: Array, g: Geometry) -> Array:
    """The form for the derivative by x. The transpose of the dilated form is an ordinary convolution with a stride."""
    return _on_cpu_or_elsewhere(channelwise if _is_depthwise(w, g) else dilated, dilated, x, w, g)


def _is_depthwise(w: Array, g: Geometry) -> bool:
    """Whether each channel has one filter. XLA's own depthwise convolutions are 25 times slower on CPUs than `channelwise`."""
    return g.groups == w.shape[2] and w.shape[3] == 1 and w.shape[0] * w.shape[1] <= MAX_WRITTEN_OUT


def _on_cpu_or_elsewhere(cpu: Form, elsewhere: Form, x: Array, w: Array, g: Geometry) -> Array:
    if cpu is elsewhere:
        return cpu(x, w, g)
    return lax.platform_dependent(x, w, cpu=lambda x, w: cpu(x, w, g), default=lambda x, w: elsewhere(x, w, g))
