"""What the others of a run say and do when one of its processes is gone."""

import contextlib
import os
import signal
import threading
import time

import pytest
from jax._src.lib import _jax
from jax.errors import JaxRuntimeError

from sr_jax.errors import InputError, Interrupted, NotFiniteError, TrainingError
from sr_jax.system import presence, processes
from tests.ports import free_port
from tests.system.members import members

SILENT = (
    r"error: no sign of life of process {} for 6 s; it may be killed or frozen, or its host lost. Start all processes again"
)
GONE = "error: process 0 is gone: JAX's service, which runs in it, takes no connection any more. Start all processes again"
FAILED = "error: process 1 has ended with an error, which it printed itself. Start all processes again"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("action", "count", "gone", "line"),
    [
        ("death", 3, 2, SILENT.format(2)),
        ("death of the first", 2, 0, GONE),
        ("freeze", 2, 1, SILENT.format(1)),
        ("freeze of the first", 2, 0, SILENT.format(0)),
        ("lost connection", 2, 1, SILENT.format(1)),
        ("one error", 2, 1, FAILED),
    ],
)
def test_the_others_end_with_one_line_that_says_who_is_gone(action, count, gone, line):
    with members(action, count) as started:
        began = time.monotonic()
        for member in started[:gone] + started[gone + 1 :]:
            _, err = member.communicate(timeout=60)
            assert member.returncode == 1, err
            assert [text for text in err.splitlines() if text.startswith("error: ")] == [line]
            assert "stack trace" not in err
        assert time.monotonic() - began < 50


def test_joining_leaves_jax_as_it_was():
    before = _jax.get_distributed_runtime_client
    with presence.abort_without_stack():
        assert _jax.get_distributed_runtime_client is not before
    assert _jax.get_distributed_runtime_client is before


def test_an_error_that_cannot_be_reported_does_not_keep_the_process(monkeypatch, capfd):
    """The thread that has it may wait for JAX's service forever."""
    statuses = []

    def end(status):
        statuses.append(status)
        raise SystemExit

    monkeypatch.setattr(os, "_exit", end)
    monkeypatch.setattr(presence, "GRACE", 0.1)
    second = presence.Presence(index=1, count=2, coordinator=f"127.0.0.1:{free_port()}", timeout=6.0)
    second.end_alone()

    def abort():
        with contextlib.suppress(SystemExit):
            second._aborted(signal.SIGABRT)

    thread = threading.Thread(target=abort, daemon=True)
    thread.start()
    thread.join(timeout=10)
    assert statuses == [1]
    assert capfd.readouterr().err == f"{GONE}\n"


@pytest.mark.parametrize(
    ("raised", "cause", "is_foreign"),
    [
        (TrainingError("x"), ValueError("UNKNOWN: Gloo AllGather failed"), True),
        (JaxRuntimeError("x"), None, True),
        (TrainingError("x"), None, False),
        (TrainingError("x"), NotFiniteError("y"), False),
        (InputError("x"), OSError("y"), False),
        (Interrupted("x"), None, False),
    ],
)
def test_errors_that_may_come_from_a_lost_connection(raised, cause, is_foreign):
    raised.__cause__ = cause
    assert processes._may_be_lost_connection(raised) == is_foreign


def test_names():
    assert presence.listed([1]) == "process 1"
    assert presence.listed({3, 1}) == "processes 1, 3"
