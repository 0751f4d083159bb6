"""CARN's layouts."""

from typing import Any

from sr_jax.weights.torch.layouts.edsr import shift
from sr_jax.weights.torch.mapping import Layout


def carn(network_config: Any, scale: int) -> dict[str, Layout]:
    """The upsampler of a network for one scale is `upsample.up`.

    A network for all scales has `upsample.up2`, `up3` and `up4`. Only the one for `scale` is read. A unit for all places of a
    block is `b1`.
    """
    convs = {"conv1": 0, "conv2": 2} | ({"point": 4} if network_config.unit == "efficient" else {})
    modules = {"entry": "entry", "exit": "exit"}
    for i in range(3):
        modules[f"cascade.fusions.{i}"] = f"c{i + 1}.body.0"
        for j in range(3):
            if j == 0 or not network_config.shared:
                unit = f"cascade.units.{i}.units.{j}"
                modules |= {f"{unit}.{conv}": f"b{i + 1}.b{j + 1}.body.{place}" for conv, place in convs.items()}
            modules[f"cascade.units.{i}.fusions.{j}"] = f"b{i + 1}.c{j + 1}.body.0"
    means = shift("sub_mean.shifter", -1) | shift("add_mean.shifter", 1)

    def upsampling(name: str) -> dict[str, str]:
        return {f"upsampling.{i}.conv": f"upsample.{name}.body.{3 * i}" for i in range(2 if scale == 4 else 1)}

    others = tuple(f"upsample.up{other}." for other in (2, 3, 4) if other != scale)
    return {
        "nmhkahn/CARN-pytorch": Layout(modules | upsampling(f"up{scale}"), constants=means, ignored=others),
        "nmhkahn/CARN-pytorch, one scale": Layout(modules | upsampling("up"), constants=means),
    }
