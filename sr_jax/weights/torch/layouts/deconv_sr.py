"""DeconvSR's layout: there is no public implementation, so the names are those of the PyTorch module in the tests."""

from typing import Any

import numpy as np

from sr_jax.weights.torch.mapping import Layout, Special


def deconv_sr(network_config: Any, scale: int) -> dict[str, Layout]:
    """The prediction has `reader`, `kernel` and `lam`, and the refinement `head`, `body` and `tail`."""
    del scale
    modules = {
        "reader.summary": "reader.summary.0",
        "reader.summary_activation": "reader.summary.1",
        "to_kernel": "kernel",
        "to_lam": "lam",
        "entry": "head.0",
        "entry_activation": "head.1",
        "upsampling.conv": "tail",
    }
    for i in range(network_config.kernel_depth):
        modules |= {f"reader.convs.{i}": f"reader.features.{2 * i}", f"reader.activations.{i}": f"reader.features.{2 * i + 1}"}
    for i in range(network_config.blocks):
        parts = {"first": 0, "activation": 1, "second": 2}
        modules |= {f"blocks.{i}.{part}": f"body.{i}.body.{place}" for part, place in parts.items()}
    specials = {
        "static_kernel": Special("logits", np.asarray, np.asarray),
        "log_lam": Special("log_lambda", np.asarray, np.asarray),
    }
    return {"sr_jax": Layout(modules, specials)}
