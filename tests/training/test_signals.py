import io
import signal
import sys

import pytest

from sr_jax.errors import Interrupted
from sr_jax.training.signals import StopSignals

NOTICE = "\nSIGINT: saving after this step; a second signal stops at once\n"


def test_the_first_signal_is_stored_and_the_second_one_acts(capfd):
    before = signal.getsignal(signal.SIGTERM)
    with StopSignals() as stop:
        stop.defer()
        assert stop.received is None
        signal.raise_signal(signal.SIGINT)
        assert stop.received == signal.SIGINT
        assert capfd.readouterr().err == NOTICE
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGTERM) == before
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_before_the_first_step_a_signal_stops_at_once(number):
    before = signal.getsignal(number)
    with pytest.raises(Interrupted, match=f"stopped by {number.name} before the first step"), StopSignals():
        signal.raise_signal(number)
    assert signal.getsignal(number) == before
    assert Interrupted("").status == 75


def test_ignored_signals_stay_ignored():
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with StopSignals() as stop:
            signal.raise_signal(signal.SIGTERM)
            assert stop.received is None
    finally:
        signal.signal(signal.SIGTERM, before)


class Terminal(io.RawIOBase):
    """A terminal that a signal reaches while the progress bar writes to it."""

    was_reached = False

    def writable(self):
        return True

    def write(self, data):
        if not self.was_reached:
            self.was_reached = True
            signal.raise_signal(signal.SIGINT)
        return len(data)


def test_a_signal_while_the_progress_bar_draws(monkeypatch, capfd):
    """Python's buffers refuse to be entered twice: RuntimeError, reentrant call."""
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(io.BufferedWriter(Terminal()), write_through=True))
    with StopSignals() as stop:
        stop.defer()
        sys.stderr.write("10%")
        sys.stderr.flush()
    assert stop.received == signal.SIGINT
    assert capfd.readouterr().err == NOTICE


def test_a_signal_when_nobody_reads_standard_error(monkeypatch):
    def refuse(file, data):
        raise BrokenPipeError(file, data)

    monkeypatch.setattr("sr_jax.training.signals.os.write", refuse)
    with StopSignals() as stop:
        stop.defer()
        signal.raise_signal(signal.SIGTERM)
    assert stop.received == signal.SIGTERM
