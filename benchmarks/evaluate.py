"""How much of an evaluation is compilation? Tiles of one size against one program for each image shape.

    python benchmarks/evaluate.py --data_root DIR [--set Set14] [--scale 2] [--rounds 5]

Each way runs in its own process, with an empty compilation cache, and the two take turns. Both upscale the same images with an
untrained FSRCNN (56, 12, 4), and only the upscaling is timed. The script prints the seconds, the share of the compilation, the
medians of the ratios, and the largest difference between the two results.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from tabulate import tabulate


def measure(way: str, data_root: Path, name: str, scale: int) -> None:
    """Runs one way and prints its figures as JSON. SR goes to the file that the environment variable RESULTS names."""
    import jax
    from flax import nnx

    from sr_jax.config import FSRCNNConfig
    from sr_jax.data.images import Image, decode_image
    from sr_jax.evaluation.protocol import PROTOCOLS
    from sr_jax.evaluation.tiles import TiledNetwork
    from sr_jax.models import make
    from sr_jax.system.compilation import CompileClock

    module = make(FSRCNNConfig(), scale=scale, seed=0)
    graph, variables = nnx.split(module, nnx.Param)
    params = nnx.to_pure_dict(variables)

    def apply(params: Any, lr: jax.Array) -> jax.Array:
        return nnx.merge(graph, params)(lr)

    files = sorted((data_root / name / "HR").iterdir())
    images = [Image(path.name, decode_image(path.read_bytes(), path.name)) for path in files]
    inputs = [PROTOCOLS["papers"].task(image, set=name, scale=scale, lr=None).y for image in images]
    with CompileClock() as clock:
        begin = time.perf_counter()
        if way == "tiles":
            results = dict(TiledNetwork(apply, module.about, scale=scale)(params, inputs))
        else:
            compiled = jax.jit(apply)
            results = {i: np.asarray(compiled(params, x[None]))[0] for i, x in enumerate(inputs)}
        seconds = time.perf_counter() - begin
    stored: dict[str, Any] = {str(i): results[i] for i in range(len(inputs))}
    np.savez(os.environ["RESULTS"], **stored)
    print(json.dumps({"seconds": seconds, "compiling": clock.seconds, "programs": clock.programs}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    root = os.environ.get("SR_JAX_DATA")
    parser.add_argument("--data_root", type=Path, default=root, required=root is None, help="folder with the set")
    parser.add_argument("--set", default="Set14", help="a folder SET/HR of images")
    parser.add_argument("--scale", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5, help="runs of each way")
    parser.add_argument("--way", choices=["tiles", "shapes"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.way:
        measure(arguments.way, arguments.data_root, arguments.set, arguments.scale)
        return

    import tempfile

    figures: dict[str, list[dict]] = {"tiles": [], "shapes": []}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(arguments.rounds):
            for way, runs in figures.items():
                command = [sys.executable, __file__, *sys.argv[1:], "--way", way]
                environment = os.environ | {"RESULTS": f"{folder}/{way}.npz", "JAX_ENABLE_COMPILATION_CACHE": "false"}
                done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
                runs.append(json.loads(done.stdout.splitlines()[-1]))
        tiles, shapes = (np.load(f"{folder}/{way}.npz") for way in figures)
        difference = max(float(np.abs(tiles[i] - shapes[i]).max()) for i in shapes.files)
    lines = []
    for way, runs in figures.items():
        share = np.median([f["compiling"] / f["seconds"] for f in runs])
        seconds, compiling, programs = (np.median([f[key] for f in runs]) for key in ("seconds", "compiling", "programs"))
        lines.append((way, programs, seconds, compiling, f"{share:.0%}"))
    print(tabulate(lines, ["way", "programs", "all [s]", "compiling [s]", "share"], tablefmt="github", floatfmt=".2f"))
    pairs = list(zip(figures["tiles"], figures["shapes"], strict=True))
    for what in ("compiling", "seconds"):
        ratio = np.median([a[what] / b[what] for a, b in pairs])
        print(f"{what}: tiles / shapes, median of {len(pairs)} ratios: {ratio:.2f}")
    print(f"largest difference of the results: {difference:.1e}")


if __name__ == "__main__":
    main()
