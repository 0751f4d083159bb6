"""What is deconvolution for? Networks of equal size on blurred, noisy LR, trained alike.

    python benchmarks/founding.py --data_root DIR --bsds DIR/BSDS200 --steps 2000 --seeds 3

LR is made from HR by a Gaussian blur (sigma 0.6 to 2.4), subsampling and Gaussian noise (up to 1 %). DeconvSR predicts
the blur of each image and undoes it. Its rivals are a network that ends in a transposed convolution (FSRCNN) and a
network of residual blocks with a sub-pixel convolution (EDSR). All networks read Y. They are trained for the same number of
steps on the same patches of the 91 images and General-100, each with the learning rate that suits it. Each evaluation image has
one draw of blur and noise, which is the same for all networks. Seeds change the initial weights and the patches. A finished run
is not repeated.

    python benchmarks/founding.py --data_root DIR --bsds DIR/BSDS200 --steps 2000 --seeds 1 --lr 5e-3

trains all networks at one learning rate. The rates below were chosen in this way.
"""

import argparse
import json
import re
import sys
from pathlib import Path

import numpy as np
from tabulate import tabulate

from sr_jax.assembly.network import abstract_network
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
from sr_jax.runs.train import train
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
"""The system and its variants, which show what each part is worth. With lambda = 100 the data step changes nothing in its first
guess, bicubic; a greater width makes up for the missing parameters."""
NETWORKS = RIVALS | SYSTEMS
RATES = {"FSRCNN(56,12,4)": 5e-3, "EDSR(3,11)": 1e-2, "EDSR(3,11) on bicubic": 5e-3, **dict.fromkeys(SYSTEMS, 2e-3)}
"""The best learning rates on BSDS200, of 1e-3, 2e-3, 5e-3 and 1e-2. The variants have the rate of the system."""


def make_config(name: str, seed: int, arguments: argparse.Namespace) -> Config:
    return Config(
        scale=2,
        steps=arguments.steps,
        seed=seed,
        model=NETWORKS[name],
        data=DataConfig(name="91+General-100", root=str(arguments.data_root), batch=16, patch=48, degradation=DEGRADATION),
        optim=OptimConfig(lr=arguments.lr or RATES[name], b2=0.99),
        eval=EvalConfig(sets=("Set5", "Set14", *([str(arguments.bsds)] if arguments.bsds else [])), every=arguments.steps),
        log_every=arguments.steps // 10,
        checkpoint_every=arguments.steps,
    )


def score(name: str, seed: int, arguments: argparse.Namespace) -> dict[tuple[str, bool], float]:
    """Trains a network, unless its work directory holds the results.

    Returns:
      (set, whether it is bicubic) -> mean Y-PSNR [dB].
    """
    config = make_config(name, seed, arguments)
    folder = arguments.out / f"{arguments.steps}-{config.optim.lr:g}" / f"{re.sub(r'[^a-zA-Z0-9]+', '-', name)}-{seed}"
    if not (folder / "results.json").exists():
        train(config, folder, cache=cache_folder(None))
    elif keys := differences(load(folder / "config.json"), config):
        sys.exit(f"{folder} is a run of another config ({', '.join(keys)} differ); give another --out")
    rows = json.loads((folder / "results.json").read_text())
    means = {(row["set"], row["method"] == "bicubic"): row["psnr_y"] for row in rows if row["image"] == "mean"}
    missing = {Path(name).name for name in config.eval.sets} - {name for name, _ in means}
    if missing:
        sys.exit(f"{folder} has no scores on {', '.join(missing)}; give another --out")
    return means


def main() -> None:
    parser = argparse.ArgumentParser(description="Trains DeconvSR and its rivals on blurred, noisy LR.")
    parser.add_argument("--data_root", type=Path, required=True, help="folder with T91, General-100, Set5, Set14")
    parser.add_argument("--bsds", type=Path, help="folder of more images to score on")
    parser.add_argument("--out", type=Path, default=Path("runs/founding"), help="folder for the work directories")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--lr", type=float, help="one learning rate for all networks, instead of the one that suits each")
    choices = f"networks to train, of: {'; '.join(NETWORKS)} (default: all)"
    parser.add_argument("--networks", nargs="+", metavar="NAME", choices=NETWORKS, default=list(NETWORKS), help=choices)
    arguments = parser.parse_args()
    runs = {name: [] for name in arguments.networks}
    for seed in range(arguments.seeds):  # every network is trained with one seed before the next seed begins
        for name in arguments.networks:
            runs[name].append(score(name, seed, arguments))
            print(f"seed {seed}, {name}: {runs[name][-1]}", file=sys.stderr)
    first = runs[arguments.networks[0]][0]
    sets = sorted({name for name, _ in first}, key=lambda name: (not name.startswith("Set"), len(name)))
    rows = [("bicubic", "", *(f"{first[name, True]:.2f}" for name in sets))]
    for name in arguments.networks:
        count = states.count(abstract_network(make_config(name, 0, arguments)).params)
        rows.append((name, f"{count:,}", *(_mean_and_spread([run[s, False] for run in runs[name]]) for s in sets)))
    print(f"x2, Y-PSNR [dB], mean and standard deviation over {arguments.seeds} seeds, {arguments.steps:,} steps\n")
    print(tabulate(rows, ("network", "parameters", *sets), tablefmt="github", disable_numparse=True))


def _mean_and_spread(values: list[float]) -> str:
    return f"{np.mean(values):.2f}" + (f" ± {np.std(values, ddof=1):.2f}" if len(values) > 1 else "")


if __name__ == "__main__":
    main()
