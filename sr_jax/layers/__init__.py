"""Flax NNX modules made of `sr_jax.ops`."""

from sr_jax.layers.activation import PReLU
from sr_jax.layers.deconvolution import SUB_PIXEL_STEPS, Deconvolution, ResizeConv, SubPixel
from sr_jax.layers.fourier import Converse2D, FourierDeconv
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
