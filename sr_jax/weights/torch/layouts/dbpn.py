"""DBPN's layout."""

from typing import Any

from sr_jax.weights.torch.mapping import Layout

STEPS = ("project", "project_back", "project_error")


def dbpn(network_config: Any, scale: int) -> dict[str, Layout]:
    """Units are `feat0`, `feat1`, `up1`, `down1`, ..., `output_conv`. Their layers are a `conv` or `deconv` and an `act`."""
    del scale
    modules = _activated("first", "feat0", "conv") | _activated("shrinking", "feat1", "conv") | {"last": "output_conv.conv"}
    for t in range(network_config.stages):
        modules |= _projection(f"ups.{t}", f"up{t + 1}", "up_conv", ("deconv", "conv", "deconv"), fused=t > 1)
    for t in range(network_config.stages - 1):
        modules |= _projection(f"downs.{t}", f"down{t + 1}", "down_conv", ("conv", "deconv", "conv"), fused=t > 0)
    return {"alterzero/DBPN-Pytorch": Layout(modules)}


def _projection(ours: str, theirs: str, step: str, kinds: tuple[str, ...], *, fused: bool) -> dict[str, str]:
    modules = _activated(f"{ours}.fusion", f"{theirs}.conv", "conv") if fused else {}
    for i, kind in enumerate(kinds):
        modules |= _activated(f"{ours}.{STEPS[i]}", f"{theirs}.{step}{i + 1}", kind)
    return modules


def _activated(ours: str, theirs: str, kind: str) -> dict[str, str]:
    return {f"{ours}.conv": f"{theirs}.{kind}", f"{ours}.activation": f"{theirs}.act"}
