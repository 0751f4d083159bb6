import re
from typing import Any

import pytest

from sr_jax import config as configs
from sr_jax.cli.config_options import ConfigOptions, parse_with_config
from sr_jax.config import Config
from sr_jax.config.losses import LOSSES
from sr_jax.errors import InputError
from sr_jax.training.losses import LOSSES as FUNCTIONS
from tests.config.writing import write

SUM = ((1.0, "l1"), (0.1, "fft"))


def parse(*arguments) -> Any:
    return parse_with_config(ConfigOptions, arguments, prog="test", description="A test.").config.loss


def test_every_name_has_a_function():
    assert list(FUNCTIONS) == list(LOSSES)


@pytest.mark.parametrize("loss", [*FUNCTIONS, SUM])
def test_losses_survive_json(loss):
    config = Config(loss=loss)
    assert config.loss == loss
    assert configs.from_json(configs.to_json(config)) == config


def test_the_loss_of_earlier_work_directories():
    assert configs.from_json('{"loss": "l1"}') == Config(loss="l1")
    assert '"loss": "l1",' in configs.to_json(Config())


def test_a_list_is_a_tuple():
    lists: Any = [[1, "l1"], (0.1, "fft")]
    assert Config(loss=lists).loss == SUM


@pytest.mark.parametrize(
    ("words", "loss"),
    [
        (["--config.loss", "mse"], "mse"),
        (["--config.loss=mse"], "mse"),
        (["--config.loss", "1.0", "l1", "0.1", "fft"], SUM),
        (["--config.loss", "1", "l1", "1e-1", "fft"], SUM),
        ([], "l1"),
    ],
)
def test_the_command_line(words, loss):
    assert parse(*words, "--config.seed=3") == loss


def test_the_command_line_names_own_losses_of_the_file(tmp_path):
    path = str(write(tmp_path, "def edge(sr, hr): return 0.0\nconfig = Config(loss=((1.0, 'l1'), (0.1, edge)))"))
    loss = parse("--config", path, "--config.loss", "2", "l1", "0.5", "edge")
    assert loss == ((2.0, "l1"), (0.5, "experiment.py:edge"))
    assert loss[1][1].function(0, 0) == 0.0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["l2"], "--config.loss='l2': there is no loss 'l2'; did you mean 'l1'?"),
        (["1", "l1", "2"], "--config.loss: 1 l1 2 is not a list of pairs; write for example 1.0 l1 0.1 fft"),
        (["l1", "fft"], "--config.loss: l1 fft lacks a weight before a loss; write for example 1.0 l1 0.1 fft"),
        (["1", "l1", "nan", "fft"], "the weight nan must be a positive number"),
        (["1", "l1", "0", "fft"], "the weight 0.0 must be a positive number"),
        (["1", "l1", "2", "l1"], "l1 is there twice; add up its weights"),
        ([], "--config.loss: give a value"),
    ],
)
def test_wrong_words(words, message):
    with pytest.raises(InputError, match=re.escape(message)):
        parse("--config.loss", *words)


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        ("3", "loss=3: it is not a loss; write for example"),
        ("()", r"loss=\(\): it is not a loss; write for example"),
        ("(1.0, 'l1')", "1.0 is not a pair of a weight and a loss"),
        ("((1.0, 'l1'), (True, 'fft'))", "the weight True must be a positive number"),
        ("((1.0, 3),)", "3 is not a loss"),
        ("'ssmi'", "there is no loss 'ssmi'; did you mean 'ssim'"),
        ("lambda sr, hr: 0.0", r"a loss of your own needs a name at the top of a file: def NAME\(sr, hr\)"),
    ],
)
def test_wrong_values(tmp_path, loss, message):
    with pytest.raises(InputError, match=message):
        configs.load(write(tmp_path, f"config = Config(loss={loss})"))
