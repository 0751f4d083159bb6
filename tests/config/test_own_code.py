"""Networks and losses from a user's own files; tests/runs/test_extending.py trains with them."""

import dataclasses
import json
import math
import sys
from typing import Any

import pytest

from sr_jax import config as configs
from sr_jax.config import Config, workdir
from sr_jax.errors import InputError

NET = """
from __future__ import annotations
from typing import Literal
from helpers import WIDTH
from sr_jax.config import keys_of
from sr_jax.models.about import About

class Net:
    about = About(name="Net", channels=1, scales=(2,))
    def __init__(self, *, scale, width, rngs): pass

@keys_of(Net)
class NetConfig:
    name: Literal["net"] = "net"
    width: int = WIDTH
    '''How wide it is.'''

def edge(sr, hr):
    return 0.0
"""
CONFIG = """
from net import NetConfig, edge
from sr_jax.config import Config
config = Config(model=NetConfig(), loss=((1.0, "l1"), (0.1, edge)))
"""


def write(folder, *, config=CONFIG, name="mine.py", **files):
    """Writes a config file and the files beside it, and returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in {"net": NET, "helpers": "WIDTH = 3", **files}.items():
        (folder / f"{file}.py").write_text(text)
    (folder / name).write_text(config)
    return folder / name


def load(path) -> Any:
    return configs.load(path)


def register(directory, config):
    with workdir.claim(directory, config) as changes:
        workdir.register(directory, config, step=0, images=1, digest="a", changes=changes)


def error_of(function, *arguments, **options) -> str:
    with pytest.raises(InputError) as error:
        function(*arguments, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_the_work_directory_keeps_what_the_config_needs_and_reads_it_without_the_originals(tmp_path):
    config = load(write(tmp_path / "files"))
    assert configs.title(config.model) == "net()"
    register(tmp_path / "run", config)
    assert sorted(path.name for path in (tmp_path / "run/code").iterdir()) == ["helpers.py", "net.py"]
    for path in (tmp_path / "files").iterdir():
        path.unlink()
    again = load(tmp_path / "run/config.json")
    assert configs.differences(config, again) == {}
    assert configs.to_json(again) == configs.to_json(config) == (tmp_path / "run/config.json").read_text()
    assert again.model.width == 3
    assert again.loss[1][1].function(0, 0) == 0.0
    assert workdir.check(tmp_path / "run", again) == {}


def test_nothing_is_left_behind(tmp_path):
    before, paths, finders = {*sys.modules}, [*sys.path], [*sys.meta_path]
    config = load(write(tmp_path))
    assert (sys.path, sys.meta_path) == (paths, finders)
    assert {name for name in {*sys.modules} - before if name.split(".")[0] in ("net", "helpers")} == set()
    assert not list(tmp_path.glob("**/__pycache__"))
    assert config.model.width == 3


def test_files_of_one_name_in_two_folders_are_told_apart(tmp_path):
    one, two = (load(write(tmp_path / name, helpers=f"WIDTH = {width}")) for name, width in {"a": 5, "b": 7}.items())
    assert (one.model.width, two.model.width) == (5, 7)


def test_a_module_of_the_same_name_from_elsewhere_is_left_alone(tmp_path, monkeypatch):
    other = type(sys)("helpers")
    monkeypatch.setitem(sys.modules, "helpers", other)
    assert load(write(tmp_path)).model.width == 3
    assert sys.modules["helpers"] is other


def test_a_file_is_read_once_so_the_copy_is_what_ran(tmp_path):
    config = load(write(tmp_path))
    (tmp_path / "net.py").write_text("changed meanwhile")
    assert configs.code_of(config)["net.py"].decode() == NET


def test_a_changed_file_is_refused_and_the_copy_goes_on(tmp_path):
    path = write(tmp_path)
    register(tmp_path / "run", load(path))
    (tmp_path / "helpers.py").write_text("WIDTH = 3  # the same")
    message = error_of(workdir.check, tmp_path / "run", load(path))
    assert f"helpers.py changed since its run began; --config {tmp_path / 'run'} goes on with the copy" in message
    assert workdir.check(tmp_path / "run", load(tmp_path / "run/config.json")) == {}


@pytest.mark.parametrize(
    "spoil", [lambda path: path.unlink(), lambda path: path.write_text("WIDTH = 4")], ids=["gone", "changed"]
)
def test_a_spoilt_copy_is_named(tmp_path, spoil):
    register(tmp_path / "run", load(write(tmp_path)))
    spoil(tmp_path / "run/code/helpers.py")
    message = error_of(configs.load, tmp_path / "run/config.json")
    assert f"{tmp_path}/run/config.json: its code {tmp_path}/run/code/helpers.py is" in message


def test_a_network_and_a_loss_in_the_config_file_itself(tmp_path):
    text = f"{NET}\nfrom sr_jax.config import Config\nconfig = Config(model=NetConfig(width=4), loss=edge)"
    config = load(write(tmp_path, config=text, name="my exp-1.py"))
    register(tmp_path / "run", config)
    assert json.loads((tmp_path / "run/config.json").read_text())["loss"] == "my exp-1.py:edge"
    assert load(tmp_path / "run/config.json").model.width == 4


@pytest.mark.parametrize("init", [{}, {"nets/__init__": "from nets import other"}], ids=["folder", "package"])
def test_files_in_folders(tmp_path, init):
    (tmp_path / "nets").mkdir()
    files = {"nets/net": NET.replace("from helpers", "from .other"), "nets/other": "WIDTH = 9", **init}
    config = load(write(tmp_path, config=CONFIG.replace("from net ", "from nets.net "), **files))
    register(tmp_path / "run", config)
    assert {*configs.code_of(config)} == {"nets/net.py", "nets/other.py", *(f"{name}.py" for name in init)}
    assert load(tmp_path / "run/config.json").model.width == 9


def test_a_config_without_own_parts_keeps_no_code(tmp_path):
    config = load(write(tmp_path, config="from helpers import WIDTH\nfrom sr_jax.config import *\nconfig = Config(scale=2)"))
    register(tmp_path / "run", config)
    assert not (tmp_path / "run/code").exists()
    assert "code" not in json.loads((tmp_path / "run/config.json").read_text())


def test_what_no_file_defines_cannot_be_kept(tmp_path):
    message = error_of(workdir.check, tmp_path / "run", Config(loss=math.dist))
    assert message.startswith("loss=dist is defined in no file beside the config file, so a work directory could not keep it")


GROUP = "@keys_of(Net)\nclass NetConfig:\n    name: Literal['net'] = 'net'\n    width: int = WIDTH\n"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name: Literal["net"] = "net"', "", "NetConfig needs a name, which tells it from other networks"),
        ('name: Literal["net"] = "net"', 'name: str = "net"', "NetConfig needs a name, which tells it from other networks"),
        ('Literal["net"] = "net"', 'Literal["vdsr"] = "vdsr"', "there is a network 'vdsr' already; give yours another name"),
        ("width: int = WIDTH", "width: int", "the keys width have no defaults"),
        ("width: int = WIDTH", "width: int = 'a'", "width='a': input should be a valid integer"),
        ("width: int = WIDTH", "depth: int = 3", "it is called with scale, depth, rngs; make them the same"),
        ("about = About", "facts = About", r"keys_of(Net): give the class of a network, which has an attribute `about"),
        ("@keys_of(Net)", "@keys_of", "keys_of(NetConfig): give the class of a network"),
        ("def edge", "1 / 0\ndef edge", "mine.py: ZeroDivisionError: division by zero (net.py, line 18)"),
        ("from helpers", "from helper", "ModuleNotFoundError: No module named 'helper' (net.py, line 4)"),
    ],
)
def test_what_is_wrong_in_the_file_of_a_network(tmp_path, old, new, message):
    assert NET.count(old) == 1
    assert message in error_of(configs.load, write(tmp_path, net=NET.replace(old, new)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import sys; sys.exit(0)", "it calls sys.exit(0) (mine.py, line 1); remove this call"),
        ("raise SystemExit('enough')", "it calls sys.exit('enough')"),
        ("def f(): f()\nf()", "RecursionError: maximum recursion depth exceeded"),
        ("raise ValueError('two\\nlines')", "ValueError: two lines (mine.py, line 1)"),
        ("from queue import mine", "Python has a module queue, so queue.py needs another name"),
    ],
)
def test_whatever_a_config_file_raises_is_one_line(tmp_path, text, message):
    assert message in error_of(configs.load, write(tmp_path, config=text, queue="mine = 3"))


def test_ctrl_c_stays_what_it_is(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        load(write(tmp_path, config="raise KeyboardInterrupt"))


def test_keys_that_json_gives_are_checked(tmp_path):
    register(tmp_path / "run", load(write(tmp_path)))
    path = tmp_path / "run/config.json"
    path.write_text(path.read_text().replace('"width": 3', '"widht": 3'))
    assert "NetConfig has no key 'widht'; did you mean 'width'" in error_of(configs.load, path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"code": 3}, "code=3 must be an object with the hash of each file"),
        ({"code": {"../net.py": "0"}}, "its code ../net.py is not a file in"),
        ({"code": {}, "loss": "net.py:edge"}, "net.py is not among the files of its code"),
        ({"model": {"name": "net.py:net"}}, "there is no network 'net.py:net'"),
    ],
)
def test_json_that_names_other_files(tmp_path, content, message):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(content))
    assert message in error_of(configs.load, path)


def test_an_own_network_equals_itself_and_can_be_changed(tmp_path):
    config = load(write(tmp_path))
    assert dataclasses.replace(config, model=type(config.model)(width=3)) == config
    assert configs.flat(config)["model.name"] == "net"
