"""A batch of 0 images gives 0 images of the right size, as in PyTorch."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from sr_jax import layers, ops

K3, K4 = jnp.full((3, 3), 1 / 9), jnp.full((4, 4), 1 / 16)
RNGS = nnx.Rngs(0)


def zeros(y, h, w, c):
    return jnp.zeros((y.shape[0], h, w, c))


def rgb(y):
    return jnp.concatenate([y, y[..., :1]], -1)


def transposed(i, o, k=4, *, groups=1):
    def call(y):
        return ops.conv_transpose2d(zeros(y, 6, 8, i), jnp.zeros((k, k, i, o)), stride=2, padding=1, groups=groups)

    return call


def gradients(i, o, k=4, *, groups=1):
    """The derivatives by x and by the kernel, which have forms of their own."""

    def call(y):
        def loss(x, w):
            return jnp.sum(ops.conv_transpose2d(x, w, stride=2, padding=1, groups=groups) ** 2)

        by_x, by_w = jax.grad(loss, (0, 1))(zeros(y, 6, 8, i), jnp.zeros((k, k, i, o)))
        assert by_w.shape == (k, k, i, o)
        return by_x

    return call


def predicted(y):
    layer = layers.FourierDeconv(2, kernel_size=4, scale=2, kernel="predicted", lam_mode="predicted")
    return layer(y, jnp.zeros((y.shape[0], 4, 4, 2)), jnp.ones((y.shape[0], 2)))


CALLS = {
    "transposed, planes": transposed(2, 3),
    "transposed, phases": transposed(64, 64),
    "transposed, grouped": transposed(64, 32, groups=2),
    "transposed, depthwise": transposed(2, 1, groups=2),
    "gradients, planes": gradients(2, 3),
    "gradients, gathered": gradients(64, 64),
    "gradients, scattered": gradients(64, 1, 9),
    "gradients, depthwise": gradients(2, 1, groups=2),
    "blur_downsample": lambda y: ops.blur_downsample(y, K4, scale=2),
    "blur_downsample_adjoint": lambda y: ops.blur_downsample_adjoint(y, K4, scale=2),
    "data_step": lambda y: ops.data_step(y, K4, zeros(y, 12, 16, 2), 1e-2, scale=2),
    "data_step, a lambda for each image": lambda y: ops.data_step(
        y, zeros(y, 4, 4, 2), zeros(y, 12, 16, 2), jnp.ones((y.shape[0], 2)), scale=2, margin=3
    ),
    "data_step_mixed": lambda y: ops.data_step_mixed(y, jnp.ones((4, 4, 3, 2)), zeros(y, 12, 16, 3), 0.1, scale=2),
    "fourier_product": lambda y: ops.fourier_product(y, K4, scale=2),
    "tikhonov": lambda y: ops.tikhonov(y, K3, 0.1),
    "constrained_least_squares": lambda y: ops.constrained_least_squares(y, K3, 0.1),
    "wiener": lambda y: ops.wiener(y, K3),
    "restore": lambda y: ops.restore(y, K3),
    "estimate_noise": ops.estimate_noise,
    "edgetaper": lambda y: ops.edgetaper(y, K3[None, :, :, None]),
    "extend_border": lambda y: ops.extend_border(y, 2, "smooth"),
    "enlarge": lambda y: ops.enlarge(y, scale=2, method="bicubic", boundary="symmetric"),
    "imresize": lambda y: ops.imresize(y, scale=0.7, kernel="bicubic", antialias=True),
    "bicubic_downsample": lambda y: ops.bicubic_downsample(y, 2),
    "bicubic_upsample": lambda y: ops.bicubic_upsample(y, 2),
    "depth_to_space": lambda y: ops.depth_to_space(jnp.tile(y, 2), 2),
    "space_to_depth": lambda y: ops.space_to_depth(y, 2),
    "rgb_to_ycbcr": lambda y: ops.rgb_to_ycbcr(rgb(y)),
    "to_uint8": ops.to_uint8,
    "Deconvolution": layers.Deconvolution(2, 3, 4, 2, 1, rngs=RNGS),
    "SubPixel": layers.SubPixel(2, 3, scale=2, rngs=RNGS),
    "ResizeConv": layers.ResizeConv(2, 3, scale=2, rngs=RNGS),
    "Converse2D": layers.Converse2D(2, 4, scale=2, boundary="replicate", rngs=RNGS),
    "Converse2D, stencil": layers.Converse2D(2, 2, scale=2, rngs=RNGS),
    "Converse2D, materialised": layers.Converse2D(2, 2, scale=2, rngs=RNGS).materialise(),
    "FourierDeconv": layers.FourierDeconv(2, kernel_size=4, scale=2),
    "FourierDeconv, literal": layers.FourierDeconv(2, kernel_size=4, scale=2, mode="literal"),
    "FourierDeconv, predicted": predicted,
    "PReLU": layers.PReLU(2),
}


@pytest.mark.parametrize("name", CALLS)
def test_no_images(name):
    one, none = (jax.eval_shape(CALLS[name], jax.ShapeDtypeStruct((n, 6, 8, 2), jnp.float32)) for n in (1, 0))
    assert (none.shape, none.dtype) == ((0, *one.shape[1:]), one.dtype)


@pytest.mark.parametrize("name", ["transposed, planes", "data_step, a lambda for each image", "restore", "Converse2D"])
def test_no_images_outside_of_jit(name):
    assert CALLS[name](jnp.zeros((0, 6, 8, 2))).shape[0] == 0


def test_the_reach_of_no_kernels():
    assert ops.inverse_support(np.zeros((0, 3, 3, 1)), 0.1) == 0
