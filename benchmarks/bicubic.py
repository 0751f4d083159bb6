"""Does our scoring agree with the papers? Scores bicubic interpolation and prints the published rows beside it.

    python benchmarks/bicubic.py --data_root DIR

The published rows are those in most tables since 2016 (here from SAFMN, ICCV 2023). Some tables print 30.23 and 27.54 dB for
Set14 x2 and x3.
"""

import argparse
import os
from pathlib import Path

from tabulate import tabulate

from sr_jax.data.images import Image
from sr_jax.data.sources import open_hr, split_usable
from sr_jax.evaluation.protocol import PROTOCOLS, Protocol
from sr_jax.evaluation.rows import Row, Stamp, mean_rows, score

PUBLISHED = {
    ("Set5", 2): (33.66, 0.9299),
    ("Set5", 3): (30.39, 0.8682),
    ("Set5", 4): (28.42, 0.8104),
    ("Set14", 2): (30.24, 0.8688),
    ("Set14", 3): (27.55, 0.7742),
    ("Set14", 4): (26.00, 0.7027),
}


def mean(protocol: Protocol, images: list[Image], scale: int) -> Row:
    """The mean row of bicubic interpolation."""
    stamp = Stamp(protocol.name, "computed", "float64", "", "")
    tasks = [protocol.task(image, set="", scale=scale, lr=None) for image in images]
    rows = [score(protocol, task, protocol.bicubic(task), method="bicubic", stamp=stamp) for task in tasks]
    return mean_rows(rows)[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    root = os.environ.get("SR_JAX_DATA")
    parser.add_argument("--data_root", type=Path, default=root, required=root is None, help="folder with Set5 and Set14")
    parser.add_argument("--cache_dir", type=Path, default=Path("runs/cache"))
    arguments = parser.parse_args()
    lines = []
    for (name, scale), (psnr, ssim) in PUBLISHED.items():
        images = open_hr(name, scale=scale, root=arguments.data_root, cache=arguments.cache_dir)
        readable, _ = split_usable(images)
        papers, rgb = (mean(PROTOCOLS[key], readable, scale) for key in ("papers", "rgb-uint8"))
        lines.append((name, f"x{scale}", psnr, papers.psnr_y, ssim, papers.ssim_y, rgb.psnr_y, rgb.ssim_y))
    header = ["set", "", "published [dB]", "papers [dB]", "published SSIM", "papers SSIM", "rgb-uint8 [dB]", "rgb-uint8 SSIM"]
    print(tabulate(lines, header, tablefmt="github", floatfmt=("", "", ".2f", ".3f", ".4f", ".5f", ".3f", ".5f")))


if __name__ == "__main__":
    main()
