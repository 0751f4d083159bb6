"""SRCNN's layouts."""

from typing import Any

from sr_jax.weights.torch.mapping import Layout


def srcnn(network_config: Any, scale: int) -> dict[str, Layout]:
    """Layers are `conv1`, `conv2`, `conv3`, or `features`, `map`, `reconstruction`. Both enlarge LR before the network."""
    del network_config, scale
    numbered = {"patch_extraction": "conv1", "mapping": "conv2", "reconstruction": "conv3"}
    named = {"patch_extraction": "features.0", "mapping": "map.0", "reconstruction": "reconstruction"}
    return {"yjn870/SRCNN-pytorch": Layout(numbered), "Lornatang/SRCNN-PyTorch": Layout(named)}
