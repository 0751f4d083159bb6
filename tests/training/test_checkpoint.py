import contextlib
import errno
import os
import resource
import threading
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from sr_jax.errors import InputError, TrainingError
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


def test_a_kill_leaves_no_part_of_a_checkpoint_that_was_being_deleted(tmp_path, monkeypatch, capsys):
    """It is renamed first. Here nothing is ever deleted, as if each deletion had been killed at once."""
    with monkeypatch.context() as patch:
        patch.setattr("sr_jax.training.checkpoint.delete_replaced", lambda directory: None)
        with Checkpoints(tmp_path / "c", keep=1) as checkpoints:
            for step in (1, 2, 3):
                checkpoints.save(at(step))
    assert {path.name for path in (tmp_path / "c").iterdir()} == {"3", "deleted"}
    next((tmp_path / "c/deleted/1/default").glob("_METADATA")).unlink()
    with Checkpoints(tmp_path / "c", keep=1) as checkpoints:
        assert [path.name for path in (tmp_path / "c").iterdir()] == ["3"]
        checkpoints.save(at(4))
    assert [path.name for path in (tmp_path / "c").iterdir()] == ["4"]
    assert capsys.readouterr().err == ""


def test_only_scores_of_the_same_evaluation_count_for_the_best(tmp_path):
    with Checkpoints(tmp_path / "c", keep=1, evaluation="Set5") as checkpoints:
        for step, score in {1: 30.0, 2: 33.0, 3: 31.0}.items():
            checkpoints.save(at(step), {"psnr_y": score})
        assert checkpoints.best() == 2
    with Checkpoints(tmp_path / "c", keep=1, read_only=True) as checkpoints:
        assert checkpoints.best() == 2  # all count
    with Checkpoints(tmp_path / "c", keep=1, evaluation="Set14") as checkpoints:
        assert checkpoints.steps() == [2, 3]
        assert checkpoints.best() is None
        checkpoints.save(at(4), {"psnr_y": 28.0})
        checkpoints.save(at(5), {"psnr_y": 27.0})
        assert checkpoints.best() == 4
        checkpoints.wait()
        assert checkpoints.steps() == [4, 5]  # the best one of another evaluation is not kept


def test_scores_without_an_evaluation_count_always(tmp_path):
    with Checkpoints(tmp_path / "c", keep=1) as checkpoints:
        checkpoints.save(at(1), {"psnr_y": 30.0})
        checkpoints.save(at(2))
    with Checkpoints(tmp_path / "c", keep=1, evaluation="Set5") as checkpoints:
        assert checkpoints.best() == 1
        checkpoints.save(at(3), {"psnr_y": 29.0})
        checkpoints.save(at(4), {"psnr_y": 31.0})
        assert checkpoints.best() == 4


def test_a_score_that_is_not_a_number_is_not_the_best(tmp_path):
    with Checkpoints(tmp_path / "c", keep=3) as checkpoints:
        for step, score in {1: float("nan"), 2: 30.0, 3: float("nan")}.items():
            checkpoints.save(at(step), {"psnr_y": score})
        assert checkpoints.best() == 2


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
    with Checkpoints(tmp_path / "c", keep=2, read_only=True) as checkpoints:
        with pytest.raises(InputError, match=r"c/1 cannot be read: it is damaged \(default/\S+ has 0 bytes"):
            checkpoints.restore(at(0), 1)
        with pytest.raises(InputError, match=r"/c holds no good checkpoint$"):
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
        ({"a": np.zeros(3, np.float32)}, r"it has list\.0, which the network lacks"),
        ({**at(0).params, "b": np.zeros(2, np.float32)}, r"it lacks b$"),
    ],
)
def test_parameters_of_another_network_are_not_restored_in_part(tmp_path, like, message):
    with Checkpoints(tmp_path / "c", keep=2) as checkpoints:
        checkpoints.save(at(1))
    with Checkpoints(tmp_path / "c", keep=2, read_only=True) as checkpoints, pytest.raises(InputError, match=message):
        checkpoints.restore_params("ema", 1, like=like)


@pytest.mark.parametrize("name", ["_sharding", "array_metadatas/process_0"])
def test_parameters_need_only_their_own_files(tmp_path, name):
    with Checkpoints(tmp_path / "c", keep=2) as checkpoints:
        checkpoints.save(at(5))
    (tmp_path / "c/5/default" / name).write_bytes(b"")
    with Checkpoints(tmp_path / "c", keep=2, read_only=True) as checkpoints:
        np.testing.assert_array_equal(checkpoints.restore_params("ema", 5, like=at(0).params)["a"], at(5).params["a"])


@contextlib.contextmanager
def small_disk(limit):
    """No file can become larger than `limit` bytes, as if the disk were full. This needs no privileges."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def large(step, rng):
    return state.create({"a": rng.standard_normal(50_000).astype(np.float32)}, optax.sgd(0.1))._replace(step=jnp.int32(step))


def fail_to_save(checkpoints, rng):
    with small_disk(60_000):
        checkpoints.save(large(2, rng))
        while checkpoints._manager.is_saving_in_progress():
            time.sleep(0.01)


@pytest.mark.parametrize("notice", ["save", "wait", "close"])
def test_a_checkpoint_that_cannot_be_written_is_one_message(tmp_path, rng, capfd, notice):
    checkpoints = Checkpoints(tmp_path / "c", keep=1)
    checkpoints.save(at(1), {"psnr_y": 30.0})
    checkpoints.wait()
    fail_to_save(checkpoints, rng)
    message = r"checkpoint \S*/c/2 could not be written \(.*\)\. Step 1 is saved, and the same command goes on from it$"
    with pytest.raises(TrainingError, match=message):
        {"save": lambda: checkpoints.save(at(3)), "wait": checkpoints.wait, "close": checkpoints.close}[notice]()
    checkpoints.close()
    assert capfd.readouterr() == ("", "")
    assert [path.name for path in (tmp_path / "c").iterdir()] == ["1"]
    with Checkpoints(tmp_path / "c", keep=1) as checkpoints:  # there is room again
        assert (checkpoints.latest(), checkpoints.best()) == (1, 1)
        checkpoints.save(large(2, rng))
        checkpoints.wait()
        assert checkpoints.steps() == [1, 2]


@pytest.mark.parametrize(
    ("saved", "outcome"),
    [
        (5, "Step 5 is saved, and the same command goes on from it once there is room"),
        (None, "No step is saved, and the same command begins again once there is room"),
    ],
)
def test_a_full_disk_anywhere_in_a_run_says_what_is_saved(tmp_path, saved, outcome):
    if saved:
        with Checkpoints(tmp_path / "c", keep=2) as checkpoints:
            checkpoints.save(at(saved))
    message = rf"^the disk is full: metrics\.jsonl could not be written\. {outcome}$"
    with pytest.raises(TrainingError, match=message), Checkpoints(tmp_path / "c", keep=2):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "metrics.jsonl")


def test_other_errors_leave_a_run_as_they_are(tmp_path):
    for error in (BrokenPipeError(errno.EPIPE, "Broken pipe"), InputError("wrong"), KeyboardInterrupt()):
        with pytest.raises(type(error)) as caught, Checkpoints(tmp_path / "c", keep=2):
            raise error
        assert caught.value is error


def test_a_message_that_is_already_on_its_way_is_kept(tmp_path, rng):
    """The loss diverges while a checkpoint cannot be written."""
    checkpoints = Checkpoints(tmp_path / "c", keep=1)
    fail_to_save(checkpoints, rng)
    with pytest.raises(TrainingError, match=r"^the loss became nan$"), checkpoints:
        raise TrainingError("the loss became nan")


def test_a_folder_that_cannot_be_written_leaves_no_thread_that_waits(tmp_path):
    """Such threads kept the process alive for minutes after its error. Root may write everywhere, so a file is in the way."""
    with Checkpoints(tmp_path / "c", keep=5) as checkpoints:
        checkpoints.save(at(1))
        checkpoints.wait()
        (tmp_path / "c").rename(tmp_path / "away")
        (tmp_path / "c").write_text("")
        before = set(threading.enumerate())
        with pytest.raises(TrainingError, match=r"^checkpoint \S*/2 could not be written \(Not a directory"):
            checkpoints.save(at(2))
        assert [thread.name for thread in set(threading.enumerate()) - before if not thread.daemon] == []
