import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sr_jax.assembly import trained
from sr_jax.assembly.network import make_network
from sr_jax.assembly.optimizer import make_optimizer
from sr_jax.errors import InputError
from sr_jax.training import state
from sr_jax.training.checkpoint import Checkpoints
from sr_jax.weights import files as weights
from sr_jax.weights.card import read_card

pytestmark = pytest.mark.exact


def test_checkpoints_and_parameters(run):
    with Checkpoints(run / "checkpoints", keep=2, read_only=True) as checkpoints:
        assert checkpoints.steps() == [3, 6]
        best = checkpoints.best()
    chosen = {
        (which, parameters): trained.load(str(run), which=which, parameters=parameters)
        for which in ("latest", "best") for parameters in ("ema", "raw")
    }  # fmt: skip
    assert chosen["best", "ema"].origin == f"{run}, step {best}, ema"
    latest, raw = (jax.tree.leaves(chosen["latest", kind].network.params) for kind in ("ema", "raw"))
    assert any((a != b).any() for a, b in zip(latest, raw, strict=True))


def test_the_best_checkpoint_need_not_be_the_latest(run, tmp_path):
    shutil.copy(run / "config.json", tmp_path)
    with Checkpoints(run / "checkpoints", keep=2, read_only=True) as theirs:
        config = trained.load(str(run), which="latest", parameters="ema").config
        params = make_network(config).params
        like = state.create(params, make_optimizer(config, params))
        states = {step: theirs.restore(like, step) for step in (3, 6)}
    with Checkpoints(tmp_path / "checkpoints", keep=2) as ours:
        for step, score in ((3, 33.0), (6, 32.0)):
            ours.save(states[step], {"psnr_y": score})
    origins = {which: trained.load(str(tmp_path), which=which, parameters="ema").origin for which in ("best", "latest")}
    assert origins == {"best": f"{tmp_path}, step 3, ema", "latest": f"{tmp_path}, step 6, ema"}


def test_what_is_no_model(run, tmp_path):
    options = {"which": "latest", "parameters": "ema"}
    (tmp_path / "file.txt").write_text("")
    with pytest.raises(InputError, match=r"neither a work directory nor a \.safetensors file; .* python -m sr_jax\.convert"):
        trained.load(str(tmp_path / "file.txt"), **options)
    with pytest.raises(InputError, match=r"--checkpoint best and --parameters raw are for work directories"):
        trained.load(str(run / "weights.safetensors"), which="latest", parameters="raw")
    with pytest.raises(InputError, match=r"holds no config\.json"):
        trained.load(str(tmp_path), **options)
    (tmp_path / "run").mkdir()
    shutil.copy(run / "config.json", tmp_path / "run")
    with pytest.raises(InputError, match=r"has no latest checkpoint"):
        trained.load(str(tmp_path / "run"), **options)
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["config.json"]


def test_looking_at_a_run_changes_nothing(run):
    before = sorted(path for path in run.rglob("*"))
    trained.load(str(run), which="best", parameters="raw")
    assert sorted(path for path in run.rglob("*")) == before


def test_the_network_is_that_of_the_run(run):
    loaded = trained.load(str(run), which="latest", parameters="ema")
    like = make_network(loaded.config)
    stored = weights.read(run / "weights.safetensors", like=like.params, card=read_card(run / "weights.safetensors"))
    lr = jnp.linspace(0, 1, 400, dtype=jnp.float32).reshape(1, 20, 20, 1)
    ours, theirs = (jax.tree.map(jnp.asarray, params) for params in (stored, loaded.network.params))
    np.testing.assert_array_equal(like.apply(ours, lr), loaded.network.apply(theirs, lr))
