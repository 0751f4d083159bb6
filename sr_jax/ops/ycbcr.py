"""The definitions of YCbCr in studio range. NumPy alone, for metrics on the host as well as for `sr_jax.ops.color`."""

from typing import NamedTuple

import numpy as np

OFFSET = np.array([16, 128, 128])
"""Y, Cb and Cr of black, in grey levels of 255."""


class Standard(NamedTuple):
    """`ycbcr = numerators / denominators @ rgb + OFFSET`, in grey levels of 255 from R, G and B in [0, 1]."""

    numerators: np.ndarray
    denominators: np.ndarray

    @property
    def matrix(self) -> np.ndarray:
        return self.numerators / self.denominators[:, None]


STANDARDS = {
    # ITU-R BT.601 with three decimals, as MATLAB has it
    "bt601": Standard(
        np.array([[65481, 128553, 24966], [-37797, -74203, 112000], [112000, -93786, -18214]]), np.array([1000, 1000, 1000])
    ),
    # ITU-R BT.709, from Kr = 0.2126 and Kb = 0.0722: with y = Kr R + (1 - Kr - Kb) G + Kb B,
    # Y = 219 y, Cb = 112 (B - y) / (1 - Kb) and Cr = 112 (R - y) / (1 - Kr), and OFFSET
    "bt709": Standard(
        np.array([[219], [112], [112]]) * np.array([[2126, 7152, 722], [-2126, -7152, 9278], [7874, -7152, -722]]),
        np.array([10000, 9278, 7874]),
    ),
}
