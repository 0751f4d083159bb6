import dataclasses
import re
from pathlib import Path
from typing import Annotated, Literal

import pytest

from sr_jax.cli.values import check_values, shorten, types_of
from sr_jax.errors import InputError

KINDS = {
    "int": int,
    "float": float,
    "bool": bool,
    "path": Path,
    "choice": Literal["a", "b"],
    "optional": float | None,
    "list": tuple[int, ...],
    "four": tuple[int, int, int, int],
}


@pytest.mark.parametrize(
    "argv",
    [
        ["--int=-3"],
        ["--int", "-3"],
        ["--float", "1e-3", "--float=inf"],
        ["--optional", "None", "--optional=2"],
        ["--list"],
        ["--list", "1", "2"],
        ["--four", "1", "2", "3", "4"],
        ["--path", "a/" * 500 + "b", "--unknown", "x"],
        ["--choice=c", "--bool=x"],  # these are left to the parser
        ["word", "--int", "3", "word"],
    ],
)
def test_right_values(argv):
    check_values(argv, KINDS)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--int", "x"], "--int=x: give a whole number"),
        (["--int=1e99"], "--int=1e99: give a whole number"),
        (["--float", "1,5"], "--float=1,5: give a number"),
        (["--optional=x"], "--optional=x: give a number, or None"),
        (["--list", "1", "x"], "--list=1 x: give whole numbers"),
        (["--four", "1", "2"], "--four=1 2: give 4 whole numbers"),
        (["--four", "1", "2", "3", "x"], "--four=1 2 3 x: give 4 whole numbers"),
        (["--path=" + "é" * 128], f"--path={'é' * 57}...: it is too long; the names of files have at most 255 bytes"),
        (["--path", "a\tb"], "--path=a?b: it has a line break or another character that cannot be printed"),
    ],
)
def test_wrong_values(argv, message):
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        check_values(argv, KINDS)


def test_types_of_flags():
    @dataclasses.dataclass
    class Group:
        size: Annotated[int, "at least 1"] = 1

    @dataclasses.dataclass
    class Options:
        file: Path
        group: Group

    assert types_of(Options, {"group": Group()}, {"file": "name"}) == {"name": Path, "group.size": int}


def test_a_shown_value_is_short_and_in_one_line():
    assert shorten("a b") == "a b"
    assert shorten("a\nb") == "a?b"
    assert len(shorten("x" * 1000)) == 60
