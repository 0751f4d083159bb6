import re
import time

import pytest

from sr_jax.errors import InputError
from sr_jax.system import processes
from sr_jax.system.processes import Cluster
from tests.system.members import members


def run(action: str, count: int, *, started: int | None = None) -> list[tuple[int, str, str]]:
    """Runs processes to their ends, and returns the status, output and errors of each."""
    with members(action, count, started=started) as running:
        outputs = [member.communicate(timeout=60) for member in running]
    return [(member.returncode, *output) for member, output in zip(running, outputs, strict=True)]


def test_a_run_of_one_process_needs_nothing():
    with processes.joined(Cluster()), processes.joined(Cluster(processes=1)):
        assert processes.is_first()
        processes.barrier("nobody")
        assert processes.share("data", b"abc") == [b"abc"]


@pytest.mark.parametrize(
    ("cluster", "message"),
    [
        (Cluster("a:1"), r"--coordinator needs --processes and --process, too"),
        (Cluster("a:1", 2, 2), r"--process 2 of --processes 2: the processes are numbered from 0 to 1"),
        (Cluster(is_required=True), r"--distributed: no cluster is detected here"),
    ],
)
def test_wrong_options(cluster, message):
    with pytest.raises(InputError, match=message), processes.joined(cluster):
        pass


@pytest.mark.slow
def test_processes_share_data():
    for status, out, err in run("share", 3):
        assert status == 0, err
        assert out == "['I am 0', 'I am 1', 'I am 2'] [600000, 600000, 600000]\n"


@pytest.mark.slow
def test_a_process_that_waits_can_tell_something():
    for status, out, err in run("tell while waiting", 2):
        assert status == 0, err
        assert out == "[b'0', b'1']\n"


@pytest.mark.slow
def test_who_is_missing_is_said():
    first, second, late = run("late", 3)
    for status, _, err in (first, second):
        assert status == 1
        assert err.splitlines()[0] == "error: waited 2 s for the latecomer, but process 2 did not come"
    assert late[0] == 1
    assert re.fullmatch(r"error: process [01] has ended with an error, which it printed itself\. .*\n", late[2])


@pytest.mark.slow
def test_processes_that_were_not_started():
    began = time.monotonic()
    [(status, _, err)] = run("share", 2, started=1)
    assert status == 1
    assert "error: the processes of this run did not find each other within 20 s" in err
    assert time.monotonic() - began < 50


@pytest.mark.slow
def test_an_error_of_all_processes_keeps_its_status():
    assert [status for status, _, _ in run("error", 2)] == [2, 2]


@pytest.mark.slow
@pytest.mark.parametrize("action", ["one error", "death"])
def test_others_end_when_one_ends(action):
    began = time.monotonic()
    first, last = run(action, 2)
    assert last[0] == (2 if action == "one error" else 9)
    assert first[0] not in (0, 2)
    assert time.monotonic() - began < 50


@pytest.mark.slow
@pytest.mark.parametrize("others", ["wait", "are busy"])
def test_when_a_signal_stops_one_before_training_the_others_stop_with_its_status(others):
    began = time.monotonic()
    first, last = run(f"stop while the others {others}", 2)
    assert last[0] == 75
    assert (first[0], first[2]) == (
        75,
        "another process was stopped by a signal; nothing is lost, and the same command goes on\n",
    )
    assert time.monotonic() - began < 50
