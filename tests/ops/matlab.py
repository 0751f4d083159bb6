"""MATLAB's `imresize`, written pixel by pixel from its documentation."""

import functools
import math
from fractions import Fraction

import numpy as np


def keys(x):
    x = abs(x)
    if x <= 1:
        return (3 * x**3 - 5 * x**2 + 2) / 2
    return (-(x**3) + 5 * x**2 - 8 * x + 4) / 2 if x <= 2 else 0 * x


def triangle(x):
    return x + 1 if -1 <= x < 0 else 1 - x if 0 <= x <= 1 else 0 * x


def box(x):
    return Fraction(-1 <= 2 * x < 1)


def lanczos(x, a):
    eps, x = np.finfo(float).eps, float(x)
    value = (math.sin(math.pi * x) * math.sin(math.pi * x / a) + eps) / (math.pi**2 * x**2 / a + eps)
    return value if abs(x) < a else 0.0


DEFINITIONS = {  # name -> (kernel, width), as in MATLAB
    "bicubic": (keys, 4),
    "bilinear": (triangle, 2),
    "box": (box, 1),
    "lanczos2": (functools.partial(lanczos, a=2), 4),
    "lanczos3": (functools.partial(lanczos, a=3), 6),
}


def mirror(j, size):
    while not 0 <= j < size:
        j = -1 - j if j < 0 else 2 * size - 1 - j
    return j


def definition(x, *, scales, kernel, antialias, peak=None):
    """The resized image, in exact rational numbers if the scales are of type `Fraction`.

    With `peak`, the largest value of an integer type, the result of each pass is rounded and clipped.
    """
    h, width = DEFINITIONS[kernel]
    exact = all(isinstance(s, Fraction) for s in scales)
    x = np.array([Fraction(v) if exact else v for v in x.ravel().tolist()], object).reshape(x.shape)
    for axis in sorted((0, 1), key=lambda axis: scales[axis]):
        scale, lines = scales[axis], np.moveaxis(x, axis, 0)
        stretch = min(scale, 1) if antialias else 1
        out = []
        for i in range(1, math.ceil(len(lines) * scale) + 1):
            u = i / scale + (1 - 1 / scale) / 2
            reach = width / stretch / 2
            taps = {j: h(stretch * (u - j)) for j in range(math.floor(u - reach) - 1, math.ceil(u + reach) + 2)}
            total = sum(taps.values())
            out.append(sum(w / total * lines[mirror(j - 1, len(lines))] for j, w in taps.items() if w))
        x = np.moveaxis(np.array(out), 0, axis)
        if peak is not None:
            rounded = [min(max(math.floor(v + Fraction(1, 2)), 0), peak) for v in x.ravel()]
            x = np.array(rounded, object).reshape(x.shape)
    return x
