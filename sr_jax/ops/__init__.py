"""Functions on arrays: transposed convolution, blur and its Fourier inverses, resizing, colour, JPEG.

The names listed here are the public ones; everything else may change. Images are NHWC.
"""

from sr_jax.ops import blur_kernels
from sr_jax.ops.blur import blur_downsample, blur_downsample_adjoint
from sr_jax.ops.boundary import BOUNDARIES, crop_border, edgetaper, extend_border
from sr_jax.ops.circular_conv import fourier_product
from sr_jax.ops.color import rgb_to_y, rgb_to_ycbcr, to_float, to_uint8, ycbcr_to_rgb
from sr_jax.ops.conv import conv_transpose2d
from sr_jax.ops.data_steps import data_step, data_step_mixed
from sr_jax.ops.interpolate import enlarge
from sr_jax.ops.inverse_filters import constrained_least_squares, tikhonov, wiener
from sr_jax.ops.jpeg import apply_jpeg
from sr_jax.ops.margins import inverse_support
from sr_jax.ops.resize import bicubic_downsample, bicubic_upsample, imresize, imresize_host
from sr_jax.ops.resize_kernels import bicubic_kernel
from sr_jax.ops.spectra import otf_to_psf, psf_to_otf
from sr_jax.ops.subpixel import depth_to_space, space_to_depth, subpixel_from_transposed, transposed_from_subpixel

__all__ = [
    "BOUNDARIES",
    "apply_jpeg",
    "bicubic_downsample",
    "bicubic_kernel",
    "bicubic_upsample",
    "blur_downsample",
    "blur_downsample_adjoint",
    "blur_kernels",
    "constrained_least_squares",
    "conv_transpose2d",
    "crop_border",
    "data_step",
    "data_step_mixed",
    "depth_to_space",
    "edgetaper",
    "enlarge",
    "extend_border",
    "fourier_product",
    "imresize",
    "imresize_host",
    "inverse_support",
    "otf_to_psf",
    "psf_to_otf",
    "rgb_to_y",
    "rgb_to_ycbcr",
    "space_to_depth",
    "subpixel_from_transposed",
    "tikhonov",
    "to_float",
    "to_uint8",
    "transposed_from_subpixel",
    "wiener",
    "ycbcr_to_rgb",
]
