"""A work directory that becomes read-only while a run writes to it, by a mount. It needs the right to mount, as root has it."""

import re

import pytest

from benchmarks.fault_runs import CannotMountError, Run, check_work_directory, final_arrays, read_only, small_config
from sr_jax.training.checkpoint_folder import complete_steps

pytestmark = [pytest.mark.slow, pytest.mark.exact]

SAVED = (
    r"^error: checkpoint .*/\d+ could not be written \(Read-only file system.*\)\. "
    r"Step (\d+) is saved, and the same command goes on from it$"
)
REFUSED = r"^error: --workdir .* cannot be written \(Read-only file system\); take another directory$"


def test_the_error_says_which_step_is_saved_and_the_run_goes_on(pictures, cache, tmp_path):
    config = small_config(pictures, steps=200)
    with Run(tmp_path / "run", config, cache) as run:
        run.wait_for("step 20/")
        try:
            with read_only(tmp_path / "run"):
                [end] = run.ends()
                with Run(tmp_path / "run", config, cache) as again:
                    [refused] = again.ends()
        except CannotMountError:
            pytest.skip("this process may not mount")
    assert end.status == 1, end
    told = re.search(SAVED, end.err, re.MULTILINE)
    assert told, end.err
    assert "Traceback" not in end.err
    assert int(told[1]) == complete_steps(tmp_path / "run/checkpoints")[-1]
    check_work_directory(tmp_path / "run")
    assert refused.status == 2
    assert re.search(REFUSED, refused.err, re.MULTILINE), refused.err

    for name in ("run", "straight"):
        with Run(tmp_path / name, config, cache) as run:
            assert run.ends()[0].status == 0
    check_work_directory(tmp_path / "run", is_finished=True)
    assert final_arrays(tmp_path / "run", config) == final_arrays(tmp_path / "straight", config)
