import json
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sr_jax.errors import InputError
from sr_jax.training import checkpoint_folder
from sr_jax.training.checkpoint import Checkpoints
from sr_jax.training.state import State


def at(step):
    params = {"a": jnp.full((3,), float(step))}
    return State(jnp.int32(step), params, params, ())


def forget_manifest(checkpoint):
    """Makes a checkpoint one that was written before there were manifests."""
    (checkpoint / "manifest.json").unlink()
    about = checkpoint / "_CHECKPOINT_METADATA"
    about.write_text(json.dumps(json.loads(about.read_text()) | {"custom_metadata": {}}))


@pytest.fixture
def folder(tmp_path):
    """Checkpoints of the steps 1 to 3; that of step 2 is the best one."""
    with Checkpoints(tmp_path / "c", keep=5) as checkpoints:
        for step, score in {1: 30.0, 2: 32.0, 3: 31.0}.items():
            checkpoints.save(at(step), {"psnr_y": score})
    return tmp_path / "c"


@pytest.mark.parametrize(
    "content", [b"", b"null", b"[]", b"3", b"{}", b'{"psnr_y": ', b'{"psnr_y": "high"}', b"\xff\xfe", b'{"psnr_y": null}']
)
def test_damaged_metrics_are_named_and_the_others_count(folder, content, capsys):
    (folder / "2/metrics/metrics").write_bytes(content)
    with Checkpoints(folder, keep=2) as checkpoints:
        assert (checkpoints.latest(), checkpoints.best()) == (3, 3)
        checkpoints.save(at(4), {"psnr_y": 29.0})
        checkpoints.wait()
        assert checkpoints.steps() == [3, 4]
    err = capsys.readouterr().err
    assert f"{folder}/2/metrics/metrics" in err
    assert err.endswith("; checkpoint 2 can be used, but does not count as the best one\n")
    assert err.count("\n") == 1


def test_missing_metrics_are_named_and_the_others_count(folder, capsys):
    shutil.rmtree(folder / "2/metrics")
    with Checkpoints(folder, keep=2) as checkpoints:
        assert checkpoints.best() == 3
        np.testing.assert_array_equal(checkpoints.restore(at(0), 2).params["a"], [2, 2, 2])
    err = capsys.readouterr().err
    assert err.startswith(f"{folder}/2/metrics/metrics cannot be read (No such file or directory); checkpoint 2 can be used")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("harm", "left"),
    [
        (lambda folder: (folder / "999").mkdir(), [1, 2, 3]),
        (lambda folder: (folder / "999").write_text(""), [1, 2, 3]),
        (lambda folder: shutil.rmtree(folder / "3/default"), [1, 2]),
        (lambda folder: (folder / "3/default/_METADATA").unlink(), [1, 2]),
    ],
    ids=["empty folder", "file", "no state", "no index"],
)
def test_what_is_no_checkpoint_is_set_aside(folder, harm, left, capsys):
    harm(folder)
    with Checkpoints(folder, keep=5, read_only=True) as checkpoints:
        assert checkpoints.steps() == left
        assert checkpoints.latest() == left[-1]
    assert not list(folder.glob("*.damaged*"))
    with Checkpoints(folder, keep=5) as checkpoints:
        assert checkpoints.steps() == left
        np.testing.assert_array_equal(checkpoints.restore(at(0)).params["a"], left[-1])
        checkpoints.save(at(4))  # would come too late, if 999 counted
        checkpoints.wait()
        assert checkpoints.steps() == [*left, 4]
    assert "is not complete; it is renamed to " in capsys.readouterr().err
    assert len(list(folder.glob("*.damaged"))) == 1


def test_set_aside_twice(folder):
    for names in (["999.damaged"], ["999.damaged", "999.damaged-2"]):
        (folder / "999").mkdir()
        with Checkpoints(folder, keep=5):
            pass
        assert sorted(path.name for path in folder.glob("999*")) == names


def test_what_a_killed_run_was_writing_is_deleted(folder):
    partial = folder / "4.orbax-checkpoint-tmp/default.orbax-checkpoint-tmp"
    partial.mkdir(parents=True)
    (partial / "data").touch()
    with Checkpoints(folder, keep=5, read_only=True):
        assert partial.exists()  # a run may be writing it
    with Checkpoints(folder, keep=5) as checkpoints:
        assert not partial.parent.exists()
        assert checkpoints.steps() == [1, 2, 3]


@pytest.mark.parametrize("content", [b"null", b"{}", b'{"tree_metadata": [1]}', b'{"tree_metadata": {"a": 3}}', b"\xff"])
def test_a_damaged_list_of_arrays_is_named(folder, content):
    shapes = jax.eval_shape(lambda: at(0).params)
    (folder / "3/default/_METADATA").write_bytes(content)
    advice = r"\. If it is damaged, move it away, and the run goes on from an earlier one$"
    messages = {False: r"it is damaged \(default/_METADATA .*\)$", True: rf"\S*/3/default/_METADATA .*{advice}"}
    for is_old, message in messages.items():
        if is_old:
            forget_manifest(folder / "3")
        with (
            Checkpoints(folder, keep=5, read_only=True) as checkpoints,
            pytest.raises(InputError, match=rf"checkpoint \S*/c/3 cannot be read: {message}"),
        ):
            checkpoints.restore_params("ema", 3, like=shapes)


def test_names_of_arrays(folder):
    assert checkpoint_folder.array_names(folder, 3, "ema") == {"a"}
    assert checkpoint_folder.array_names(folder, 3, "opt_state") == set()


def test_checkpoints_from_before_there_were_manifests(folder, capsys):
    for step in (1, 2, 3):
        forget_manifest(folder / str(step))
    with Checkpoints(folder, keep=5) as checkpoints:
        assert (checkpoints.latest(), checkpoints.best()) == (3, 2)
        np.testing.assert_array_equal(checkpoints.restore(at(0)).params["a"], [3, 3, 3])
        checkpoints.add_scores(3, {"psnr_y": 33.0})
        checkpoints.save(at(4))
    err = capsys.readouterr().err
    assert err.count("was written without a manifest, by an earlier version; damage to it may go unnoticed\n") == 2
    assert err.count("\n") == 2  # those of the steps 3 and 2
    assert (folder / "4/manifest.json").exists()


def test_a_manifest_stays_true_when_scores_are_added(folder, capsys):
    with Checkpoints(folder, keep=5) as checkpoints:
        checkpoints.save(at(4))
        checkpoints.wait()
        before = (folder / "4/manifest.json").read_bytes()
        checkpoints.add_scores(4, {"psnr_y": 40.0})
    with Checkpoints(folder, keep=5) as checkpoints:
        assert (checkpoints.latest(), checkpoints.best()) == (4, 4)
    assert capsys.readouterr().err == ""

    (folder / "4/manifest.json").write_bytes(before)  # as if the run had been killed in between
    with Checkpoints(folder, keep=5) as checkpoints:
        assert (checkpoints.latest(), checkpoints.best(), checkpoints.has_scores(4)) == (4, 2, False)
        checkpoints.add_scores(4, {"psnr_y": 41.0})
    assert capsys.readouterr().err == (
        f"{folder}/4/metrics/metrics is not in manifest.json; checkpoint 4 can be used, but does not count as the best one\n"
    )
    with Checkpoints(folder, keep=5) as checkpoints:
        assert checkpoints.best() == 4


def test_a_wrong_score_does_not_count(folder, capsys):
    metrics = folder / "2/metrics/metrics"
    metrics.write_text(metrics.read_text().replace("32.0", "36.0"))  # one bit
    with Checkpoints(folder, keep=5) as checkpoints:
        assert (checkpoints.latest(), checkpoints.best()) == (3, 3)
    assert f"{metrics} differs from what manifest.json says; checkpoint 2 can be used" in capsys.readouterr().err
