"""Runs that go on with other numbers of devices and of processes."""

import shutil

import pytest

from benchmarks.fault_runs import Run, check_work_directory
from tests.runs.short_runs import assert_close_parameters, final_state, forget_after, make_config

pytestmark = pytest.mark.slow


def finish(directory, config, cache, *, devices, count=1):
    with Run(directory, config, cache, devices=devices, count=count) as run:
        for end in run.ends():
            assert end.status == 0, end.err
        assert run.has_printed(f"{devices * count} x cpu")


def test_a_run_goes_on_with_other_numbers_of_devices_and_processes(pictures, cache, tmp_path):
    """All batches are the same; only the order of the sums between devices differs. So the parameters differ by rounding."""
    config = make_config(pictures)
    finish(tmp_path / "straight", config, cache, devices=4)
    expected = final_state(tmp_path / "straight", config)
    for name, numbers in {"devices": [(4, 2, 1), (8, 8, 1)], "processes": [(4, 2, 2)]}.items():
        shutil.copytree(tmp_path / "straight", tmp_path / name)
        for step, devices, count in numbers:
            forget_after(tmp_path / name, step)
            finish(tmp_path / name, config, cache, devices=devices, count=count)
        assert_close_parameters(final_state(tmp_path / name, config), expected)
        check_work_directory(tmp_path / name, is_finished=True)
