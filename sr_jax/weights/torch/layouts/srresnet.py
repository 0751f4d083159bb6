"""SRResNet's layouts."""

from typing import Any

from sr_jax.weights.torch.mapping import Layout


def srresnet(network_config: Any, scale: int) -> dict[str, Layout]:
    """BasicSR has `body` and `conv_hr`. Its earlier versions and KAIR have `recon_trunk` and `HRconv`."""

    def names(body: str, hr: str) -> Layout:
        modules = {"first": "conv_first", "hr": hr, "last": "conv_last"}
        for i in range(network_config.blocks):
            modules |= {f"body.{i}.{conv}": f"{body}.{i}.{conv}" for conv in ("conv1", "conv2")}
        for i in range(2 if scale == 4 else 1):
            modules[f"upsampling.{i}.conv"] = f"upconv{i + 1}"
        return Layout(modules)

    return {"XPixelGroup/BasicSR": names("body", "conv_hr"), "cszn/KAIR": names("recon_trunk", "HRconv")}
