"""`launch/slurm.sbatch`, with stand-ins for `srun` and `scontrol` in `bin/`."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.launch.test_local import note, wait_for

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
SCRIPT = ROOT / "launch/slurm.sbatch"


def submit(notes: Path, *arguments: str, tasks: int = 2, **variables: str) -> subprocess.Popen:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("SLURM_")},
        "PATH": f"{HERE / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(HERE),
        "PYTHON": str(HERE / "bin/python"),
        "STAND_IN_PYTHON": sys.executable,
        "STAND_IN_NOTES": str(notes),
        "STAND_IN_TASKS": str(tasks),
        "SLURM_JOB_ID": "1234",
        **variables,
    }
    return subprocess.Popen(
        ["bash", str(SCRIPT), *arguments], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def asked(notes: Path, program: str) -> list[str]:
    path = notes / program
    return path.read_text().splitlines() if path.exists() else []


def test_each_task_is_told_to_find_the_others_by_slurm(tmp_path):
    job = submit(tmp_path, "--as=0=exit:0", tasks=3)
    out, _ = job.communicate(timeout=60)
    assert job.returncode == 0
    assert sorted(out.splitlines()) == [f"process {task} is ready" for task in range(3)]
    for task in range(3):
        variables = note(tmp_path, task)
        assert variables["distributed"]
        assert variables["SLURM_PROCID"] == str(task)
        assert variables["SLURM_NTASKS"] == "3"
    assert asked(tmp_path, "scontrol") == []


@pytest.mark.parametrize(
    ("status", "restarts", "requeued"),
    [(75, "0", True), (75, "99", True), (1, "0", True), (1, "2", True), (1, "3", False), (2, "0", False), (0, "0", False)],
)
def test_the_status_decides_whether_the_job_goes_back_to_the_queue(tmp_path, status, restarts, requeued):
    job = submit(tmp_path, f"--as=0=exit:{status}", tasks=1, SLURM_RESTART_COUNT=restarts)
    job.communicate(timeout=60)
    assert job.returncode == status
    assert asked(tmp_path, "scontrol") == (["requeue 1234"] if requeued else [])


def test_the_warning_before_the_time_limit_saves_and_requeues(tmp_path):
    job = submit(tmp_path, "--as=0=stop", "--as=1=stop")
    wait_for(tmp_path, processes=2)
    [srun] = subprocess.run(["pgrep", "-P", str(job.pid)], capture_output=True, text=True, check=True).stdout.split()
    os.kill(int(srun), signal.SIGTERM)  # without `B:`, the batch script itself gets no signal
    job.communicate(timeout=60)
    assert job.returncode == 75
    assert [json.loads((tmp_path / f"signals-{task}").read_text()) for task in range(2)] == [[signal.SIGTERM]] * 2
    assert asked(tmp_path, "scontrol") == ["requeue 1234"]


def test_a_cancelled_job_does_not_go_back_to_the_queue(tmp_path):
    job = submit(tmp_path, "--as=0=stop", tasks=1)
    wait_for(tmp_path, processes=1)
    [srun] = subprocess.run(["pgrep", "-P", str(job.pid)], capture_output=True, text=True, check=True).stdout.split()
    for pid in (job.pid, int(srun)):  # scancel sends SIGTERM to the batch script and to the tasks
        os.kill(pid, signal.SIGTERM)
    job.communicate(timeout=60)
    assert job.returncode == -signal.SIGTERM
    assert asked(tmp_path, "scontrol") == []


def test_the_job_asks_for_a_warning_and_may_go_back_to_the_queue():
    options = re.findall(r"^#SBATCH (\S+)$", SCRIPT.read_text(), re.MULTILINE)
    assert {"--signal=TERM@120", "--requeue", "--open-mode=append"} <= set(options)
    # With --gpus-per-task each process would see one GPU, with the number 0, and JAX would look for SLURM_LOCALID (jax#28194).
    assert not any(option.startswith("--gpus-per-task") for option in options)
    lines = SCRIPT.read_text().splitlines()
    first_command = next(i for i, line in enumerate(lines) if line and not line.startswith("#"))
    assert not any(line.startswith("#SBATCH") for line in lines[first_command:]), "sbatch reads no options below a command"


def test_a_dry_run_prints_the_commands(tmp_path):
    arguments = ["--dry-run", "--config", "configs/x2.py", "--workdir", "/shared/two words"]
    job = submit(tmp_path, *arguments, PYTHON=".venv/bin/python")
    out, err = job.communicate(timeout=60)
    assert (job.returncode, err) == (0, "")
    assert out == (HERE / "golden/slurm.txt").read_text()
    assert not list(tmp_path.iterdir())


def test_a_job_without_arguments_is_refused(tmp_path):
    job = submit(tmp_path)
    _, err = job.communicate(timeout=60)
    assert job.returncode == 2
    assert err.startswith("launch/slurm.sbatch: it needs the arguments of sr_jax.train")


PROGRAM = """
import sys
import jax
jax.distributed.initialize()
ones = jax.numpy.ones(jax.local_device_count())
total = float(jax.pmap(lambda x: jax.lax.psum(x, "i"), "i")(ones)[0])
sys.stdout.write(f"sum {jax.process_count()} {total}\\n")  # in one piece, unlike `print`: the tasks share one pipe
jax.distributed.shutdown()
"""


@pytest.mark.slow
def test_jax_finds_the_tasks_by_the_variables_of_the_stand_in(tmp_path):
    """The stand-in sets what JAX's own detection of SLURM needs."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM_", "JAX_NUM_CPU"))}
    environment |= {"STAND_IN_TASKS": "2", "STAND_IN_NOTES": str(tmp_path), "JAX_PLATFORMS": "cpu", "JAX_NUM_CPU_DEVICES": "2"}
    environment |= {"SLURM_JOB_ID": str(os.getpid())}  # JAX makes the port from it
    command = [str(HERE / "bin/srun"), "--wait=120", sys.executable, "-c", PROGRAM]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stderr
    assert [line for line in result.stdout.splitlines() if line.startswith("sum")] == ["sum 2 4.0"] * 2
