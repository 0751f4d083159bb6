"""DRCN's layouts."""

from typing import Any

import numpy as np

from sr_jax.weights.torch.mapping import Layout, Special


def drcn(network_config: Any, scale: int) -> dict[str, Layout]:
    """Each of `embedding_layer`, `conv_block`, `reconstruction_layer` is a `Sequential` with its ReLUs; `w` averages.

    These are the names of soapisnotfat/super-resolution, but its weights do not fit: it has no ReLU between the two
    convolutions of the reconstruction, divides by the sum of w, and does not save w. The authors' own network is in
    MATLAB's format.
    """
    del network_config, scale
    plain = {
        "embedding.0": "embedding_layer.0",
        "embedding.1": "embedding_layer.2",
        "inference": "conv_block.0",
        "reconstruction.0": "reconstruction_layer.0",
        "reconstruction.1": "reconstruction_layer.2",
    }
    return {"sequential": Layout(plain, specials={"averaging": Special("w", np.asarray, np.asarray)})}
