"""USRNet's layouts."""

from typing import Any

from sr_jax.weights.torch.mapping import Layout


def usrnet(network_config: Any, scale: int) -> dict[str, Layout]:
    """The authors' names, such as `p.m_down1`, `p.m_body`, `h.mlp`, also in cszn/KAIR. A body of one block is not numbered."""
    del scale
    modules = {"prior.head": "p.m_head", "prior.tail": "p.m_tail"}
    for i in range(3):
        modules |= {f"prior.downs.{i}": f"p.m_down{i + 1}.{network_config.blocks}", f"prior.ups.{i}": f"p.m_up{i + 1}.0"}
        modules |= {f"hyper.layers.{i}": f"h.mlp.{2 * i}"}
    for block in range(network_config.blocks):
        stacks = {f"prior.middle.layers.{block}": "p.m_body" if network_config.blocks == 1 else f"p.m_body.{block}"}
        stacks |= {f"prior.encoders.{i}.layers.{block}": f"p.m_down{i + 1}.{block}" for i in range(3)}
        stacks |= {f"prior.decoders.{i}.layers.{block}": f"p.m_up{i + 1}.{block + 1}" for i in range(3)}
        for ours, theirs in stacks.items():
            modules |= {f"{ours}.conv1": f"{theirs}.res.0", f"{ours}.conv2": f"{theirs}.res.2"}
    return {"cszn/USRNet": Layout(modules)}
