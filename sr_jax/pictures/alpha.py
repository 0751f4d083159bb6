"""Transparency: colours under it before an enlargement, and opacity after it."""

from typing import Any

import numpy as np
from jaxtyping import Float32, Num


def bleed(pixels: Num[np.ndarray, "h w c"], alpha: Num[np.ndarray, "h w 1"]) -> Num[np.ndarray, "h w c"]:
    """Returns a picture in which invisible pixels have the colour of the nearest visible one.

    Files hold any colour under full transparency. A network mixes it into the visible pixels beside it, which shows as a halo.
    """
    invisible = alpha[..., 0] == 0
    if not invisible.any() or invisible.all():
        return pixels
    from scipy import ndimage  # slow to import, and most pictures have no transparency

    nearest: Any = ndimage.distance_transform_edt(invisible, return_distances=False, return_indices=True)
    return pixels[tuple(nearest)]


def within_neighbours(
    enlarged: Float32[np.ndarray, "sh sw 1"], alpha: Float32[np.ndarray, "h w 1"]
) -> Float32[np.ndarray, "sh sw 1"]:
    """Limits enlarged opacity to the range of the 3x3 pixels around it, so that clear and opaque areas stay so."""
    from scipy import ndimage

    bounds = (filter(alpha, size=(3, 3, 1), mode="nearest") for filter in (ndimage.minimum_filter, ndimage.maximum_filter))
    scales = [large // small for large, small in zip(enlarged.shape[:2], alpha.shape[:2], strict=True)]
    least, greatest = (np.repeat(np.repeat(bound, scales[0], 0), scales[1], 1) for bound in bounds)
    return np.clip(enlarged, least, greatest)
