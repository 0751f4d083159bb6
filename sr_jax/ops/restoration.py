"""Undoing a blur in one call, for photographs."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Num

from sr_jax.ops.blur import BlurKernel, Pair
from sr_jax.ops.color import to_float
from sr_jax.ops.inverse_filters import wiener
from sr_jax.ops.noise import HALF_LEVEL
from sr_jax.ops.spectra import PerChannel, check_kernel, check_not_negative

_RANGE = (-1.0, 2.0)
"""Float images in [0, 1] stay within these values, even with strong noise."""


def restore(
    image: Num[Array | np.ndarray, "*b h w c"],
    psf: BlurKernel | np.ndarray,
    *,
    noise: PerChannel | None = None,
    centre: int | Pair | None = None,
) -> Num[Array, "*b h w c"]:
    """Restores a photograph that was blurred with a known kernel.

    This is `wiener` with the power spectrum of photographs and the smooth boundary. The kernel is divided by its sum, and the
    result is clipped to [0, 1]. The noise is taken as at least 0.002, half a gray level, because images are rounded and what
    lies beyond the border is unknown. `docs/deconvolution.md` has the PSNR on Set14. It is never below that of the blurred
    image there, for noise from 0 to 5 %.

    Args:
      image: an image or a batch of images: float in [0, 1], uint8 or uint16.
      psf: the blur kernel: (kh, kw), (kh, kw, c) or (b, kh, kw, c).
      noise: the standard deviation of the noise on the scale [0, 1]: 0.01 is 1 %. It is one number, one for each channel (c),
        or one for each image and channel (b, c). By default, `estimate_noise` estimates it for each channel.
      centre: the tap of the kernel that does not move a pixel; by default its middle.

    Returns:
      The restored images, of the same type and shape. Integers are rounded.

    Raises:
      ValueError: if the image has another type or its values are not finite or far outside of [0, 1], the kernel has no
        positive sum, does not fit or has no middle, or the noise is negative. Traced values are not checked.

    Example:
      >>> import numpy as np
      >>> from sr_jax.ops import blur_kernels, restore
      >>> image = np.full((32, 32, 3), 128, np.uint8)
      >>> restored = restore(image, blur_kernels.gaussian(9, 1.6), noise=0.01)
      >>> restored.dtype, int(restored.min()), int(restored.max())
      (dtype('uint8'), 128, 128)
    """
    image, psf = jnp.asarray(image), jnp.asarray(psf)
    if image.ndim not in (3, 4):
        raise ValueError(f"an image of shape {image.shape} must have the axes (height, width, channels), and batches one more")
    is_float = jnp.issubdtype(image.dtype, jnp.floating)
    if not is_float and image.dtype not in (jnp.uint8, jnp.uint16):
        raise ValueError(f"a {image.dtype} image cannot be restored: it must be float in [0, 1], uint8 or uint16")
    values = image if is_float else to_float(image)
    if is_float:
        _check_range(values)
    kernel = psf.astype(jnp.promote_types(psf.dtype, jnp.float32))
    axes = (-2, -1) if kernel.ndim == 2 else (-3, -2)
    check_kernel(kernel, kernel.dtype)
    total = jnp.sum(kernel, axes, keepdims=True)
    check_not_negative("the sum of the kernel", total, positive=True)
    if noise is not None:
        check_not_negative("noise", noise)
        noise = jnp.maximum(jnp.asarray(noise, jnp.float32), HALF_LEVEL)
    batch = values if values.ndim == 4 else values[None]
    restored = jnp.clip(wiener(batch, kernel / total, noise=noise, centre=centre), 0, 1).reshape(values.shape)
    if is_float:
        return restored
    return jnp.round(restored * jnp.iinfo(image.dtype).max).astype(image.dtype)


def _check_range(image: Any) -> None:
    """Raises ValueError if values are not finite or do not look like [0, 1]. Traced values pass."""
    try:
        values = np.asarray(image, np.float64)
    except jax.errors.TracerArrayConversionError:
        return
    low, high = values.min(initial=0), values.max(initial=0)
    if not (_RANGE[0] <= low and high <= _RANGE[1]):
        raise ValueError(
            f"the image has values from {low:g} to {high:g}: a float image must be in [0, 1], so divide it by the "
            "largest value of its type"
        )
