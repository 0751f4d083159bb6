"""Flax NNX modules made of `sr_jax.ops`."""

from sr_jax.layers.activation import PReLU
from sr_jax.layers.deconvolution import Deconvolution

__all__ = ["Deconvolution", "PReLU"]
