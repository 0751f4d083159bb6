"""Checkpoints in a bucket, at a stand-in of Google Cloud Storage. A run in one is tested in runs/test_train_bucket."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sr_jax.errors import InputError, TrainingError
from sr_jax.system.paths import to_path
from sr_jax.training.checkpoint import Checkpoints
from sr_jax.training.checkpoint_folder import clean, complete_steps
from sr_jax.training.state import State

pytestmark = pytest.mark.slow

PLACE = "gs://bucket/run/checkpoints"
PREFIX = "run/checkpoints/"


def make_state(step):
    tree = {"conv": {"kernel": jnp.arange(3000.0) + step, "bias": jnp.full(3, float(step))}}
    return State(jnp.asarray(step), tree, tree, (tree,))


def save(*steps, keep=2):
    with Checkpoints(PLACE, keep=keep) as checkpoints:
        for step in steps:
            checkpoints.save(make_state(step), {"psnr_y": 30.0 - step})


def test_states_come_back_and_old_ones_go(cloud):
    save(1, 2, 3, 4)
    assert {name.partition("/")[0] for name in cloud.names(PREFIX)} == {"1", "3", "4"}  # the first one is the best
    with Checkpoints(PLACE, keep=2) as checkpoints:
        assert (checkpoints.latest(), checkpoints.best(), checkpoints.steps()) == (4, 1, [1, 3, 4])
        restored = checkpoints.restore(make_state(0))
        for ours, theirs in zip(jax.tree.leaves(restored), jax.tree.leaves(make_state(4)), strict=True):
            np.testing.assert_array_equal(ours, theirs)
        params = checkpoints.restore_params("ema", 3, like=make_state(0).ema)
        np.testing.assert_array_equal(params["conv"]["bias"], [3, 3, 3])
        checkpoints.drop_from(4)
    assert complete_steps(to_path(PLACE)) == [1, 3]


def test_any_damage_is_found(cloud, capsys):
    """Every file is harmed in turn: a bit of it is flipped, the half is cut off, and all is removed."""
    save(1)
    names = [name for name in cloud.objects if name.startswith(f"{PREFIX}1/default/")]
    assert len(names) > 8
    good = {name: entry.data for name, entry in cloud.objects.items()}

    def is_good():
        with Checkpoints(PLACE, keep=2, read_only=True) as checkpoints:
            return checkpoints.latest() == 1

    assert is_good()
    needed = [name for name in names if "_sharding" not in name and "array_metadatas" not in name]  # the parameters need these
    for name in needed:
        data = good[name]
        flipped = bytearray(data)
        flipped[len(data) // 2] ^= 1
        for damaged in (bytes(flipped), data[: len(data) // 2], None):
            if damaged is None:
                del cloud.objects[name]
            else:
                cloud.put(name, damaged)
            assert not is_good(), name
            cloud.put(name, data)
    assert is_good()
    assert f"checkpoint {PLACE}/1 is damaged (default/" in capsys.readouterr().err


def test_what_a_killed_run_leaves_behind(cloud, capsys):
    """Folders cannot be renamed at the end, so a file says that a checkpoint is complete."""
    save(1, 2)
    del cloud.objects[f"{PREFIX}2/commit_success.txt"]  # it is complete otherwise, so it is kept
    cloud.put(f"{PREFIX}3/default/_METADATA", b"{}")
    assert complete_steps(to_path(PLACE)) == [1]
    assert clean(to_path(PLACE)) == 1
    assert {name.partition("/")[0] for name in cloud.names(PREFIX)} == {"1", "2.damaged"}
    assert f"checkpoint {PLACE}/2 is not complete; it is renamed to 2.damaged" in capsys.readouterr().err


def test_errors_that_pass_are_waited_for(cloud):
    counter = iter(range(10**6))
    cloud.fault = lambda method, path: 503 if next(counter) % 40 == 20 else None
    save(1)
    cloud.fault = lambda method, path: None
    assert complete_steps(to_path(PLACE)) == [1]


@pytest.mark.parametrize("status", [403, 404])
def test_errors_that_stay_say_what_is_saved(cloud, status):
    save(1)
    with Checkpoints(PLACE, keep=2) as checkpoints:
        cloud.fault = lambda method, path: status if method == "POST" else None
        with pytest.raises(TrainingError, match=rf"{PLACE}/2 could not be written \(.*\)\. Step 1 is saved") as caught:
            save_and_wait(checkpoints, 2)
        assert "\n" not in str(caught.value)
    cloud.fault = lambda method, path: 403
    with pytest.raises(InputError, match=rf"the checkpoints of {PLACE} cannot be read: Permission denied by the cloud"):
        Checkpoints(PLACE, keep=2)


def save_and_wait(checkpoints, step):
    checkpoints.save(make_state(step))
    checkpoints.wait()
