"""Draws the kernel that a trained network predicts from an LR image.

The picture shows the kernel and its transfer function and, if the kernel is a blur, the transfer function of its regularised
inverse for each lambda.
"""

from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from sr_jax.assembly import trained
from sr_jax.data.images import decode_image
from sr_jax.data.sources import folders
from sr_jax.errors import InputError, writing
from sr_jax.ops.color import network_input
from sr_jax.system.compilation import use_compilation_cache

FREQUENCIES = 64
"""Frequencies between two multiples of the LR sampling rate, along each axis."""


def draw(model: str, image: Path, out: Path, cache: Path) -> None:
    """Writes the picture of the kernel that a network predicts from an image, and the kernel itself if it is a blur.

    Raises:
      InputError: if the network predicts no kernel, or a file cannot be read or written.
    """
    use_compilation_cache(cache)
    module = load(model)
    lr = read(image, channels=module.about.channels)
    kernel, log_lam = (np.asarray(values[0]) for values in module.predict(lr))
    lambdas = np.exp(log_lam).tolist()
    with writing(f"--out {out}"):
        out.mkdir(parents=True, exist_ok=True)
        if is_blur(module):
            np.save(out / f"{image.stem}-kernel.npy", kernel)
        picture(kernel, lambdas, scale=module.scale).savefig(out / f"{image.stem}-kernel.png", dpi=120)
    files = f"{out / image.stem}-kernel.png{' and .npy' if is_blur(module) else ''}"
    details = (
        "".join(f", lambda {lam:.3g}" for lam in lambdas) if is_blur(module) else " of G, which is not a blur: no .npy file"
    )
    print(f"{files}: {kernel.shape[0]}x{kernel.shape[1]} taps{details}")


def load(model: str) -> Any:
    """Returns the module of a trained network, with its parameters. Its kernel is predicted or static.

    Raises:
      InputError: if the network cannot be read, or has no such kernel.
    """
    network = trained.load(model, which="latest", parameters="ema").network
    module = nnx.merge(network.graph, network.params)
    if not hasattr(module, "predict"):
        raise InputError(f"--model {model}: {module.about.name} has no kernel; give a DeconvSR")
    if module.about.is_told:
        raise InputError(f"--model {model}: its kernel is given, not predicted; give a network with kernel=predicted or static")
    return module


def is_blur(module: Any) -> bool:
    """Returns whether the kernel of a DeconvSR is a blur, with positive taps that sum to 1. The G of mode=literal is not."""
    return module.mode == "regularised"


def read(image: Path, *, channels: int) -> Float[Array, "1 h w c"]:
    """Reads an image as a network sees it, in [0, 1]: Y if the network has one channel, else RGB.

    Raises:
      InputError: if the image cannot be read.
    """
    if reason := folders.unreadable(f"--image {image}", image):
        raise InputError(reason)
    pixels = decode_image(image.read_bytes(), f"--image {image}")
    return jnp.asarray(network_input(pixels, channels=channels))[None]


def transfer(kernel: np.ndarray, *, scale: int) -> np.ndarray:
    """Returns |F{k}| at `scale` times FREQUENCIES frequencies along each axis, the zero frequency first."""
    return np.abs(np.fft.fft2(kernel.astype(np.float64), (scale * FREQUENCIES, scale * FREQUENCIES)))


def inverse_transfer(kernel: np.ndarray, lam: float, *, scale: int) -> np.ndarray:
    """Returns |conj(K)| / (s^2 (D|K|^2 + lambda)), the share of the blurred HR image's spectrum that the data step restores."""
    power = transfer(kernel, scale=scale)
    folded = (power**2).reshape(scale, FREQUENCIES, scale, FREQUENCIES).mean((0, 2))
    return power / (scale**2 * (np.tile(folded, (scale, scale)) + lam))


def picture(kernel: np.ndarray, lambdas: list[float], *, scale: int) -> Any:
    """Returns a figure of the kernel, its transfer function, and that of its inverse for each lambda.

    Dashed lines enclose the LR band.
    """
    from matplotlib.figure import Figure  # slow to import, so wrong models and images are answered first
    from matplotlib.patches import Rectangle

    half = len(kernel) / 2
    spectra = [("|F{k}|" if lambdas else "|F{G}|", transfer(kernel, scale=scale))]
    spectra += [(f"|inverse|, lambda = {lam:.2g}", inverse_transfer(kernel, lam, scale=scale)) for lam in lambdas]
    figure = Figure(figsize=(3.6 * (1 + len(spectra)), 3.4), layout="constrained")
    first, *others = figure.subplots(1, 1 + len(spectra))
    shown = first.imshow(kernel, cmap="gray", extent=(-half, half, half, -half))
    origin = "HR pixels from the kept one" if lambdas else "HR pixels from the middle of the LR pixel"
    first.set(title="k" if lambdas else "G", xlabel=origin)
    figure.colorbar(shown, ax=first, shrink=0.8)
    for axes, (title, values) in zip(others, spectra, strict=True):
        shown = axes.imshow(np.fft.fftshift(values), cmap="viridis", vmin=0, extent=(-0.5, 0.5, 0.5, -0.5))
        band = 1 / scale
        axes.add_patch(Rectangle((-band / 2, -band / 2), band, band, fill=False, color="white", linestyle="--"))
        axes.set(title=title, xlabel="cycles an HR pixel")
        figure.colorbar(shown, ax=axes, shrink=0.8)
    return figure
