import dataclasses
import io
import sys
from pathlib import Path
from typing import Annotated

import pytest
import tyro

from sr_jax.cli.parsing import parse, take
from sr_jax.config import EDSRConfig
from sr_jax.errors import InputError


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
        (["file", "--scale=x"], "--scale: invalid literal for int() with base 10: 'x'"),
        (["file", "--scale=2", "other"], "unrecognized options: other"),
        (["file", "--factor=2"], "--factor is called --scale"),
        (["file", "--scael=2"], "--scael: no such option; did you mean --scale?"),
        (["file", "--network.n_feats=2"], "--network.n_feats: no such key; did you mean --network.width?"),
        (["file", "--network.xyzzy=2"], "--network.xyzzy: no such key; --help lists all keys"),
        (["file", "--config.steps=2"], "--config.steps: no such option; --help lists all options"),
        (["file", "--scale=2", "--network.blocks=0"], "network: blocks=0: input should be greater than 0"),
    ],
)
def test_a_mistake_is_one_line(argv, message, capsys):
    with pytest.raises(InputError) as error:
        read(*argv)
    assert str(error.value) == message
    assert capsys.readouterr() == ("", "")


def test_a_missing_value_is_named_in_one_line():
    with pytest.raises(InputError, match=r"^missing value for argument .*--scale.*$"):
        read("file", "--scale")


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
