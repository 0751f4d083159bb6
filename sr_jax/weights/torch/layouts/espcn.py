"""ESPCN's layouts."""

from typing import Any

from sr_jax.weights.torch.mapping import Layout


def espcn(network_config: Any, scale: int) -> dict[str, Layout]:
    """Parts are named `first_part` and `last_part`, or `feature_maps` and `sub_pixel`."""
    del network_config, scale
    parts = {"feature_extraction": "first_part.0", "mapping": "first_part.2", "sub_pixel.conv": "last_part.0"}
    named = {"feature_extraction": "feature_maps.0", "mapping": "feature_maps.2", "sub_pixel.conv": "sub_pixel.0"}
    return {"yjn870/ESPCN-pytorch": Layout(parts), "Lornatang/ESPCN-PyTorch": Layout(named)}
