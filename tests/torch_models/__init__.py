"""The networks in PyTorch, written from the papers, to compare with. Layers are named as in public implementations."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from tests.torch_models.carn import carn
from tests.torch_models.converse_srresnet import Converse, converse_srresnet
from tests.torch_models.dbpn import dbpn
from tests.torch_models.deconv_sr import deconv_sr
from tests.torch_models.drcn import drcn
from tests.torch_models.edsr import edsr
from tests.torch_models.espcn import espcn
from tests.torch_models.fsrcnn import fsrcnn
from tests.torch_models.imdn import imdn
from tests.torch_models.lapsrn import lapsrn
from tests.torch_models.srcnn import srcnn
from tests.torch_models.srresnet import srresnet
from tests.torch_models.usrnet import usrnet
from tests.torch_models.vdsr import vdsr

BUILD: dict[str, Callable[[Any, int], nn.Module]] = {
    "srcnn": srcnn,
    "fsrcnn": fsrcnn,
    "espcn": espcn,
    "vdsr": vdsr,
    "drcn": drcn,
    "lapsrn": lapsrn,
    "srresnet": srresnet,
    "edsr": edsr,
    "carn": carn,
    "imdn": imdn,
    "dbpn": dbpn,
    "usrnet": usrnet,
    "converse-srresnet": converse_srresnet,
    "deconv-sr": deconv_sr,
}
"""For each group of the config a function `(network_config, scale) -> module`."""


def random_module(network: Any, scale: int, *, seed: int) -> nn.Module:
    """The network with random weights whose size keeps signals from vanishing or growing."""
    module = BUILD[network.name](network, scale).eval()
    generator = torch.Generator().manual_seed(seed)
    activations = {id(p) for m in module.modules() if isinstance(m, nn.PReLU) for p in m.parameters()}
    for parameter in module.parameters():
        if not parameter.requires_grad:
            continue
        fan_in = parameter[0].numel() if parameter.ndim > 1 else 1
        value = torch.randn(parameter.shape, generator=generator) * (fan_in**-0.5 if parameter.ndim > 1 else 0.1)
        parameter.data = value.abs() if id(parameter) in activations else value
    for layer in module.modules():
        if isinstance(layer, Converse):
            # Where the spectrum of a kernel vanishes, 1 / lambda amplifies rounding errors; near an impulse it does not.
            middle = layer.weight.shape[-1] // 2
            layer.weight.data[..., middle, middle] += 1
    return module


def run(module: nn.Module, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
    """SR (b sh sw c) for the inputs: LR (b h w c), and kernels and noise for networks that are told."""
    lr, *known = (torch.from_numpy(np.ascontiguousarray(x)) for x in inputs)
    with torch.no_grad():
        return module(lr.permute(0, 3, 1, 2), *known).permute(0, 2, 3, 1).numpy()


def state(module: nn.Module) -> dict[str, np.ndarray]:
    """The state dict, as arrays."""
    return {name: value.numpy() for name, value in module.state_dict().items()}
