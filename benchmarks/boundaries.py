"""How good are the border and the interior of a deconvolved image under each boundary mode?

    python benchmarks/boundaries.py --data_root DIR --figure docs/images/boundaries.png

The script blurs the luma of the Set14 photographs, keeps the valid region, adds a little noise and deconvolves. It prints the
PSNR of a band along the border and of the interior for each mode, the effect of the margin, and the same for super-resolution.
The truth is the middle 224x224 pixels of each photograph. It takes less than a minute on two CPU cores.
"""

import argparse
import itertools
from pathlib import Path

import jax
import numpy as np
import problems
from tabulate import tabulate

from sr_jax.ops import BOUNDARIES, data_step, inverse_support, tikhonov

KERNELS = {
    "Gaussian 1.2": problems.gaussian(9, 1.2),
    "Gaussian 2.4": problems.gaussian(15, 2.4),
    "line": problems.line(15, 15, 30),
    "shake": problems.shake(21, seed=1),
}
SCALE = 2
SR_KERNEL = problems.gaussian(8, 1.6)
BLURRED = "(as observed)"
AMPLE = 400  # a margin so large that a larger one is not expected to change anything
SHOWN, CORNER = ("monarch.png", "line"), 72  # the figure's photograph and kernel, and the pixels that it shows of the corner

deconvolve = jax.jit(tikhonov, static_argnames=("boundary", "margin"))
super_resolve = jax.jit(data_step, static_argnames=("scale", "boundary", "margin"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    problems.add_data_option(parser)
    parser.add_argument("--lam", type=float, default=1e-3)
    parser.add_argument("--noise", type=float, default=1e-3, help="standard deviation, as a share of the full range")
    parser.add_argument("--band", type=int, default=16, help="width of the border [pixels]")
    parser.add_argument("--figure", type=Path, default=None)
    options = parser.parse_args()
    photographs = problems.load(options.data_root)
    inside = problems.interior(options.band)

    def both(x: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
        return problems.psnr(x, truth, ~inside), problems.psnr(x, truth, inside)

    def cells(scores: list[tuple[float, float]]) -> list[str]:
        return [f"{border:.2f} / {rest:.2f}" for border, rest in scores]

    observed = {name: problems.observe(photographs, k, noise=options.noise) for name, k in KERNELS.items()}
    results = {(BLURRED, name): y for name, (y, _) in observed.items()}
    for (name, k), mode in itertools.product(KERNELS.items(), BOUNDARIES):
        margin = inverse_support(k, options.lam) if mode != "circular" else 0
        results[mode, name] = np.asarray(deconvolve(observed[name][0], k, options.lam, boundary=mode, margin=margin))
    rows = (BLURRED, *BOUNDARIES)
    scores = {row: [both(results[row, name], observed[name][1]) for name in KERNELS] for row in rows}
    print(f"{len(photographs)} images of {problems.SIDE}x{problems.SIDE}, lambda {options.lam:g}, noise {options.noise:g}")
    print(f"Mean PSNR [dB] of the border ({options.band} pixels wide) / of the interior\n")
    print(tabulate([(row, *cells(scores[row])) for row in rows], ["boundary", *KERNELS], "github"))

    lines = []
    for name, (y, truth) in observed.items():
        k = KERNELS[name]
        ample = {}
        for rule, margin in {
            "ample": AMPLE,
            "half the kernel": len(k) // 2,
            "the kernel": len(k),
            "default": inverse_support(k, options.lam),
        }.items():
            line: list[object] = [name, rule, margin]
            for mode in ("symmetric", "smooth"):
                x = np.asarray(deconvolve(y, k, options.lam, boundary=mode, margin=margin))
                worst = 255 * np.max(np.abs(x - ample.setdefault(mode, x))[:, inside])
                line += [problems.psnr(x, truth, ~inside), worst]
            lines.append(line)
    print(f"\nMargins: PSNR [dB] of the border, and the largest change of the interior [grey levels] from {AMPLE} pixels\n")
    header = ["kernel", "margin", "pixels", "symmetric", "change", "smooth", "change"]
    print(tabulate(lines, header, "github", floatfmt=("", "", "", ".2f", ".2f", ".2f", ".2f")))

    y, truth = problems.observe(photographs, SR_KERNEL, scale=SCALE, noise=options.noise)
    x0 = y.repeat(SCALE, 1).repeat(SCALE, 2)
    scores_sr = [both(x0, truth)]
    for mode in BOUNDARIES:
        margin = inverse_support(SR_KERNEL, options.lam, scale=SCALE) if mode != "circular" else 0
        x = super_resolve(y, SR_KERNEL, x0, options.lam, scale=SCALE, boundary=mode, margin=margin)
        scores_sr.append(both(np.asarray(x), truth))
    print(f"\nSuper-resolution x{SCALE} with the data step from repeated pixels, Gaussian 1.6 (8x8); the rest is as above\n")
    lines = [(row, *score) for row, score in zip(("(repeated pixels)", *BOUNDARIES), scores_sr, strict=True)]
    print(tabulate(lines, ["boundary", "border", "interior"], "github", floatfmt=("", ".2f", ".2f")))

    if options.figure:
        name, kernel = SHOWN
        index = list(photographs).index(name)
        crops = {"truth": observed[kernel][1], **{row: results[row, kernel] for row in rows}}
        draw(options.figure, scores, {title: x[index, :CORNER, :CORNER, 0] for title, x in crops.items()})


def draw(path: Path, scores: dict[str, list[tuple[float, float]]], crops: dict[str, np.ndarray]) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 6.5), layout="constrained")
    left, right = figure.subfigures(1, 2, squeeze=False)[0]
    panels = left.subplots(2, 2, sharex=True, sharey=True)
    positions = np.arange(len(scores))
    for i, (kernel, axes) in enumerate(zip(KERNELS, panels.flat, strict=True)):
        for shift, part, colour in ((-0.2, "border", "tab:orange"), (0.2, "interior", "tab:blue")):
            values = [score[i][part == "interior"] for score in scores.values()]
            axes.barh(positions + shift, values, 0.4, color=colour, label=part)
        axes.set_yticks(positions, list(scores))
        axes.set_xlim(left=8)
        axes.set_title(kernel)
        axes.grid(axis="x", alpha=0.4)
        axes.set_axisbelow(True)
    panels[0, 0].invert_yaxis()
    for axes in panels[1]:
        axes.set_xlabel("PSNR [dB]")
    left.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    for axes, (title, crop) in zip(right.subplots(3, 3).flat, crops.items(), strict=True):
        axes.imshow(crop, cmap="gray", vmin=0, vmax=1)
        axes.set_title(title)
        axes.axis("off")
    right.suptitle(f"upper left corner, {SHOWN[0].split('.')[0]}, {SHOWN[1]}")
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
