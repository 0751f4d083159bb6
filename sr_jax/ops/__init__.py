"""Functions on arrays: transposed convolution, blur and its inverses, resizing, colours and JPEG.

The names in `__all__` are public; everything else may change.

Images have the axes (batch, height, width, channels). The functions of resizing, colours and JPEG take one image, too.

`restore` undoes a known blur of a photograph in one call. The Fourier operators on which it stands (`wiener`, `tikhonov`,
`data_step`, ...) invert the model `y = S(k * x)`, and `sr_jax.ops.blur` states its conventions. Spectra are half-spectra,
unnormalised, as computed by `jnp.fft.rfft2`. The computation runs in float32, or in float64 if an argument is float64; the
result has the type of the image, also for bfloat16. Integer images are refused: `to_float` converts them.

A transform sees the image repeated, which is the boundary "circular". Every other `boundary` first extends the image by
`margin` LR pixels and then crops the result (`sr_jax.ops.boundary`). The default is "smooth" where a blur is undone, and
"circular" for `fourier_product`. The default margin is the reach of the inverse, which exceeds the size of the kernel
(`inverse_support`). A margin determines shapes, so it cannot depend on traced values: where `jax.jit` or `jax.grad` traces the
kernel or lambda, give a `margin`. A kernel must not be larger than the image with its margin.
"""

from sr_jax.ops import blur_kernels
from sr_jax.ops.blur import blur_downsample, blur_downsample_adjoint
from sr_jax.ops.boundary import BOUNDARIES, crop_border, edgetaper, extend_border
from sr_jax.ops.circular_conv import fourier_product
from sr_jax.ops.color import network_input, rgb_to_y, rgb_to_ycbcr, to_float, to_uint8, ycbcr_to_rgb
from sr_jax.ops.conv import conv_transpose2d
from sr_jax.ops.data_steps import data_step, data_step_mixed
from sr_jax.ops.interpolate import enlarge
from sr_jax.ops.inverse_filters import constrained_least_squares, tikhonov, wiener
from sr_jax.ops.jpeg import apply_jpeg
from sr_jax.ops.margins import inverse_support
from sr_jax.ops.noise import estimate_noise
from sr_jax.ops.resize import bicubic_downsample, bicubic_upsample, imresize, imresize_host
from sr_jax.ops.resize_kernels import bicubic_kernel
from sr_jax.ops.restoration import restore
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
    "estimate_noise",
    "extend_border",
    "fourier_product",
    "imresize",
    "imresize_host",
    "inverse_support",
    "network_input",
    "otf_to_psf",
    "psf_to_otf",
    "restore",
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
