"""What deconvolution is for: three networks of equal size on blurred, noisy LR, trained alike.

    python benchmarks/founding.py --data DIR --bsds DIR/BSDS200 --steps 2000 --seeds 3

LR is made of HR by a Gaussian blur (sigma 0.6 to 2.4), subsampling and Gaussian noise (to 1 %). The founding system
predicts the blur of each image and undoes it; its rivals are a network that ends in a transposed convolution (FSRCNN) and one
of residual blocks and a sub-pixel convolution (EDSR). All read Y, and are trained for as many steps on the same patches of the
91 images and General-100, each with the learning rate that suits it; each image that is scored has one draw of blur and noise,
the same for all. Seeds change the initial weights and the patches. A run that was finished is not repeated.

    python benchmarks/founding.py --data DIR --bsds DIR/BSDS200 --steps 2000 --seeds 1 --lr 5e-3

gives all the same rate: by this the rates were chosen.
"""

import argparse
import json
import re
import sys
from pathlib import Path

import numpy as np
from tabulate import tabulate

from sr_jax.build import network as build
from sr_jax.config import (
    Config,
    DataConfig,
    DeconvSRConfig,
    EDSRConfig,
    EvalConfig,
    FSRCNNConfig,
    GaussianBlur,
    GaussianNoise,
    OptimConfig,
    Subsample,
    differences,
    load,
)
from sr_jax.runs import train as loop
from sr_jax.system.places import cache_folder
from sr_jax.training import state as states

DEGRADATION = (GaussianBlur(size=21, sigma=(0.6, 2.4)), Subsample(), GaussianNoise(sigma=(0.0, 2.55)))

RIVALS = {
    "FSRCNN(56,12,4)": FSRCNNConfig(),
    "EDSR(3,11)": EDSRConfig(blocks=3, width=11, res_scale=1.0, channels=1),
    "EDSR(3,11) on bicubic": EDSRConfig(blocks=3, width=11, res_scale=1.0, channels=1, image_skip=True),
}
SYSTEMS = {
    "deconv-sr-small": DeconvSRConfig(),
    "with a loss of k's own": DeconvSRConfig(kernel_loss=0.3),
    "one k for all": DeconvSRConfig(kernel="static"),
    "k and noise given": DeconvSRConfig(kernel="given"),
    "without deconvolution": DeconvSRConfig(kernel="static", lam="fixed", lam_start=(100.0,), width=17),
}
"""The variants show what each part is worth. Lambda = 100 leaves of the data step its first guess, bicubic; the width makes up
for the parameters."""
NETWORKS = RIVALS | SYSTEMS
RATES = {"FSRCNN(56,12,4)": 5e-3, "EDSR(3,11)": 1e-2, "EDSR(3,11) on bicubic": 5e-3, **dict.fromkeys(SYSTEMS, 2e-3)}
"""Learning rates: of 1e-3, 2e-3, 5e-3, 1e-2 the best on BSDS200; the system's variants have the system's."""


def config(name: str, seed: int, arguments: argparse.Namespace) -> Config:
    return Config(
        scale=2,
        steps=arguments.steps,
        seed=seed,
        model=NETWORKS[name],
        data=DataConfig(name="91+General-100", root=str(arguments.data), batch=16, patch=48, degradation=DEGRADATION),
        optim=OptimConfig(lr=arguments.lr or RATES[name], b2=0.99),
        eval=EvalConfig(sets=("Set5", "Set14", *([str(arguments.bsds)] if arguments.bsds else [])), every=arguments.steps),
        log_every=arguments.steps // 10,
        checkpoint_every=arguments.steps,
    )


def scores(name: str, seed: int, arguments: argparse.Namespace) -> dict[tuple[str, str], float]:
    """(set, method) -> mean Y-PSNR [dB] of one run."""
    chosen = config(name, seed, arguments)
    folder = arguments.out / f"{arguments.steps}-{chosen.optim.lr:g}" / f"{re.sub(r'[^a-zA-Z0-9]+', '-', name)}-{seed}"
    if (folder / "results.json").exists():
        if differing := differences(chosen, load(folder / "config.json")):
            sys.exit(f"{folder} is of another config, {'; '.join(differing)}; give another --out")
    else:
        loop.train(chosen, folder, cache=cache_folder(None))
    rows = json.loads((folder / "results.json").read_text())
    means = {(row["set"], row["method"] == "bicubic"): row["psnr_y"] for row in rows if row["image"] == "mean"}
    missing = {Path(name).name for name in chosen.eval.sets} - {name for name, _ in means}
    if missing:
        sys.exit(f"{folder} was not scored on {', '.join(missing)}; give another --out")
    return means


def main() -> None:
    parser = argparse.ArgumentParser(description="Trains the founding system and its rivals on blurred, noisy LR.")
    parser.add_argument("--data", type=Path, required=True, help="folder with T91, General-100, Set5, Set14")
    parser.add_argument("--bsds", type=Path, help="folder of more images to score on")
    parser.add_argument("--out", type=Path, default=Path("runs/founding"), help="work directories")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--lr", type=float, help="one learning rate for all, instead of what suits each")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    arguments = parser.parse_args()
    found = {name: [] for name in arguments.networks}
    for seed in range(arguments.seeds):  # one seed of every network before the next
        for name in arguments.networks:
            found[name].append(scores(name, seed, arguments))
            print(f"seed {seed}, {name}: {found[name][-1]}", file=sys.stderr)
    first = found[arguments.networks[0]][0]
    sets = sorted({name for name, _ in first}, key=lambda name: (not name.startswith("Set"), len(name)))
    rows = [("bicubic", "", *(f"{first[name, True]:.2f}" for name in sets))]
    for name in arguments.networks:
        count = states.count(build.build_network(config(name, 0, arguments)).params)
        rows.append((name, f"{count:,}", *(_spread([run[s, False] for run in found[name]]) for s in sets)))
    print(f"x2, Y-PSNR [dB], mean and standard deviation over {arguments.seeds} seeds, {arguments.steps:,} steps\n")
    print(tabulate(rows, ("network", "parameters", *sets), tablefmt="github", disable_numparse=True))


def _spread(values: list[float]) -> str:
    """Mean and standard deviation."""
    return f"{np.mean(values):.2f}" + (f" ± {np.std(values, ddof=1):.2f}" if len(values) > 1 else "")


if __name__ == "__main__":
    main()
