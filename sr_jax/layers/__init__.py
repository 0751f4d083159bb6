"""Layers: Flax NNX modules made of `sr_jax.ops`, and how their kernels start.

The names listed here are the public ones; everything else may change. Features are NHWC and may have any values.
"""

from sr_jax.layers.activation import PReLU
from sr_jax.layers.converse import Converse2D
from sr_jax.layers.deconvolution import SUB_PIXEL_STEPS, Deconvolution, ResizeConv, SubPixel
from sr_jax.layers.fourier_deconv import FourierDeconv
from sr_jax.layers.initializers import HE_NORMAL, LECUN_NORMAL, PYTORCH_UNIFORM, Initializer, bilinear, icnr, identity

__all__ = [
    "HE_NORMAL",
    "LECUN_NORMAL",
    "PYTORCH_UNIFORM",
    "SUB_PIXEL_STEPS",
    "Converse2D",
    "Deconvolution",
    "FourierDeconv",
    "Initializer",
    "PReLU",
    "ResizeConv",
    "SubPixel",
    "bilinear",
    "icnr",
    "identity",
]
