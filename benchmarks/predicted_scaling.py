"""How efficient would data parallelism be on a pod? The arithmetic behind `python -m benchmarks.scaling --predict`.

Each device computes the gradient of its patches, and then all devices average their gradients in one all-reduce. The
efficiency on n devices is the time that one device computes for all patches, divided by n times the time of a step on n
devices. The model has no overlap of the two, and nothing else that takes time.

    computing = 3 passes x 2 operations x multiply-adds of a patch x patches of a device / (peak x utilisation)

V is the size of the gradient in bytes, W the speed of a link or of a node, and X_i the lengths of the axes of a TPU slice:

    TPU:             2 max(1 us x sum of X_i / 2, V / (W x number of axes)); twice that if an axis does not wrap around
    GPUs of a node:  2 V (N - 1) / (N x W)
    nodes of GPUs:   that of a node, and 2 V / W of the network

These formulas and the speeds are those of "How to Scale Your Model" (Austin et al. 2025, the chapters on TPUs, on sharded
matrices, and on GPUs) and of Google's pages about each TPU, read in November 2026. They have no latency for GPUs, so the
efficiencies of GPUs are upper limits.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from tabulate import tabulate

from sr_jax.assembly.network import abstract_network
from sr_jax.config import Config, DataConfig, EDSRConfig, FSRCNNConfig
from sr_jax.runs.networks import multiply_adds
from sr_jax.training import state as states

HOP = 1e-6
"""The least time that data take over a link between TPUs [s]."""
PASSES = 3
"""The backward pass costs two forward passes: one for the gradients of the activations, one for those of the parameters."""
CHIPS = (8, 64, 256)


class Network(NamedTuple):
    """What a network computes and reduces."""

    name: str
    parameters: int
    multiply_adds: int
    """Those of the forward pass of one patch."""
    utilisation: float
    """The assumed share of the peak at which a step computes."""


class TPU(NamedTuple):
    """A kind of TPU."""

    name: str
    peak: float
    """bfloat16 operations/s of a chip."""
    link: float
    """Bytes/s of a link in both directions together."""
    wraps: int
    """Axes of a multiple of this length wrap around."""
    shapes: dict[int, tuple[int, ...]]
    """Number of chips -> shape of the slice."""

    def reduce(self, size: int, chips: int) -> float:
        """Returns the seconds of an all-reduce of `size` bytes."""
        shape = self.shapes[chips]
        gather = max(HOP * sum(shape) / 2, size / (self.link * len(shape)))
        return 2 * gather * (1 if all(side % self.wraps == 0 for side in shape) else 2)


class GPU(NamedTuple):
    """Nodes of GPUs."""

    name: str
    peak: float
    node: int
    """GPUs of a node."""
    links: Callable[[int], float]
    """Bytes of a gradient -> bytes/s of a GPU to the others of its node."""
    network: float
    """Bytes/s of a node to other nodes."""

    def reduce(self, size: int, chips: int) -> float:
        """Returns the seconds of an all-reduce of `size` bytes, without any latency."""
        n = min(chips, self.node)
        return 2 * size * (n - 1) / (n * self.links(size)) + (2 * size / self.network if chips > self.node else 0.0)


FLAT = {4: (2, 2), 8: (2, 4), 16: (4, 4), 64: (8, 8), 256: (16, 16)}
DEVICES = (
    TPU("TPU v5e", 197e12, 90e9, 16, FLAT),
    TPU("TPU v6e", 918e12, 180e9, 16, FLAT),
    TPU("TPU v5p", 459e12, 180e9, 4, {4: (2, 2), 8: (2, 2, 2), 16: (2, 2, 4), 64: (4, 4, 4), 256: (4, 8, 8)}),
    # NVIDIA gives 450 GB/s for a GPU; NCCL reaches 370 GB/s, and about 150 GB/s for 58 MB and less. A node has 400 GB/s.
    GPU("H100, nodes of 8", 990e12, 8, lambda size: 370e9 if size > 58e6 else 150e9, 400e9),
)


def networks() -> list[Network]:
    """Returns the networks x2 with the patches of their configs.

    The shares of the peak are assumptions. FSRCNN's layers have 12 to 56 channels, which fill a small part of a matrix unit
    with 128 columns, and do little work for each byte. With a lower share computing takes longer, and the efficiency is higher.
    """
    of = {
        "FSRCNN": (FSRCNNConfig(), 48, 0.025),
        "EDSR-baseline": (EDSRConfig(blocks=16, width=64, res_scale=1.0), 96, 0.5),
        "EDSR": (EDSRConfig(), 96, 0.5),
    }
    found = []
    for name, (model, patch, utilisation) in of.items():
        network = abstract_network(Config(model=model, scale=2, data=DataConfig(patch=patch)))
        lr = jax.ShapeDtypeStruct((1, patch // 2, patch // 2, network.about.channels), jnp.float32)
        traced = jax.make_jaxpr(network.apply)(network.params, lr)
        found.append(Network(name, states.count(network.params), multiply_adds(traced.jaxpr), utilisation))
    return found


def predict(network: Network, device: TPU | GPU, *, chips: int, batch: int) -> dict[str, Any]:
    """Returns the times of a step [s] and the efficiency. `batch` is the number of patches of all devices together."""
    operations = 2 * PASSES * network.multiply_adds * batch
    computing = operations / (device.peak * network.utilisation) / chips
    reducing = device.reduce(4 * network.parameters, chips)
    return {
        "network": network.name,
        "device": device.name,
        "chips": chips,
        "batch": batch,
        "computing": computing,
        "reducing": reducing,
        "efficiency": computing / (computing + reducing),
    }


def report() -> tuple[list[dict[str, Any]], str]:
    """Returns all predictions, and the tables that show them."""
    every = networks()
    rows, per_chip, papers = [], [], []
    for network in every:
        for device in DEVICES:
            most = "at most " if isinstance(device, GPU) else ""
            full = [predict(network, device, chips=n, batch=16 * n) for n in CHIPS]
            few = [predict(network, device, chips=n, batch=16) for n in (4, 8, 16)]
            rows += [*full, *few]
            per_chip.append(
                [
                    network.name,
                    device.name,
                    f"{1e6 * full[0]['computing']:,.0f}",
                    " / ".join(f"{1e6 * row['reducing']:,.0f}" for row in full),
                    *(f"{most}{_percent(row['efficiency'])}" for row in full),
                ]
            )
            papers.append(
                [
                    network.name,
                    device.name,
                    *(f"{row['chips'] * row['efficiency']:.1f} ({most}{_percent(row['efficiency'])})" for row in few),
                ]
            )
    about = [
        (n.name, f"{n.parameters:,}", f"{4 * n.parameters / 1e6:.2f}", f"{n.multiply_adds / 1e6:,.1f}", f"{n.utilisation:.1%}")
        for n in every
    ]
    tables = [
        tabulate(
            about,
            ["network x2", "parameters", "gradient [MB]", "multiply-adds of a patch [M]", "share of the peak"],
            "github",
            disable_numparse=True,
        ),
        "16 patches a chip:",
        tabulate(
            per_chip,
            ["network", "device", "computing [us]", f"all-reduce [us] on {' / '.join(map(str, CHIPS))}", *map(str, CHIPS)],
            "github",
            disable_numparse=True,
        ),
        "16 patches in all: how many times as fast as one chip, and the efficiency:",
        tabulate(papers, ["network", "device", "4 chips", "8 chips", "16 chips"], "github", disable_numparse=True),
    ]
    return rows, "\n\n".join(tables)


def _percent(share: float) -> str:
    return f"{share:.1%}" if share < 0.1 else f"{share:.0%}"
