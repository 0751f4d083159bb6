"""Damage to the newest checkpoint: each of its files is flipped, truncated and removed in turn."""

import errno
import os
import re
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from sr_jax.errors import TrainingError
from sr_jax.training import checkpoint, checkpoint_folder, state
from sr_jax.training.checkpoint import Checkpoints


def at(step):
    values = np.random.default_rng(step).standard_normal((40, 50)).astype(np.float32)
    params = {"a": jnp.asarray(values), "list": {0: jnp.ones(())}}
    optimizer = optax.adam(0.1)
    return state.create(params, optimizer)._replace(step=jnp.int32(step), ema=jax.tree.map(lambda x: 2 * x, params))


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Checkpoints of the steps 1 and 2."""
    folder = tmp_path_factory.mktemp("saved")
    with Checkpoints(folder, keep=5) as checkpoints:
        for step in (1, 2):
            checkpoints.save(at(step), {"psnr_y": 30.0})
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "c")


def flip(file):
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def truncate(file):
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


HARMS = [flip, truncate, os.unlink]
LATER = {"_CHECKPOINT_METADATA", "commit_success.txt"}
"""Orbax writes them after the manifest, and needs none of them."""


def files_of(checkpoint_):
    return sorted(path.relative_to(checkpoint_).as_posix() for path in checkpoint_.rglob("*") if path.is_file())


def same(a, b):
    return all(x.tobytes() == y.tobytes() for x, y in zip(map(np.asarray, jax.tree.leaves(a)), jax.tree.leaves(b), strict=True))


def array_file(folder):
    """The largest file of the newest checkpoint. It holds values only, and Orbax reads it without a check."""
    return max((folder / "2/default").rglob("d/*"), key=lambda path: path.stat().st_size)


def test_the_manifest_lists_all_files_but_those_that_are_written_later(saved):
    listed = checkpoint_folder.read_json(saved / "2/manifest.json").keys()
    assert set(files_of(saved / "2")) - listed == LATER | {"manifest.json"}


@pytest.mark.parametrize("harm", HARMS)
def test_damage_to_any_file_is_never_restored(saved, tmp_path, harm, capsys):
    shapes = jax.eval_shape(lambda: at(0).params)
    for number, name in enumerate(files_of(saved / "2")):
        folder = shutil.copytree(saved, tmp_path / str(number))
        harm(folder / "2" / name)
        with Checkpoints(folder, keep=5, read_only=True) as checkpoints:
            step = checkpoints.latest()
            assert step
            assert same(checkpoints.restore_params("ema", step, like=shapes), at(step).ema), name
            assert step == 1 or "/d/" not in name
        assert (folder / "2").is_dir()
        with Checkpoints(folder, keep=5) as checkpoints:
            step = checkpoints.latest()
            assert step
            assert same(checkpoints.restore(at(0)), at(step)), name
        is_harmless = name in LATER or name.startswith("metrics/")
        assert step == (2 if is_harmless else 1), name
        assert (folder / "2.damaged").is_dir() == (not is_harmless)
    assert capsys.readouterr().err


def test_the_newest_good_one_is_taken_and_the_bad_one_kept(folder, capsys):
    file = array_file(folder)
    flip(file)
    name = file.relative_to(folder / "2").as_posix()
    with Checkpoints(folder, keep=5, read_only=True) as checkpoints:
        assert (checkpoints.latest(), checkpoints.best()) == (1, 1)
        assert same(checkpoints.restore_params("ema", 1, like=at(0).params), at(1).ema)
    damage = rf"checkpoint {folder}/2 is damaged \({name} differs from what manifest\.json says\)"
    assert re.fullmatch(rf"{damage}; it is left out\n", capsys.readouterr().err)
    bad = {path: (folder / "2" / path).read_bytes() for path in files_of(folder / "2")}
    with Checkpoints(folder, keep=5) as checkpoints:
        assert checkpoints.latest() == 1
        assert same(checkpoints.restore(at(0)), at(1))
        checkpoints.save(at(2))
        checkpoints.wait()
        assert checkpoints.latest() == 2
    assert re.fullmatch(rf"{damage}; it is renamed to 2\.damaged\n", capsys.readouterr().err)
    assert {path: (folder / "2.damaged" / path).read_bytes() for path in files_of(folder / "2.damaged")} == bad


def test_nothing_good_is_left(folder, capsys):
    flip(array_file(folder))
    truncate(folder / "1/manifest.json")
    with Checkpoints(folder, keep=5) as checkpoints:
        assert (checkpoints.latest(), checkpoints.best()) == (None, None)
        checkpoints.save(at(1))
    assert sorted(path.name for path in folder.iterdir()) == ["1", "1.damaged", "2.damaged"]
    assert capsys.readouterr().err.count(" is damaged (") == 2


def test_an_earlier_one_is_compared_when_it_becomes_the_newest(folder, capsys):
    flip(folder / "1/default/manifest.ocdbt")
    with Checkpoints(folder, keep=5) as checkpoints:
        assert checkpoints.latest() == 2
        assert capsys.readouterr().err == ""
        checkpoints.drop_from(2)
        assert checkpoints.latest() is None
    assert re.fullmatch(r"checkpoint \S*/1 is damaged \(.*\); it is left out\n", capsys.readouterr().err)


def test_the_newest_one_is_waited_for(folder):
    with Checkpoints(folder, keep=5) as checkpoints:
        checkpoints.save(at(3), {"psnr_y": 31.0})
        assert checkpoints.best() == 3
        checkpoints.save(at(4))
        assert checkpoints.latest() == 4


def test_a_checkpoint_without_its_manifest_never_gets_its_name(folder, monkeypatch):
    def fail(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "manifest.json")

    with Checkpoints(folder, keep=5) as checkpoints:
        monkeypatch.setattr(checkpoint, "seal", fail)
        checkpoints.save(at(3))
        with pytest.raises(TrainingError, match=r"^the disk is full: checkpoint \S*/3 could not be written\. Step 2 is saved"):
            checkpoints.wait()
        monkeypatch.undo()
        assert checkpoints.latest() == 2
        checkpoints.save(at(3))
        checkpoints.wait()
        assert checkpoints.latest() == 3
    assert sorted(path.name for path in folder.iterdir()) == ["1", "2", "3"]
