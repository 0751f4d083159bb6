import dataclasses
import io
import os
import sys
from pathlib import Path
from typing import Annotated

import pytest
import tyro

from sr_jax.cli.parsing import parse, take
from sr_jax.config import EDSRConfig
from sr_jax.errors import InputError

TOO_LONG = "it is too long; the names of files have at most 255 bytes"
NOT_PRINTABLE = "it has a line break or another character that cannot be printed"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arguments:
    """The options of a command."""

    source: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="SOURCE")]
    """A file with a long description, so long that the help of this option would fill more than one line of the message."""
    network: EDSRConfig
    scale: int
    """The scale."""
    out: Path | None = None
    """A folder."""


def read(*argv):
    return parse(
        Arguments,
        argv,
        prog="python -m sr_jax.command",
        description="Does something.",
        defaults={"network": EDSRConfig()},
        renamed={"--factor": "--scale"},
    )


def test_options_are_read_as_their_types():
    arguments = read("file", "--scale", "3", "--network.blocks=2")
    assert arguments == Arguments(source=Path("file"), network=EDSRConfig(blocks=2), scale=3)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "missing from python -m sr_jax.command: SOURCE --scale INT"),
        (["file"], "missing from python -m sr_jax.command: --scale INT"),
        (["file", "--scale=x"], "--scale=x: give a whole number"),
        (["file", "--scale"], "--scale: give a value"),
        (["file", "--scale="], "--scale: give a value"),
        (["file", "--scale", ""], "--scale: give a value"),
        (["file", "--scale", "--out", "x"], "--scale: give a value"),
        (["", "--scale=2"], "an argument is empty; give a value, or leave it out"),
        (["file", "--scale=2", "other"], "other: this is not an option; --help lists all"),
        (["file", "--scale=2", f"--out={'long' * 99}/" + 20 * "/longer"], f"--out={'long' * 14}l...: {TOO_LONG}"),
        (["file", "--scale=2", "--out=a\nb"], f"--out=a?b: {NOT_PRINTABLE}"),
        (["f\x7file", "--scale=2"], f"f?ile: {NOT_PRINTABLE}"),
        (["f" * 256, "--scale=2"], f"{'f' * 57}...: {TOO_LONG}"),
        (["file", "--factor=2"], "--factor is called --scale"),
        (["file", "--scael=2"], "--scael: no such option; did you mean --scale?"),
        (["file", "--network.n_feats=2"], "--network.n_feats: no such key; did you mean --network.width?"),
        (["file", "--network.xyzzy=2"], "--network.xyzzy: no such key; --help lists all keys"),
        (["file", "--config.steps=2"], "--config.steps: no such option; --help lists all options"),
        (["file", "--scale=2", "--network.blocks=0"], "--network.blocks=0: input should be greater than 0"),
        (["file", "--scale=2", "--network.channels=2"], "--network.channels=2: give one of 1, 3"),
        (["file", "--scale=2", "--network.image_skip=yes"], "--network.image_skip=yes: give one of True, False"),
    ],
)
def test_a_mistake_is_one_line(argv, message, capsys):
    with pytest.raises(InputError) as error:
        read(*argv)
    assert str(error.value) == message
    assert capsys.readouterr() == ("", "")


def test_a_message_does_not_depend_on_the_width_of_the_terminal(monkeypatch):
    """tyro breaks long words at the edge of the terminal."""
    choice, long = "--network.channels", "x" * 55
    for columns in ("20", "80", "1000"):
        monkeypatch.setenv("COLUMNS", columns)
        with pytest.raises(InputError) as error:
            read("file", "--scale=2", choice, long)
        assert str(error.value) == f"{choice}={long}: give one of 1, 3"
        assert os.environ["COLUMNS"] == columns


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_frames_and_colours_of_a_terminal_are_left_out(encoding, monkeypatch):
    terminal = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with pytest.raises(InputError) as error:
        read()
    assert str(error.value) == "missing from python -m sr_jax.command: SOURCE --scale INT"


def test_dashes_are_underscores():
    assert read("file", "--scale=2", "--network.res-scale=1").network.res_scale == 1


def test_help_is_printed(capsys):
    with pytest.raises(SystemExit, match="0"):
        read("--help")
    assert "Does something." in capsys.readouterr().out


def test_a_value_is_taken_from_the_arguments():
    argv = ["a", "--x=1", "--x", "2", "--xy", "3"]
    assert take(argv, "--x") == ("2", ["a", "--xy", "3"])
    assert take(argv, "--z") == (None, argv)
    for wrong in (["--x"], ["--x="], ["--x", "--y"]):
        with pytest.raises(InputError, match=r"^--x: give a value$"):
            take(wrong, "--x")
