import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from sr_jax.errors import InputError
from sr_jax.training import state
from sr_jax.training.checkpoint import Checkpoints


def at(step: int) -> state.State:
    params = {"a": jnp.full((3,), float(step)), "list": {0: jnp.ones(())}}
    return state.create(params, optax.adam(0.1))._replace(step=jnp.int32(step))


def test_what_is_saved_is_restored(tmp_path):
    with Checkpoints(tmp_path / "c", keep=2) as checkpoints:
        checkpoints.save(at(5))
    with Checkpoints(tmp_path / "c", keep=2) as checkpoints:
        assert checkpoints.latest() == 5
        restored = checkpoints.restore(jax.tree.map(jnp.zeros_like, at(0)))
    assert jax.tree.structure(restored) == jax.tree.structure(at(5))
    for a, b in zip(jax.tree.leaves(restored), jax.tree.leaves(at(5)), strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.dtype == b.dtype


def test_who_only_looks_cannot_write(tmp_path):
    with Checkpoints(tmp_path / "c", keep=2) as checkpoints:
        checkpoints.save(at(5))
    with Checkpoints(tmp_path / "c", keep=1, read_only=True) as checkpoints:
        checkpoints.save(at(6))
    with Checkpoints(tmp_path / "c", keep=2) as checkpoints:
        assert checkpoints.steps() == [5]


def test_latest_and_best_are_kept(tmp_path):
    scores = {1: 30.0, 2: 33.0, 3: 31.0, 4: 32.0, 5: None, 6: 32.5}
    with Checkpoints(tmp_path / "c", keep=2) as checkpoints:
        for step, score in scores.items():
            checkpoints.save(at(step), None if score is None else {"psnr_y": score})
        checkpoints.wait()
        assert checkpoints.steps() == [2, 5, 6]
    with Checkpoints(tmp_path / "c", keep=2) as checkpoints:  # the scores are remembered
        checkpoints.save(at(7), {"psnr_y": 32.9})
        checkpoints.wait()
        assert checkpoints.steps() == [2, 6, 7]


def test_a_step_is_saved_once(tmp_path):
    with Checkpoints(tmp_path / "c", keep=2) as checkpoints:
        checkpoints.save(at(1))
        checkpoints.save(at(1))
        assert checkpoints.steps() == [1]


def test_damaged_checkpoint_is_named(tmp_path):
    with Checkpoints(tmp_path / "c", keep=2) as checkpoints:
        checkpoints.save(at(1))
    for path in (tmp_path / "c/1/default").rglob("*"):
        if path.is_file():
            path.write_bytes(b"")
    with Checkpoints(tmp_path / "c", keep=2) as checkpoints, pytest.raises(InputError, match=r"c/1 cannot be read"):
        checkpoints.restore(at(0))


@pytest.mark.parametrize("field", ["params", "ema"])
def test_only_the_parameters_are_restored(tmp_path, field):
    state_with_an_average = at(5)._replace(ema=at(6).params)
    with Checkpoints(tmp_path / "c", keep=2) as checkpoints:
        checkpoints.save(state_with_an_average)
    shapes = jax.eval_shape(lambda: at(0).params)
    with Checkpoints(tmp_path / "c", keep=2, read_only=True) as checkpoints:
        restored = checkpoints.restore_params(field, 5, like=shapes)
    expected = getattr(state_with_an_average, field)
    assert jax.tree.structure(restored) == jax.tree.structure(expected)
    for a, b in zip(jax.tree.leaves(restored), jax.tree.leaves(expected), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("like", "message"),
    [
        ({"a": np.zeros(4, np.float32), "list": {0: np.zeros((), np.float32)}}, r"its a has the shape \(3,\), .* \(4,\)"),
        ({"a": np.zeros(3, np.float32)}, r"its list\.0 .* network's has None"),
        ({**at(0).params, "b": np.zeros(2, np.float32)}, r"its b has the shape None, .* \(2,\)"),
    ],
)
def test_parameters_of_another_network_are_not_restored_in_part(tmp_path, like, message):
    with Checkpoints(tmp_path / "c", keep=2) as checkpoints:
        checkpoints.save(at(1))
    with Checkpoints(tmp_path / "c", keep=2, read_only=True) as checkpoints, pytest.raises(InputError, match=message):
        checkpoints.restore_params("ema", 1, like=like)
