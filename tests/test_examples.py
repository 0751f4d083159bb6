"""The Python of README, docs/deconvolution.md and docs/using.md runs."""

import re
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent


def blocks(page: str) -> list[str]:
    found = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    assert found
    return found


@pytest.mark.exact
def test_readme():
    """The blocks run one after the other, as one reads them; the blurred photograph becomes better."""
    names = {}
    for block in blocks("README.md"):
        exec(block, names)
    truth = names["camera"]() / 255
    psnr = lambda x: -10 * np.log10(np.mean((np.asarray(x)[..., 0] / 255 - truth) ** 2))
    assert psnr(names["restored"]) > psnr(names["image"]) + 1.5
    assert names["x"].shape == (1, 1024, 1024, 1)


def test_the_page_on_enlarging_pictures(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in blocks("docs/using.md"):
        exec(block, names)
    assert names["sr"].shape == (96, 128, 3)
    assert names["again"].card == names["model"].card


@pytest.mark.slow
def test_the_calls_of_the_deconvolution_page():
    """The page says in words what the names stand for."""
    import jax.numpy as jnp
    import skimage.restoration
    from flax import nnx

    from sr_jax import layers, ops

    k = ops.blur_kernels.gaussian(11, 1.6)
    photograph = np.random.default_rng(0).uniform(size=(24, 24))
    y = jnp.asarray(photograph, jnp.float32)[None, :, :, None]
    names = {name: getattr(ops, name) for name in ops.__all__} | {
        "skimage": skimage,
        "image": (255 * photograph).astype(np.uint8)[..., None],
        "photograph": photograph,
        "psf": np.asarray(k),
        "k": k,
        "y": y,
        "lr": y,
        "x0": ops.enlarge(y, scale=2, method="bicubic", boundary="symmetric"),
        "lam": 0.1,
    }
    for block in blocks("docs/deconvolution.md"):
        exec(block, names)
    layer_names = {name: getattr(layers, name) for name in layers.__all__} | {"rngs": nnx.Rngs(0)}
    calls = re.findall(r"^\| `(\w+\(.*?\))` \|", (ROOT / "docs/deconvolution.md").read_text(), re.MULTILINE)
    assert len(calls) == 6
    for call in calls:
        assert eval(call, layer_names)(jnp.ones((1, 5, 6, 8))).shape[1:3] == (10, 12)
