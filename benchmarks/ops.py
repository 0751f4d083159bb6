"""How fast are the deconvolutions, compared with PyTorch and with what this machine can do?

    pip install -e .[torch]
    python benchmarks/ops.py

The script times each operator and its peer in PyTorch, in turn and round after round, with the same number of threads. It
prints the medians and the median of the ratios, for the faster of PyTorch's two memory formats. The bound is the larger of two
times that no implementation can beat by much: a copy of as many bytes as all inputs and outputs have, and the arithmetic at
the speed of a large matrix product. Both are measured in the same run. The peer's columns stay empty without PyTorch, or if
PyTorch cannot use the accelerator.

The second table shows the float32 error of the data step, for the published formula and for the residual form.

glibc returns freed memory to the system at once, so a small program that runs again and again spends up to half of its time on
page faults. A training step, with its many arrays, does not. So malloc is told to keep freed memory, for both sides.
`--fresh_memory` leaves malloc as it is.
"""

import argparse
import ctypes
import importlib.util
import math
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from tabulate import tabulate

from sr_jax.layers import Converse2D
from sr_jax.ops import conv_transpose2d, data_step

torch: Any = importlib.import_module("torch") if importlib.util.find_spec("torch") else None

Run = Callable[[], object]


@dataclass
class Case:
    """An operator, its peers, and the least bytes and arithmetic that it needs."""

    name: str
    ours: Run
    theirs: dict[str, Run]
    bytes: float
    flops: float


def keep_freed_memory() -> None:
    """Sets M_MMAP_THRESHOLD and M_TRIM_THRESHOLD of glibc, so that no freed memory is returned."""
    try:
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(-3, 2**30)
        libc.mallopt(-1, 2**31 - 1)
    except (OSError, AttributeError):
        print("mallopt is not available here: memory is fresh for each run")


def jitted(function: Callable, *arrays: np.ndarray) -> Run:
    compiled, on_device = jax.jit(function), [jnp.asarray(a) for a in arrays]
    return lambda: jax.block_until_ready(compiled(*on_device))


def torch_device() -> str | None:
    """The device on which PyTorch is a fair peer."""
    if torch is None:
        return None
    if jax.default_backend() == "cpu":
        return "cpu"
    return "cuda" if torch.cuda.is_available() else None


def in_formats(function: Callable, *arrays: np.ndarray) -> dict[str, Run]:
    """Runs of a PyTorch function on NCHW tensors, in both memory formats."""
    device = torch_device()
    if device is None:
        return {}
    runs = {}
    for name, memory_format in (("contiguous", torch.contiguous_format), ("channels_last", torch.channels_last)):
        tensors = [torch.tensor(a, device=device).to(memory_format=memory_format) for a in arrays]

        def run(tensors: list = tensors) -> None:
            function(*tensors)
            if device == "cuda":
                torch.cuda.synchronize()

        runs[name] = run
    return runs


def nchw(x: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(x.transpose(0, 3, 1, 2))


def transposed(
    name: str, batch: int, size: tuple[int, int], channels: tuple[int, int], k: int, options: dict, *, train: bool
) -> Case:
    """A transposed convolution: its output, or with `train` the value and gradients of its mean squared error."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(batch, *size, channels[0])).astype(np.float32)
    w = rng.normal(size=(k, k, *channels)).astype(np.float32)

    def forward(x, w):
        return conv_transpose2d(x, w, **options)

    out = np.asarray(jax.jit(forward)(jnp.asarray(x), jnp.asarray(w)))
    iohw = np.ascontiguousarray(w.transpose(2, 3, 0, 1))
    flops = 2 * x.size * k**2 * channels[1]
    if not train:

        def peer(x, w):
            with torch.no_grad():
                return torch.nn.functional.conv_transpose2d(x, w, **options)

        moved = 4 * (x.size + w.size + out.size)
        return Case(name, jitted(forward, x, w), in_formats(peer, nchw(x), iohw), moved, flops)

    def loss(x, w, target):
        return jnp.mean((forward(x, w) - target) ** 2)

    def peer_loss(x, w, target):
        x, w = x.detach().requires_grad_(), w.detach().requires_grad_()
        out = torch.nn.functional.conv_transpose2d(x, w, **options)
        torch.autograd.grad(torch.nn.functional.mse_loss(out, target), (x, w))

    moved = 4 * (2 * x.size + 2 * w.size + out.size)
    run = jitted(jax.value_and_grad(loss, (0, 1)), x, w, out)
    return Case(name, run, in_formats(peer_loss, nchw(x), iohw, nchw(out)), moved, 3 * flops)


def published_data_step(y, k, x0, lam: float, scale: int, centre: int):
    """The published closed form (USRNet, ConverseNet) with full complex FFTs, for NCHW tensors and a kernel (1, c, p, p)."""
    _, c, h, w = y.shape
    otf = torch.zeros((1, c, h * scale, w * scale), dtype=y.dtype, device=y.device)
    otf[..., : k.shape[2], : k.shape[3]] = k
    otf = torch.fft.fftn(torch.roll(otf, (-centre, -centre), (2, 3)), dim=(-2, -1))
    inserted = torch.zeros_like(x0)
    inserted[..., ::scale, ::scale] = y
    right = otf.conj() * torch.fft.fftn(inserted, dim=(-2, -1)) + torch.fft.fftn(lam * x0, dim=(-2, -1))

    def mean_of_blocks(v):
        return v.reshape(v.shape[0], c, scale, h, scale, w).mean((2, 4))

    inner = mean_of_blocks(otf * right) / (mean_of_blocks(otf.abs() ** 2) + lam)
    return torch.fft.ifftn((right - otf.conj() * inner.repeat(1, 1, scale, scale)) / lam, dim=(-2, -1)).real


def data_step_arrays(h: int, channels: int, k: int, scale: int) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(0)
    kernel = rng.random((k, k, channels)).astype(np.float32)
    y = rng.random((1, h, h, channels)).astype(np.float32)
    return y, kernel / kernel.sum((0, 1)), y.repeat(scale, 1).repeat(scale, 2)


def closed_form(name: str, h: int, channels: int, k: int, scale: int, *, lam: float = 1.33e-4) -> Case:
    """A data step with a kernel for each channel."""
    y, kernel, x0 = data_step_arrays(h, channels, k, scale)
    centre = k // 2

    def peer(y, kernel, x0):
        with torch.no_grad():
            return published_data_step(y, kernel, x0, lam, scale, centre)

    ours = jitted(
        lambda y, kernel, x0: data_step(y, kernel, x0, lam, scale=scale, boundary="circular", centre=centre), y, kernel, x0
    )
    moved = 4 * (y.size + 2 * x0.size)
    # The residual form needs two real FFTs of y's size, the blur and its adjoint.
    flops = 5 * y.size * math.log2(h * h) + 2 * 2 * k**2 * y.size
    return Case(name, ours, in_formats(peer, nchw(y), nchw(kernel[None]), nchw(x0)), moved, flops)


def converse(name: str, h: int, channels: int, k: int, scale: int, *, transfer_at_hand: bool) -> Case:
    """A Converse2D; its peer is the published forward pass."""
    layer = Converse2D(channels, k, scale=scale, rngs=nnx.Rngs(0))
    y, _, x0 = data_step_arrays(h, channels, k, scale)
    kernel, lam = np.asarray(layer.kernel[...]), float(layer.lam[0])

    def peer(y, kernel):
        with torch.no_grad():
            return published_data_step(y, kernel, torch.nn.functional.interpolate(y, scale_factor=scale), lam, scale, k // 2)

    ours = jitted(layer, y, *([np.asarray(layer.transfer(h, h))] if transfer_at_hand else []))
    moved = 4 * (y.size + x0.size)
    flops = 2 * x0.size if k == scale else 2.5 * (y.size + x0.size) * math.log2(h * h)
    return Case(name, ours, in_formats(peer, nchw(y), nchw(kernel[None])), moved, flops)


def time_in_turn(runs: dict[str, Run], *, rounds: int, seconds: float) -> list[dict[str, float]]:
    """Seconds a call in each round. Each run repeats for about `seconds` before the next takes its turn."""
    repeats = {}
    for name, run in runs.items():
        run()
        run()
        begin = time.perf_counter()
        run()
        repeats[name] = max(1, round(seconds / (time.perf_counter() - begin)))
    results = []
    for _ in range(rounds):
        row = {}
        for name, run in runs.items():
            time.sleep(0.01)  # the other side's threads stop spinning
            run()
            begin = time.perf_counter()
            for _ in range(repeats[name]):
                run()
            row[name] = (time.perf_counter() - begin) / repeats[name]
        results.append(row)
    return results


def arithmetic_speed(*, seconds: float) -> float:
    """FLOP/s of a large matrix product."""
    matrix = np.ones((2048, 2048), np.float32)
    rows = time_in_turn({"product": jitted(lambda a: a @ a, matrix)}, rounds=7, seconds=seconds)
    return 2 * 2048**3 / min(row["product"] for row in rows)


def errors() -> list[tuple[str, float, float]]:
    """The float32 errors (root mean square, relative to float64) of the published formula and of `data_step`."""
    arrays = data_step_arrays(128, 8, 5, 2)

    def ours(dtype: type, lam: float) -> np.ndarray:
        with jax.enable_x64(dtype == np.float64):
            y, kernel, x0 = (jnp.asarray(a, dtype) for a in arrays)
            return np.asarray(data_step(y, kernel, x0, lam, scale=2, boundary="circular", centre=2), np.float64)

    lines = []
    for lam in (1e-2, 1.33e-4, 1e-6):
        exact = ours(np.float64, lam)
        y, kernel, x0 = (torch.tensor(nchw(a)) for a in (arrays[0], arrays[1][None], arrays[2]))
        published = published_data_step(y, kernel, x0, lam, 2, 2).permute(0, 2, 3, 1).numpy()
        relative = [np.linalg.norm(v - exact) / np.linalg.norm(exact) for v in (published, ours(np.float32, lam))]
        lines.append((f"{lam:g}", *relative))
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=0.06, help="seconds of each run in each round")
    parser.add_argument("--fresh_memory", action="store_true", help="do not tell malloc to keep freed memory")
    options = parser.parse_args()
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    if torch is not None:
        torch.set_num_threads(threads or 1)
    if not options.fresh_memory:
        keep_freed_memory()

    founding = {"stride": 2, "padding": 1}
    fsrcnn = {"stride": 2, "padding": 4, "output_padding": 1}
    cases = [
        transposed("Deconvolution(3, 3, 4, 2, 1), 480x640", 1, (480, 640), (3, 3), 4, founding, train=False),
        transposed("the same, value and gradients", 1, (480, 640), (3, 3), 4, founding, train=True),
        transposed("FSRCNN's 9x9 from 56, 240x320", 1, (240, 320), (56, 1), 9, fsrcnn, train=False),
        transposed("the same, 16 x 24x24, value and gradients", 16, (24, 24), (56, 1), 9, fsrcnn, train=True),
        transposed("LapSRN's 4x4, 64 to 64, 128x128", 1, (128, 128), (64, 64), 4, founding, train=False),
        transposed("the same, 8 x 32x32, value and gradients", 8, (32, 32), (64, 64), 4, founding, train=True),
        closed_form("data step, 64 channels, 5x5, to 256x256, s = 2", 128, 64, 5, 2),
        closed_form("data step, 64 channels, 5x5, 256x256 to 512x512", 256, 64, 5, 2),
        converse("Converse2D 5x5, s = 1, 64 channels of 128x128", 128, 64, 5, 1, transfer_at_hand=False),
        converse("the same, transfer function at hand", 128, 64, 5, 1, transfer_at_hand=True),
        converse("Converse2D 2x2, s = 2, 64 channels of 128x128", 128, 64, 2, 2, transfer_at_hand=False),
    ]
    arithmetic = arithmetic_speed(seconds=options.seconds)
    lines = []
    for case in cases:
        copy = jitted(lambda x: x + 1, np.ones(int(case.bytes / 8), np.float32))
        runs = {"ours": case.ours, "copy": copy, **case.theirs}
        rows = time_in_turn(runs, rounds=options.rounds, seconds=options.seconds)
        median = {name: statistics.median(row[name] for row in rows) for name in runs}
        best = min(case.theirs, key=lambda name: median[name], default=None)
        peer = (1e3 * median[best], best, statistics.median(row["ours"] / row[best] for row in rows)) if best else (None,) * 3
        bounds = {"memory": median["copy"], "arithmetic": case.flops / arithmetic}
        by = max(bounds, key=lambda name: bounds[name])
        lines.append((case.name, 1e3 * median["ours"], *peer, 1e3 * bounds[by], by, median["ours"] / bounds[by]))

    device = jax.devices()[0]
    print(
        f"{device.device_kind}, {threads} threads, jax {jax.__version__}, "
        f"PyTorch {torch.__version__ if torch else 'none'}; matrix product {arithmetic / 1e9:.0f} GFLOP/s\n"
    )
    header = ["operator", "sr_jax [ms]", "PyTorch [ms]", "its format", "ratio", "bound [ms]", "by", "times the bound"]
    print(tabulate(lines, header, "github", floatfmt=("", ".2f", ".2f", "", ".2f", ".2f", "", ".1f")))
    if torch is not None:
        print()
        print(
            tabulate(
                errors(), ["lambda", "published formula, float32 error", "data_step"], "github", floatfmt=("", ".1e", ".1e")
            )
        )


if __name__ == "__main__":
    main()
