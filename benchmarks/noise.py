"""What does noise cost, and which regularisation copes with it best?

    python benchmarks/noise.py --data_root DIR --figure docs/images/noise.png

The script blurs the luma of the Set14 photographs (their middle 224x224 pixels), keeps the valid region, adds white noise and
deconvolves with each lambda of a grid. For each noise level, it prints the best mean PSNR of each method and the lambda that
gave it, beside two methods of scikit-image. It prints the same for super-resolution. It takes two minutes on two CPU cores.
"""

import argparse
import functools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import problems
from skimage.restoration import richardson_lucy, unsupervised_wiener
from tabulate import tabulate

from sr_jax.ops import (
    BOUNDARIES,
    bicubic_upsample,
    constrained_least_squares,
    data_step,
    extend_border,
    tikhonov,
    wiener,
)

NOISE = (0.0, 0.01, 0.02, 0.05)  # standard deviations, as a share of the full range
KERNELS = {"Gaussian 1.6": problems.gaussian(11, 1.6), "shake": problems.shake(21, seed=1)}
SCALE = 2
SR_KERNEL = problems.gaussian(8, 1.6)
GRID = np.logspace(-6, 1, 29)  # the values of lambda
ITERATIONS = np.array([2, 5, 10, 20, 40, 80])  # the iterations of Richardson-Lucy
INSIDE = problems.interior(8)  # the pixels that are scored
MARGIN = 64  # the margin of the boundary [pixels]


class Curve(NamedTuple):
    """PSNR [dB] for each value of the method's parameter."""

    values: np.ndarray
    psnrs: np.ndarray

    @property
    def best(self) -> float:
        return float(self.values[self.psnrs.argmax()])

    @property
    def edge(self) -> str:
        """The mark of a best value at an end of the grid, else empty."""
        return {0: "<= ", len(self.values) - 1: ">= "}.get(int(self.psnrs.argmax()), "")

    def __str__(self) -> str:
        return f"{self.psnrs.max():.2f}" + (f" ({self.edge}{self.best:.2g})" if len(self.values) > 1 else "")


@functools.partial(jax.jit, static_argnames="boundary")
def by_tikhonov(y: jax.Array, k: jax.Array, lam: jax.Array, boundary: str) -> jax.Array:
    return tikhonov(y, k, lam, boundary=boundary, margin=MARGIN)


@functools.partial(jax.jit, static_argnames="boundary")
def by_laplacian(y: jax.Array, k: jax.Array, lam: jax.Array, boundary: str) -> jax.Array:
    return constrained_least_squares(y, k, lam, boundary=boundary, margin=MARGIN)


@functools.partial(jax.jit, static_argnames="boundary")
def by_wiener(y: jax.Array, k: jax.Array, lam: jax.Array, boundary: str) -> jax.Array:
    """The Wiener filter with the power spectrum of photographs, 1 / f^2."""
    return wiener(y, k, nsr=lambda fy, fx: lam * (fy**2 + fx**2 + 1e-6), boundary=boundary, margin=MARGIN)


@functools.partial(jax.jit, static_argnames="boundary")
def by_data_step(y: jax.Array, x0: jax.Array, lam: jax.Array, boundary: str) -> jax.Array:
    return data_step(y, SR_KERNEL, x0, lam, scale=SCALE, boundary=boundary, margin=MARGIN // SCALE)


METHODS = {"Tikhonov": by_tikhonov, "constrained least squares": by_laplacian, "Wiener, 1/f^2": by_wiener}
STARTS = {
    "repeated pixels": lambda y: y.repeat(SCALE, 1).repeat(SCALE, 2),
    "bicubic": lambda y: np.asarray(bicubic_upsample(jnp.asarray(y), SCALE)),
}


def sweep(solve: Callable[[jax.Array], jax.Array], truth: np.ndarray) -> Curve:
    psnrs = [problems.psnr(np.asarray(solve(jnp.float32(lam))), truth, INSIDE) for lam in GRID]
    return Curve(GRID, np.array(psnrs))


def single(x: np.ndarray, truth: np.ndarray) -> Curve:
    return Curve(np.zeros(1), np.array([problems.psnr(x, truth, INSIDE)]))


def scikit_image(y: np.ndarray, k: jax.Array, truth: np.ndarray, boundary: str) -> dict[str, Curve]:
    """Two methods of scikit-image, on images that are extended as for our methods."""
    kernel = np.asarray(k)
    extended = np.asarray(extend_border(jnp.asarray(y), MARGIN, boundary, psf=k[None, :, :, None]))

    def solve(image: np.ndarray) -> list[np.ndarray]:
        results = [richardson_lucy(image.clip(0), kernel, num_iter=int(n)) for n in ITERATIONS]
        return [*results, np.asarray(unsupervised_wiener(image, kernel, rng=0)[0])]

    with ThreadPoolExecutor() as pool:
        results = np.array(list(pool.map(solve, extended[..., 0])))
    *iterated, unsupervised = results.swapaxes(0, 1)[..., MARGIN:-MARGIN, MARGIN:-MARGIN, None]
    by_iterations = np.array([problems.psnr(x, truth, INSIDE) for x in iterated])
    return {"unsupervised Wiener": single(unsupervised, truth), "Richardson-Lucy": Curve(ITERATIONS, by_iterations)}


def deconvolutions(photographs: dict[str, np.ndarray], k: jax.Array, boundary: str) -> list[dict[str, Curve]]:
    """The curve of each method, for each noise level."""
    out = []
    for noise in NOISE:
        y, truth = problems.observe(photographs, k, noise=noise)
        ours = {name: sweep(lambda lam, f=f, y=y: f(y, k, lam, boundary), truth) for name, f in METHODS.items()}
        out.append({"(as observed)": single(y, truth), **ours, **scikit_image(y, k, truth, boundary)})
    return out


def super_resolutions(photographs: dict[str, np.ndarray], boundary: str) -> list[dict[str, Curve]]:
    out = []
    for noise in NOISE:
        y, truth = problems.observe(photographs, SR_KERNEL, scale=SCALE, noise=noise)
        curves = {}
        for name, start in STARTS.items():
            x0 = start(y)
            curves[f"({name})"] = single(x0, truth)
            curves[f"data step from {name}"] = sweep(lambda lam, y=y, x0=x0: by_data_step(y, x0, lam, boundary), truth)
        out.append(curves)
    return out


def show(title: str, levels: Sequence[dict[str, Curve]]) -> None:
    print(f"\n{title}: best mean PSNR [dB], and in brackets the lambda (or the iterations) that gave it\n")
    lines = [(name, *(str(curves[name]) for curves in levels)) for name in levels[0]]
    print(tabulate(lines, ["noise", *(f"{100 * noise:g} %" for noise in NOISE)], "github", disable_numparse=True))


def draw(path: Path, deblurred: dict[str, list[dict[str, Curve]]], enlarged: list[dict[str, Curve]]) -> None:
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 7.5), layout="constrained")
    panels = list(figure.subplots(2, 3).flat)
    first, last = list(deblurred)
    swept = [*((name, deblurred[first]) for name in METHODS), ("data step from bicubic", enlarged)]
    colours = colormaps["viridis"](np.linspace(0, 0.85, len(NOISE)))
    percent = [100 * noise for noise in NOISE]
    for axes, (name, levels) in zip(panels, swept, strict=False):
        for level, curves, colour in zip(percent, levels, colours, strict=True):
            curve = curves[name]
            axes.semilogx(curve.values, curve.psnrs, color=colour, label=f"noise {level:g} %")
            axes.plot(curve.best, curve.psnrs.max(), "o", color=colour, fillstyle="none" if curve.edge else "full")
        axes.set(title=f"{name}, {f'x{SCALE}, ' * (levels is enlarged)}{first}", xlabel="lambda", ylabel="PSNR [dB]")
        axes.set_ylim(bottom=16)
        axes.grid(alpha=0.4)
    panels[0].legend(loc="upper right")
    for name, levels in swept:
        best = [curves[name] for curves in levels]
        (drawn,) = panels[4].semilogy(percent, [curve.best for curve in best], label=name)
        for level, curve in zip(percent, best, strict=True):
            fill = "none" if curve.edge else "full"
            panels[4].plot(level, curve.best, "o", color=drawn.get_color(), fillstyle=fill)
    panels[4].set(title="Best lambda (hollow: at the grid's edge)", xlabel="noise [%]", ylabel="lambda")
    for name in deblurred[last][0]:
        panels[5].plot(percent, [curves[name].psnrs.max() for curves in deblurred[last]], ".-", label=name, alpha=0.8)
    panels[5].set(title=f"Best PSNR, {last}", xlabel="noise [%]", ylabel="PSNR [dB]", ylim=(18, 32))
    for axes in panels[4:]:
        axes.legend(fontsize="small")
        axes.grid(alpha=0.4)
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    problems.add_data_option(parser)
    parser.add_argument("--boundary", choices=BOUNDARIES[1:], default="symmetric")
    parser.add_argument("--figure", type=Path, default=None)
    options = parser.parse_args()
    photographs = problems.load(options.data_root)
    deblurred = {name: deconvolutions(photographs, k, options.boundary) for name, k in KERNELS.items()}
    enlarged = super_resolutions(photographs, options.boundary)
    print(f"{len(photographs)} images of {problems.SIDE}x{problems.SIDE}, scored without a border of 8 pixels")
    print(f"{options.boundary} boundary; <= and >=: the best value is at the edge of the grid")
    for name, levels in deblurred.items():
        show(f"Deconvolution, {name}", levels)
    show(f"Super-resolution x{SCALE}, Gaussian 1.6", enlarged)
    if options.figure:
        draw(options.figure, deblurred, enlarged)


if __name__ == "__main__":
    main()
