import errno
import os

import pytest

from sr_jax.errors import InputError, TrainingError, exit_status, is_full, listing, option, writing


def test_an_option_is_named_before_the_message():
    with pytest.raises(InputError, match=r"^--sets: unknown set 'Set6'$"), option("--sets"):
        raise InputError("unknown set 'Set6'")
    with pytest.raises(ValueError, match=r"^not about the input$"), option("--sets"):
        raise ValueError("not about the input")


@pytest.mark.parametrize(
    ("number", "kind", "message"),
    [
        (errno.EACCES, InputError, r"^--out x cannot be written \(Permission denied\); give another folder$"),
        (errno.ENOSPC, TrainingError, r"^the disk is full: --out x cannot be written; make room or give another folder$"),
        (errno.EDQUOT, TrainingError, r"^the disk is full: --out x cannot be written"),
    ],
)
def test_a_full_disk_is_no_wrong_input(number, kind, message):
    with pytest.raises(kind, match=message), writing("--out x"):
        raise OSError(number, os.strerror(number))


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(errno.ENOSPC, "text"), True),
        (OSError(errno.EDQUOT, "text"), True),
        (OSError(errno.EACCES, "text"), False),
        # TensorStore's error
        (
            ValueError("RESOURCE_EXHAUSTED: Failed to write 9 bytes to file 11: No space left on device [os_error_code='28']"),
            True,
        ),
        (ValueError("NOT_FOUND: Error opening a file"), False),
    ],
)
def test_a_full_disk_is_recognised(error, expected):
    assert is_full(error) == expected


def test_long_listings_are_cut_short():
    assert listing(["one", "two"], most=2) == "\n  one\n  two"
    assert listing((f"line {i}" for i in range(12)), most=10).endswith("line 9\n  and 2 more")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (PermissionError(13, "Permission denied", "/a"), "/a: Permission denied"),
        (OSError("something else"), "something else"),
        (MemoryError("9 GiB"), "there is too little memory; use a smaller network, batch, patch or image (9 GiB)"),
        (
            RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes.\nmore"),
            "there is too little memory; use a smaller network, batch, patch or image "
            "(RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes.)",
        ),
    ],
)
def test_files_and_memory_are_no_traceback(error, message, capsys):
    def command():
        raise error

    assert exit_status(command) == 1
    assert capsys.readouterr().err == f"error: {message}\n"


def test_a_bug_has_a_traceback():
    def command():
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        exit_status(command)
