import re

import pytest

from sr_jax.data.records import progress
from sr_jax.data.records.progress import Progress


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test turns."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_a_bar_on_a_terminal(capsys):
    with Progress("DIV2K", total=3, terminal=True) as bar:
        for _ in range(3):
            bar.advance()
    err = capsys.readouterr().err
    assert re.search(r"DIV2K: 100%.* 3/3 \[\d\d:\d\d<\d\d:\d\d", err)


def test_lines_elsewhere(capsys, clock):
    """Old images say nothing about the time that is left: here four images take a second each."""
    with Progress("DIV2K", total=1000, terminal=False) as lines:
        for _ in range(600):
            lines.advance(is_old=True)
        assert capsys.readouterr().err == ""
        for _ in range(25):
            clock[0] += 4
            lines.advance()
    first, *others = capsys.readouterr().err.splitlines()
    assert first == "DIV2K: 603 of 1,000 images, 26:28 left"
    assert len(others) == 7


def test_quick_preparations_print_nothing(capsys):
    with Progress("Set5", total=5, terminal=False) as lines:
        for _ in range(5):
            lines.advance()
    assert capsys.readouterr().err == ""
