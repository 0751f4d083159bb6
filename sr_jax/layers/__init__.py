"""Flax NNX modules made of `sr_jax.ops`."""

from sr_jax.layers.activation import PReLU
from sr_jax.layers.deconvolution import Deconvolution, ResizeConv, SubPixel
from sr_jax.layers.fourier import Converse2D, FourierDeconv
from sr_jax.layers.initializers import HE_NORMAL, LECUN_NORMAL, Initializer, bilinear, icnr, identity

__all__ = [
    "HE_NORMAL",
    "LECUN_NORMAL",
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
