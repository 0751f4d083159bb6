"""Writes docs/zoo.md, the page of the trained networks that come with the package, from their cards.

    python benchmarks/zoo.py
    python benchmarks/zoo.py --measure

The second command first measures what each network costs, for a picture of 1000x1000 pixels (RGB, 8 bits): the seconds of a
call, the median of three after a first one that compiles, and the greatest memory of the process. Each network has a process
of its own. The results go to sr_jax/zoo/measured.json. Both commands draw the pictures that are missing.
"""

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
from PIL import Image

import sr_jax
from sr_jax.assembly import evaluation_sets, zoo
from sr_jax.assembly.degradation import of_training
from sr_jax.evaluation.protocol import choose
from sr_jax.models import class_of
from sr_jax.system.places import cache_folder, data_root

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs/zoo.md"
PICTURES = ROOT / "docs/images/zoo"
SIDE = 1000
"""Height and width of the picture that is enlarged to measure."""
CALLS = 3
DETAIL = (slice(64, 160), slice(176, 272))
"""The detail of the astronaut that the pictures show [HR pixels]."""
MAGNIFICATION = 2
GAP = 8

HEAD = """# The zoo

These networks come with the package. `--model NAME` and `sr_jax.load("NAME")` take their names ([using.md](using.md#models)).

{table}

The column "for" says how LR was made in training. `clean` means that it was only reduced by bicubic interpolation. Set5 and
Set14 have the Y-PSNR and SSIM of bicubic interpolation, then of the network, by the protocol that is named below
([evaluation.md](evaluation.md)). {cost}

This page is made from the cards of the networks by

    python benchmarks/zoo.py
"""
ENTRY = """
## {name}

| | |
|---|---|
| network | {title} ({paper}) |
| trained by | [{config}](../{config}), {steps:,} steps on {data} |
| LR in training | `{degradation}` |
| protocol | `{protocol}`, LR {lr_source} |
| licence | {licence} |
| sha256 | `{sha256}` |

![LR, bicubic, {name} and original](images/zoo/{name}.png)

From left to right: LR, bicubic interpolation, {name}, original.
"""


def page() -> str:
    """Returns the text of the page."""
    entries, where = zoo.entries(), zoo.machine()
    cost = (
        f"Time and memory are those of a picture of {SIDE}x{SIDE} pixels: a call that does not compile, and the greatest "
        f"memory of the process ({where}; `python benchmarks/zoo.py --measure`)."
        if where
        else "Time and memory were not measured yet."
    )
    return HEAD.format(table=zoo.table(entries), cost=cost) + "".join(map(describe, entries))


def describe(entry: zoo.Entry) -> str:
    """Returns the section of a network."""
    card = entry.card
    scores = zoo.scores(card)
    return ENTRY.format(
        name=entry.name,
        title=zoo.title(card),
        paper=class_of(card.config.model).about.paper or "this project",
        steps=card.step,
        data=card.config.data.name,
        degradation=of_training(card.config).spelling,
        config=f"configs/{entry.file.stem}.py",
        protocol=scores[0].protocol,
        lr_source=scores[0].lr_source,
        sha256=card.sha256,
        licence=card.licence,
    )


def draw(entry: zoo.Entry) -> None:
    """Writes the picture of a network: LR, bicubic, SR and HR of a photograph that it was not trained on."""
    scale, degradation = entry.card.config.scale, of_training(entry.card.config)
    [photographs] = evaluation_sets.open_sets(
        ["photographs"], scale=scale, root=data_root(None, cache_folder(None)), cache=cache_folder(None)
    )
    protocol = choose("rgb-uint8", channels=[entry.channels], rgb_lr="", option="")
    tasks = evaluation_sets.make_tasks(protocol, evaluation_sets.load_set(photographs, scale=scale), degradation)
    [task] = [task for task in tasks if task.image == "astronaut.png"]
    lr = task.lr.repeat(scale, 0).repeat(scale, 1)
    columns = [lr, protocol.bicubic(task).pixels, sr_jax.load(entry.name)(task.lr), task.hr]
    details = [pixels[DETAIL].repeat(MAGNIFICATION, 0).repeat(MAGNIFICATION, 1) for pixels in columns]
    white = np.full((details[0].shape[0], GAP, 3), 255, np.uint8)
    PICTURES.mkdir(parents=True, exist_ok=True)
    joined = np.concatenate([part for detail in details for part in (detail, white)][:-1], 1)
    Image.fromarray(joined).save(PICTURES / f"{entry.name}.png", optimize=True)


def measure_here(name: str) -> zoo.Cost:
    """Measures a network in this process."""
    model = sr_jax.load(name)
    pixels = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    model(pixels)
    seconds = []
    for _ in range(CALLS):
        began = time.perf_counter()
        model(pixels)
        seconds.append(time.perf_counter() - began)
    [peak] = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return zoo.Cost(statistics.median(seconds), int(peak) * 1024)


def measure() -> None:
    """Measures all networks, each in a process of its own, and writes what it finds."""
    costs = {}
    for entry in zoo.entries():
        command = [sys.executable, __file__, "--one", entry.name]
        done = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
        costs[entry.name] = (str(entry.card.sha256), zoo.Cost(**json.loads(done.stdout.splitlines()[-1])))
        print(entry.name, costs[entry.name][1], file=sys.stderr)
    device = jax.devices()[0]
    kind = f"{os.cpu_count()} CPU cores" if device.platform == "cpu" else device.device_kind
    zoo.write_measured(f"{kind}, Python {platform.python_version()}, jax {jax.__version__}", costs)


def main() -> None:
    parser = argparse.ArgumentParser(description="Writes docs/zoo.md from the cards of the zoo.")
    parser.add_argument(
        "--measure", action="store_true", help="measure time and memory first, which needs a machine without other work"
    )
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure_here(arguments.one)._asdict()))
        return
    if arguments.measure:
        measure()
    for entry in zoo.entries():
        if not (PICTURES / f"{entry.name}.png").exists():
            draw(entry)
    PAGE.write_text(page())
    print(f"{PAGE} has {len(zoo.entries())} networks")


if __name__ == "__main__":
    main()
