"""FSRCNN's layouts."""

from typing import Any

from sr_jax.weights.torch.mapping import Layout


def fsrcnn(network_config: Any, scale: int) -> dict[str, Layout]:
    """Parts are `first_part`, `mid_part`, `last_part`, or one for each step of the paper.

    The latter are `feature_extraction`, `shrink`, `map`, `expand`, `deconv`.
    """
    del scale
    parts = {
        "feature_extraction": "first_part.0",
        "feature_activation": "first_part.1",
        "shrinking": "mid_part.0",
        "shrinking_activation": "mid_part.1",
        "expanding": f"mid_part.{2 * network_config.m + 2}",
        "expanding_activation": f"mid_part.{2 * network_config.m + 3}",
        "deconvolution": "last_part",
    }
    layers = {
        "feature_extraction": "feature_extraction.0",
        "feature_activation": "feature_extraction.1",
        "shrinking": "shrink.0",
        "shrinking_activation": "shrink.1",
        "expanding": "expand.0",
        "expanding_activation": "expand.1",
        "deconvolution": "deconv",
    }
    for i in range(network_config.m):
        parts |= {f"mapping.{i}": f"mid_part.{2 * i + 2}", f"mapping_activations.{i}": f"mid_part.{2 * i + 3}"}
        layers |= {f"mapping.{i}": f"map.{2 * i}", f"mapping_activations.{i}": f"map.{2 * i + 1}"}
    return {"yjn870/FSRCNN-pytorch": Layout(parts), "Lornatang/FSRCNN-PyTorch": Layout(layers)}
