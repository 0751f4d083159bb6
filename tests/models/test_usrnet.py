import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from sr_jax.config import NETWORKS, Config, DataConfig, USRNetConfig
from sr_jax.errors import InputError
from sr_jax.models import Known
from sr_jax.models.usrnet import ResUNet, USRNet
from sr_jax.ops.blur import blur_downsample
from sr_jax.weights.torch import mapping, match
from sr_jax.weights.torch.layouts import LAYOUTS
from tests.models.objective import gradient
from tests.models.test_models import build

SMALL = USRNetConfig(iterations=2, widths=(4, 4, 4, 4), blocks=1, hyper_width=4, boundary="circular")


@pytest.mark.parametrize(("name", "published"), [("usrnet", 17.02), ("usrnet-tiny", 0.59)])
def test_published_number_of_parameters(name, published):
    """The authors' table counts in millions; the number is the same at every scale."""
    for scale in USRNet.about.scales:
        module = nnx.eval_shape(lambda scale=scale: build(NETWORKS[name], scale))
        count = sum(p.size for p in jax.tree.leaves(nnx.state(module, nnx.Param)))
        assert round(count / 1e6, 2) == published


def test_the_tiny_network_has_the_names_of_its_authors():
    """Their `USRNet(n_iter=6, h_nc=32, nc=[16, 32, 64, 64], nb=2)`, module by module."""
    config = NETWORKS["usrnet-tiny"]
    module = nnx.eval_shape(lambda: build(config, 3))
    shapes = {leaf.key: match.shape_of(leaf) for leaf in mapping.leaves(module, LAYOUTS["usrnet"](config, 3)["cszn/USRNet"])}
    expected = {"p.m_head.weight": (16, 4, 3, 3), "p.m_tail.weight": (3, 16, 3, 3)}
    places = {
        "down1.0": 16,
        "down1.1": 16,
        "down2.0": 32,
        "down2.1": 32,
        "down3.0": 64,
        "down3.1": 64,
        "body.0": 64,
        "body.1": 64,
    }
    places |= {"up3.1": 64, "up3.2": 64, "up2.1": 32, "up2.2": 32, "up1.1": 16, "up1.2": 16}
    expected |= {f"p.m_{place}.res.{i}.weight": (n, n, 3, 3) for place, n in places.items() for i in (0, 2)}
    for level, (fine, coarse) in enumerate(((16, 32), (32, 64), (64, 64)), 1):
        expected[f"p.m_down{level}.2.weight"] = (coarse, fine, 2, 2)
        expected[f"p.m_up{level}.0.weight"] = (coarse, fine, 2, 2)
    for i, (inputs, outputs) in {0: (2, 32), 2: (32, 32), 4: (32, 12)}.items():
        expected |= {f"h.mlp.{i}.weight": (outputs, inputs, 1, 1), f"h.mlp.{i}.bias": (outputs,)}
    assert shapes == expected


def test_only_the_hyper_parameter_network_has_biases():
    state = nnx.to_flat_state(nnx.state(build(SMALL, 2), nnx.Param))
    assert {path[0] for path, _ in state if path[-1] == "bias"} == {"hyper"}


def known(rng, examples: int = 2) -> Known:
    kernel = rng.random((examples, 5, 5), dtype=np.float32)
    return Known(jnp.asarray(kernel / kernel.sum((1, 2), keepdims=True)), jnp.full((examples,), 0.02))


@pytest.mark.parametrize("scale", USRNet.about.scales)
def test_its_data_step_explains_the_lr_image(rng, scale):
    """With a prior that does nothing and a small alpha, S(k * SR) = LR for the kernel that the network is told."""
    module: Any = build(SMALL, scale)
    module.prior = lambda x: x[..., :3]
    module.hyper.layers[2].kernel[...] *= 0
    module.hyper.layers[2].bias[...] -= 12  # alpha = 7e-6
    lr, told = jnp.asarray(rng.random((2, 6, 5, 3), dtype=np.float32)), known(rng)
    again = blur_downsample(module(lr, told), told.kernel[..., None], scale=scale, centre=2)
    np.testing.assert_allclose(again, lr, atol=5e-3)
    assert not np.allclose(blur_downsample(module(lr, told), told.kernel[..., None], scale=scale, centre=1), lr, atol=5e-2)


@pytest.mark.parametrize("scale", USRNet.about.scales)
def test_extended_smoothly_borders_are_restored_too(rng, scale):
    """A smooth extension restores a ramp, whose opposite borders differ, at its borders and does not change its middle."""
    side, reach = 24 * scale, 8 * scale
    y, x = np.mgrid[-reach : side + reach, -reach : side + reach] / side
    wide = np.stack([x, y, 0.5 * (x + y)], -1)[None].astype(np.float32)
    told = known(rng, 1)
    blurred = blur_downsample(jnp.asarray(wide), told.kernel[..., None], scale=scale, centre=2)
    lr, hr = blurred[:, 8:-8, 8:-8], wide[:, reach:-reach, reach:-reach]
    scored, middle = {}, {}
    for boundary in ("smooth", "circular"):
        module: Any = build(dataclasses.replace(SMALL, boundary=boundary), scale)
        module.prior = lambda x: x[..., :3]
        module.hyper.layers[2].kernel[...] *= 0
        module.hyper.layers[2].bias[...] -= 4  # alpha = 0.02
        sr = np.asarray(module(lr, told))
        assert sr.shape == hr.shape
        scored[boundary] = np.abs(sr - hr)[:, scale:-scale, scale:-scale].max()
        middle[boundary] = sr[:, reach:-reach, reach:-reach]
    assert scored["smooth"] < 0.5 * scored["circular"]
    np.testing.assert_allclose(middle["smooth"], middle["circular"], atol=0.02)


def test_noise_kernel_and_scale_change_the_result(rng):
    lr, told = jnp.asarray(rng.random((2, 6, 5, 3), dtype=np.float32)), known(rng)
    module: Any = build(SMALL, 2)
    sr = module(lr, told)
    others = (told._replace(noise=told.noise + 0.1), told._replace(kernel=told.kernel[:, ::-1]))
    assert all(np.abs(module(lr, other) - sr).max() > 1e-6 for other in others)
    alphas = [module.hyper(told.noise, scale)[0] for scale in (2, 3)]
    assert alphas[0].shape == (2, 2)
    assert np.abs(alphas[0] - alphas[1]).min() > 0


def test_alpha_and_beta_are_never_zero(rng):
    """Softplus of -200 is 0 in float32."""
    hyper: Any = build(SMALL, 2).hyper
    hyper.layers[2].bias[...] -= 200
    np.testing.assert_allclose(jnp.stack(hyper(known(rng).noise, 2)), np.full((2, 2, 2), 1e-6))


@pytest.mark.exact
def test_a_prior_of_any_size_sees_replicated_borders(rng):
    """13 x 10 pixels are extended to 16 x 16 at the bottom and the right."""
    prior = ResUNet(3, 2, widths=(4, 4, 4, 4), blocks=1, rngs=nnx.Rngs(0))
    image = jnp.asarray(rng.random((1, 13, 10, 3), dtype=np.float32))
    extended = image[:, np.minimum(np.arange(16), 12)][:, :, np.minimum(np.arange(16), 9)]
    np.testing.assert_array_equal(prior(image), prior(extended)[:, :13, :10])


@pytest.mark.slow
def test_bfloat16_stays(rng):
    module: Any = build(SMALL, 2)
    graph, params = nnx.split(module, nnx.Param)
    half = nnx.merge(graph, jax.tree.map(lambda p: p.astype(jnp.bfloat16), params))
    lr, told = jnp.asarray(rng.random((2, 6, 5, 3), dtype=np.float32)), known(rng)
    sr = half(lr.astype(jnp.bfloat16), told)
    assert sr.dtype == jnp.bfloat16
    np.testing.assert_allclose(sr.astype(jnp.float32), module(lr, told), atol=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("degradation", ["classical", "bicubic"])
def test_its_objective_has_gradients(rng, degradation):
    config = Config(scale=4, model=SMALL, data=DataConfig(degradation=degradation, patch=48))
    lr, hr = (jnp.asarray(rng.random((2, n, n, 3), dtype=np.float32)) for n in (12, 48))
    told = known(rng)
    gradients = gradient(config, lr, hr, {"kernel": told.kernel, "noise_sigma": 255 * told.noise})
    norms = jax.tree.map(jnp.linalg.norm, jax.tree.map(jnp.ravel, gradients))
    assert all(np.isfinite(n) for n in jax.tree.leaves(norms))
    assert norms["hyper"]["layers"][0]["kernel"] > 0
    assert norms["prior"]["head"]["kernel"] > 0


def test_unknown_scale_is_refused():
    with pytest.raises(InputError, match="scale=5: USRNet knows the scales 2, 3, 4"):
        build(SMALL, 5)
