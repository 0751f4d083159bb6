"""The model y = S(k * x) as a matrix."""

import itertools

import numpy as np


def problem(rng, scale, size, *, h=6, w=6, channels=1, batch=1):
    """An LR image, a blur of positive taps that add to 1, and a first guess at the HR image."""
    k = rng.uniform(0.1, 1, (size, size))
    y, x0 = rng.uniform(size=(batch, h, w, channels)), rng.uniform(size=(batch, h * scale, w * scale, channels))
    return y, k / k.sum(), x0


def matrix(k, scale, centre, h, w):
    """A as a matrix, from the definition in `sr_jax.ops.blur`."""
    a = np.zeros((h * w, h * scale * w * scale))
    c = (k.shape[0] + scale - 2) // 2 if centre is None else centre
    for i, j, t, u in itertools.product(range(h), range(w), range(k.shape[0]), range(k.shape[1])):
        row = (scale * i - t + c) % (h * scale)
        column = (scale * j - u + c) % (w * scale)
        a[i * w + j, row * w * scale + column] += k[t, u]
    return a
