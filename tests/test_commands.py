"""What all commands have in common: how they are listed, how they answer help and mistakes, and what they import for that."""

import dataclasses
import importlib
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from sr_jax import __main__ as commands
from sr_jax import convert, evaluate, kernels, networks, preview, train
from sr_jax.config import Config, workdir
from sr_jax.errors import InputError

ROOT = Path(__file__).parent.parent
NAMES = sorted(commands.COMMANDS)


def test_every_command_is_listed_with_one_line(capsys):
    for argv in ([], ["--help"], ["-h"]):
        assert commands.main(argv) == 0
        lines = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines() if line.startswith("  ")]
        assert [name for name, _ in lines] == list(commands.COMMANDS)
        assert all(len(summary) < 110 and summary.endswith(".") for _, summary in lines)


@pytest.mark.parametrize("name", NAMES)
def test_commands_have_one_form(name):
    command = importlib.import_module(f"sr_jax.{name}")
    assert commands.COMMANDS[name] is command
    assert f"python -m sr_jax.{name}" in command.__doc__
    assert dataclasses.is_dataclass(command.Arguments)
    with pytest.raises(dataclasses.FrozenInstanceError):
        object.__new__(command.Arguments).x = 1


@pytest.mark.parametrize("name", NAMES)
def test_help(name, capsys):
    with pytest.raises(SystemExit, match="0"):
        commands.main([name, "--help"])
    out, err = capsys.readouterr()
    assert out.startswith(f"usage: python -m sr_jax.{name} ")
    assert commands.COMMANDS[name].SUMMARY in out
    assert err == ""


def test_help_and_mistakes_are_answered_without_importing_what_is_slow():
    code = f"""
import sys
from sr_jax.__main__ import main
for name in {NAMES}:
    try:
        main([name, "--help"])
    except SystemExit as stop:
        assert stop.code == 0
    assert main([name, "--xyzzy"]) == 2
assert main(["convert", "theirs.pth"]) == main(["evaluate", "--sets", "a,b"]) == main(["kernels", "--model"]) == 2
slow = {{"jax", "flax", "tensorflow_datasets", "torch", "matplotlib", "PIL"}} & set(sys.modules)
assert not slow, slow
"""
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, cwd=ROOT)


@pytest.mark.parametrize("name", NAMES)
def test_a_mistake_is_one_line_and_status_2(name, capsys):
    assert commands.COMMANDS[name].main(["--xyzzy"]) == 2
    out, err = capsys.readouterr()
    assert (out, err) == ("", "error: --xyzzy: no such option; --help lists all options\n")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("models", "there is no command 'models'; did you mean 'networks'?"),
        ("list", "there is no command 'list'; did you mean 'networks'?"),
        ("data", "there is no command 'data'; did you mean 'preview'?"),
        ("evalaute", "there is no command 'evalaute'; did you mean 'evaluate'?"),
        ("Train", "there is no command 'Train'; did you mean 'train'?"),
        (
            "xyzzy",
            "there is no command 'xyzzy'; "
            "there are train, evaluate, upscale, preview, prepare, networks, kernels, convert, doctor",
        ),
    ],
)
def test_an_unknown_command_is_answered_with_the_nearest(name, message, capsys):
    assert commands.main([name, "--model", "x"]) == 2
    assert capsys.readouterr().err == f"error: {message}\n"


def test_the_console_script_is_the_list_of_commands():
    target = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]["sr-jax"]
    module, _, function = target.partition(":")
    assert getattr(importlib.import_module(module), function) is commands.main


def test_a_command_gets_its_arguments(monkeypatch):
    monkeypatch.setattr(kernels, "main", lambda argv: len(argv))
    assert commands.main(["kernels", "--model", "x", "--image", "y"]) == 4
    monkeypatch.setattr(sys, "argv", ["sr-jax", "kernels", "--model", "x"])
    assert commands.main() == 2


@pytest.mark.parametrize(
    ("command", "argv", "message"),
    [
        (evaluate, ["--model", "bicubic", "--data", "/sets"], "--data is called --data_root"),
        (evaluate, ["--model", "bicubic", "--data=/sets"], "--data is called --data_root"),
        (evaluate, ["--model", "bicubic", "--sets", "Set5,Set14"], "separate sets by spaces: --sets Set5 Set14"),
        (evaluate, ["--model", "bicubic", "--sets", "Set5,", "Set14"], "separate sets by spaces: --sets Set5 Set14"),
        (evaluate, ["--model", "bicubic", "--sets", ","], "separate sets by spaces: --sets Set5 Set14"),
        (convert, ["x.pth", "--out", "y", "--model", "fsrcnn", "--scale", "2"], "--model is called --network"),
        (networks, ["--model", "fsrcnn"], "--model is called --network"),
    ],
)
def test_an_old_spelling_is_answered_with_the_new_one(command, argv, message, capsys):
    assert command.main(argv) == 2
    assert capsys.readouterr().err == f"error: {message}\n"


def test_a_folder_with_a_comma_in_its_name_is_one_set(tmp_path):
    (tmp_path / "a,b").mkdir()
    sets = (str(tmp_path / "a,b"), "Set5")
    assert evaluate._sets(evaluate.Arguments(sets=sets)) == list(sets)
    with pytest.raises(InputError, match="separate sets by spaces"):
        evaluate._sets(evaluate.Arguments(sets=(str(tmp_path / "a,c"),)))


@pytest.mark.parametrize(
    ("options", "directory"),
    [
        ({}, "runs/default"),
        ({"config_file": Path("configs/x2.py")}, "runs/x2"),
        ({"config_file": Path("runs/mine/config.json")}, "runs/mine"),
        ({"config_file": Path("configs/x2.py"), "workdir": "here"}, "here"),
        ({"config_file": None, "workdir": "~/here"}, str(Path.home() / "here")),
    ],
)
def test_the_work_directory_of_a_run(options, directory):
    arguments = train.Arguments(config=Config(), **{"config_file": None} | options)
    assert arguments.directory == Path(directory)


def test_defaults_of_the_preview():
    arguments = preview.Arguments(config=Config(), config_file=None)
    assert (str(arguments.out), arguments.count, arguments.step) == ("preview.png", 8, 0)


def test_sizes_of_a_converted_network_follow_its_name(capsys):
    with pytest.raises(SystemExit, match="0"):
        convert.main(["--network", "edsr-baseline", "--help"])
    text = "".join(capsys.readouterr().out.replace("│", "").split())
    assert "--network" + convert.NETWORK_NAMES in text
    assert "--network.res_scaleFLOAT" in text
    assert "--network.d" not in text
    assert "--network.name" not in text
    assert convert.main(["x.pth", "--out", "y", "--network", "edsr", "--network.name=carn"]) == 2
    assert capsys.readouterr().err == "error: --network.name is called --network\n"


def test_a_finished_run_and_a_wrong_work_directory_are_answered_at_once(tmp_path):
    """Neither needs JAX, which takes seconds to import."""
    directory, config = tmp_path / "run", Config(steps=20)
    with workdir.claim(directory, config) as changes:
        workdir.register(directory, config, step=0, images=1, digest="a", changes=changes)
    (directory / "results.md").write_text("the table\n")
    (directory / "checkpoints" / "20").mkdir(parents=True)
    workdir.finish(directory, config)
    code = f"""
import sys
from sr_jax.train import main
assert main(["--config.steps=20", "--workdir", {str(directory)!r}]) == 0
assert main(["--config.steps=10", "--workdir", {str(directory)!r}]) == 2
assert not {{"jax", "PIL", "numpy"}} & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, cwd=ROOT, text=True)
    assert "the table" in done.stdout
    assert "nothing was computed" in done.stdout
    assert done.stderr.startswith(f"error: --workdir {directory} holds a run of 20 steps; steps=10 would shorten it")
    assert done.stderr.count("\n") == 1
