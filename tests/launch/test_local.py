"""`launch/local.py`: N processes of a stand-in command."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
LAUNCHER = [sys.executable, str(ROOT / "launch/local.py")]


def clean_environment(**variables: str) -> dict[str, str]:
    removed = ("JAX_PLATFORMS", "JAX_NUM_CPU_DEVICES", "CUDA_VISIBLE_DEVICES")
    kept = {name: value for name, value in os.environ.items() if name not in removed}
    return {**kept, "PYTHONPATH": str(HERE), **variables}


def launch(notes: Path, options: list[str], deeds: list[str], **variables: str) -> subprocess.Popen:
    notes.mkdir(exist_ok=True)
    arguments = ["--module", "stand_in", *options, "--", "--notes", str(notes), *(f"--as={deed}" for deed in deeds)]
    return subprocess.Popen(
        [*LAUNCHER, *arguments], env=clean_environment(**variables), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finish(launcher: subprocess.Popen) -> tuple[int, str, str]:
    out, err = launcher.communicate(timeout=60)
    return launcher.returncode, out, err


def note(notes: Path, process: int, start: int = 0) -> dict:
    return json.loads((notes / f"{process}-{start}.json").read_text())


def wait_for(notes: Path, *, processes: int) -> None:
    for _ in range(600):
        if len(list(notes.glob("*-0.json"))) == processes:
            return
        time.sleep(0.05)
    raise AssertionError("the processes did not start")


def test_each_process_gets_its_number_one_coordinator_and_its_devices(tmp_path):
    # A user's own number of devices must not win over --devices.
    status, out, err = finish(launch(tmp_path / "n", ["--processes", "3", "--devices", "4"], [], JAX_NUM_CPU_DEVICES="7"))
    assert status == 0
    notes = [note(tmp_path / "n", process) for process in range(3)]
    assert {note["coordinator"] for note in notes} == {notes[0]["coordinator"]}
    host, port = notes[0]["coordinator"].split(":")
    assert host == "127.0.0.1"
    assert 1024 <= int(port) <= 65535
    for note_ in notes:
        assert note_["processes"] == 3
        assert note_["JAX_PLATFORMS"] == "cpu"
        assert note_["JAX_NUM_CPU_DEVICES"] == "4"
    assert out == "process 0 is ready\n"
    assert sorted(err.splitlines()) == ["[1] process 1 is ready", "[2] process 2 is ready"]


def test_one_process_is_no_cluster(tmp_path):
    assert finish(launch(tmp_path / "n", [], []))[0] == 0
    assert note(tmp_path / "n", 0)["coordinator"] is None


def test_the_lines_of_other_processes_can_go_to_files(tmp_path):
    status, out, err = finish(launch(tmp_path / "n", ["--processes", "2", "--logs", str(tmp_path / "logs/here")], []))
    assert (status, out, err) == (0, "process 0 is ready\n", "")
    assert (tmp_path / "logs/here/process-1.log").read_text() == "process 1 is ready\n"


@pytest.mark.parametrize(
    ("deeds", "expected"),
    [
        (["0=exit:75", "1=exit:75"], 75),
        (["0=exit:0", "1=exit:75"], 75),
        (["0=exit:75", "1=exit:1"], 1),
        (["0=exit:1", "1=exit:2"], 2),
        (["0=exit:3"], 1),
        (["1=signal:9"], 1),
    ],
)
def test_the_status_is_the_worst_of_all_processes(tmp_path, deeds, expected):
    assert finish(launch(tmp_path / "n", ["--processes", "2"], deeds))[0] == expected


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_reaches_every_process_once(tmp_path, number):
    # A restart is not wanted when somebody stopped the launcher itself.
    launcher = launch(tmp_path / "n", ["--processes", "2", "--restarts", "2"], ["0=stop", "1=stop"])
    wait_for(tmp_path / "n", processes=2)
    launcher.send_signal(number)
    assert finish(launcher)[0] == 75
    expected = signal.SIGINT if number == signal.SIGINT else signal.SIGTERM
    for process in range(2):
        assert json.loads((tmp_path / f"n/signals-{process}").read_text()) == [expected]
    assert not (tmp_path / "n/0-1.json").exists()


def test_ctrl_c_in_a_terminal_reaches_every_process_once(tmp_path):
    """A terminal sends the signal to the whole process group of the launcher."""
    notes = tmp_path / "n"
    notes.mkdir()
    arguments = ["--module", "stand_in", "--processes", "2", "--", "--notes", str(notes), "--as=0=stop", "--as=1=stop"]
    launcher = subprocess.Popen(
        [*LAUNCHER, *arguments],
        env=clean_environment(),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_for(notes, processes=2)
    os.killpg(launcher.pid, signal.SIGINT)
    assert launcher.wait(timeout=60) == 75
    assert json.loads((notes / "signals-1").read_text()) == [signal.SIGINT]


def test_three_signals_kill_a_process_that_hangs(tmp_path):
    launcher = launch(tmp_path / "n", ["--processes", "2"], ["0=hang", "1=hang"])
    wait_for(tmp_path / "n", processes=2)
    for _ in range(3):
        launcher.send_signal(signal.SIGTERM)
        time.sleep(0.3)  # equal signals that arrive together are one
    assert finish(launcher)[0] == 1


def test_a_process_that_goes_on_after_another_died_is_killed_in_time(tmp_path):
    status, _, err = finish(launch(tmp_path / "n", ["--processes", "2", "--grace", "1"], ["0=hang", "1=signal:9"]))
    assert status == 1
    assert "process 1 was ended by SIGKILL" in err
    assert "killing 0: still running 1 s after the first process ended" in err


@pytest.mark.parametrize(
    ("deed", "starts", "status"), [("exit:75", 2, 0), ("exit:1", 2, 0), ("exit:2", 1, 2), ("signal:9", 2, 0)]
)
def test_restarts(tmp_path, deed, starts, status):
    launcher = launch(tmp_path / "n", ["--restarts", "3"], [f"0={deed}"])
    launcher.communicate(timeout=60)
    assert launcher.returncode == (2 if deed == "exit:2" else 75 if deed == "exit:75" else 1)
    assert len(list((tmp_path / "n").glob("0-*.json"))) == (1 if deed == "exit:2" else 4)

    # The same with a deed that is done once.
    (tmp_path / "m").mkdir()
    arguments = ["--module", "stand_in", "--restarts", "3", "--", "--notes", str(tmp_path / "m"), f"--as=0={deed}", "--first"]
    result = subprocess.run(
        [*LAUNCHER, *arguments], env=clean_environment(), capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == status
    assert len(list((tmp_path / "m").glob("0-*.json"))) == starts
    assert ("restart 1 of 3" in result.stderr) == (starts == 2)


def dry_run(*arguments: str, **variables: str) -> str:
    command = [*LAUNCHER, "--dry-run", *arguments]
    result = subprocess.run(command, env=clean_environment(**variables), capture_output=True, text=True, check=True)
    return result.stdout.replace(sys.executable, "python")


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("cpu", ["--processes", "2", "--devices", "4", "--", "--config", "configs/x2.py", "--workdir", "runs/two words"]),
        (
            "gpus",
            [
                "--processes",
                "2",
                "--gpus",
                "0,1,2,3",
                "--port",
                "12345",
                "--module",
                "sr_jax.evaluate",
                "--",
                "--model",
                "runs/x2",
            ],
        ),
        ("one", ["--gpus", "all", "--", "--config", "configs/x2.py"]),
    ],
)
def test_a_dry_run_prints_the_commands(name, arguments):
    assert dry_run(*arguments, CUDA_VISIBLE_DEVICES="5,6") == (HERE / f"golden/local_{name}.txt").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--processes", "0"], "0 is less than 1"),
        (["--processes", "two"], "invalid number value: 'two'"),
        (["--processes", "3", "--gpus", "0,1"], "--processes 3: 2 GPUs cannot be split evenly"),
        (["--gpus", "0,,1"], "--gpus 0,,1: the names of the GPUs must be given once each"),
        (["--gpus", "1,1"], "--gpus 1,1: the names of the GPUs must be given once each"),
        (["--gpus", "all"], "--gpus all: nvidia-smi lists no GPUs"),
        (["--gpus", "0", "--devices", "2"], "not allowed with argument"),
        (["--config", "configs/x2.py"], "unrecognized arguments: --config"),
    ],
)
def test_wrong_options_have_status_2(arguments, message):
    result = subprocess.run(
        [*LAUNCHER, *arguments], env=clean_environment(PATH=""), capture_output=True, text=True, check=False
    )
    assert result.returncode == 2
    assert message in result.stderr
