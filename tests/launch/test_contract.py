"""The commands take the flags that the launchers give them."""

import pytest

from sr_jax import evaluate, train

TRAIN = (train, ["--config", "configs/x2.py", "--workdir", "DIR"])
EVALUATE = (evaluate, ["--model", "bicubic", "--sets", "Set5"])


def run(command, options, arguments, tmp_path) -> int:
    return command.main([*options, *(str(tmp_path / "run") if word == "DIR" else word for word in arguments)])


@pytest.mark.parametrize(("command", "arguments"), [TRAIN, EVALUATE], ids=["train", "evaluate"])
def test_distributed_takes_no_value(tmp_path, capsys, command, arguments):
    assert run(command, ["--distributed"], arguments, tmp_path) == 2
    assert "no cluster is detected here" in capsys.readouterr().err


@pytest.mark.parametrize(("command", "arguments"), [TRAIN, EVALUATE], ids=["train", "evaluate"])
def test_wrong_input_has_the_status_that_is_never_restarted(tmp_path, capsys, command, arguments):
    options = ["--coordinator", "127.0.0.1:1", "--processes", "2", "--process", "2"]
    assert run(command, options, arguments, tmp_path) == 2
    assert "--process 2 of --processes 2" in capsys.readouterr().err
