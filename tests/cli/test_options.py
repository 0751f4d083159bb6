import re
from pathlib import Path

import pytest

from sr_jax import config as configs
from sr_jax.cli import options as cli
from sr_jax.config import Config, DataConfig, OptimConfig
from sr_jax.errors import InputError


def parse(*argv):
    return cli.parse(argv, prog="python -m sr_jax.train", description="Trains.")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("from sr_jax.config import *\nconfig = Config(steps=500, optim=OptimConfig(lr=0.5))\n")
    return path


def test_overrides_stand_on_the_file(file):
    arguments = parse("--config", str(file), "--config.optim.lr=3e-4", "--config.data.batch", "8")
    assert arguments.config == Config(steps=500, optim=OptimConfig(lr=3e-4), data=DataConfig(batch=8))
    assert arguments.directory == Path("runs/mine")


@pytest.mark.parametrize(
    ("arguments", "folders"),
    [(["--config.data.dir=/x"], ("/x",)), (["--config.data.dir", "/x", "/y"], ("/x", "/y"))],
)
def test_one_folder_or_several(arguments, folders):
    assert parse("--config.data.name=folder", *arguments).config.data.dir == folders


def test_a_degradation_has_a_name_or_stands_in_the_file(tmp_path):
    assert parse("--config.data.degradation=classical").config.data.degradation == "classical"
    path = tmp_path / "mine.py"
    path.write_text("from sr_jax.config import *\nconfig = Config(data=DataConfig(degradation=(Bicubic(), Jpeg())))\n")
    stages = parse("--config", str(path), "--config.steps=500").config.data.degradation
    assert [stage.name for stage in stages] == ["bicubic", "jpeg"]
    assert parse("--config", str(path), "--config.data.degradation", "bicubic").config.data.degradation == "bicubic"


def test_without_a_file_the_defaults_hold():
    assert parse().config == Config()


def test_places(file):
    arguments = parse(f"--config={file}", "--workdir", "here", "--cache_dir", "there")
    assert (arguments.directory, arguments.cache) == (Path("here"), Path("there"))


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--config.optim.lr=fast", r"--config\.optim\.lr: could not convert string to float: 'fast'"),
        ("--config.steps=1.5", r"--config\.steps: invalid literal"),
        ("--config.optim.lr=-1", r"lr=-1\.0: input should be greater than 0"),
        ("--config.parallel=pmpa", r"'pmpa'.*'pmap', 'shard_map'"),
        ("--config.data.degradation=clasical", r"'clasical'.*'bicubic', 'classical', 'real-esrgan'"),
        ("--config.data.patch=7", r"data\.patch=7 is not a multiple of scale=2; use 6 or 8"),
        ("--workdri=x", "--workdir"),
    ],
)
def test_mistakes_end_with_status_2_and_a_hint(argument, message, capsys):
    with pytest.raises(SystemExit) as stop:
        parse(argument)
    assert stop.value.code == 2
    text = re.sub(r"[│\s]+", " ", capsys.readouterr().err)
    assert re.search(message, text), text


@pytest.mark.parametrize(
    ("argument", "nearest"),
    [
        ("--config.optim.lrr=3", "--config.optim.lr"),
        ("--config.lr=3", "--config.optim.lr"),
        ("--config.patch", "--config.data.patch"),
        ("--config.optim.steps=3", "--config.steps"),
        ("--config.modle.d=3", "--config.model.d"),
    ],
)
def test_an_unknown_key_names_the_nearest(argument, nearest):
    with pytest.raises(InputError, match=re.escape(f"no such key; did you mean {nearest}?")):
        parse(argument)


def test_a_work_directorys_config_goes_on_there(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    assert parse("--config", str(tmp_path / "config.json")).directory == tmp_path


def test_home_is_found():
    assert parse("--workdir=~/x", "--cache_dir=~/y").directory == Path.home() / "x"


def test_help_lists_every_key_with_default_and_meaning(capsys):
    with pytest.raises(SystemExit) as stop:
        parse("--help")
    assert stop.value.code == 0
    text = re.sub(r"[│\s]+", " ", capsys.readouterr().out)

    def keys(value, prefix):
        for name in type(value).__dataclass_fields__:
            inner = getattr(value, name)
            yield from keys(inner, f"{prefix}.{name}") if hasattr(inner, "__dataclass_fields__") else [f"{prefix}.{name}"]

    options = re.split(r" (?=--[a-z])", text)
    for key in [*keys(Config(), "--config"), "--workdir", "--cache_dir"]:
        described = [option for option in options if option.startswith(key + " ")]
        assert described, f"{key} is not in the help"
        assert re.search(r"(INT|FLOAT|STR|PATH|\}|\]) .{8,}\(default: .*\)", described[0]), described[0]


def test_a_published_network_is_chosen_by_name():
    assert parse("--config.model.name=edsr").config.model == configs.NETWORKS["edsr"]
    assert parse("--config.model.name", "srcnn-955", "--config.model.n1=8").config.model == configs.SRCNNConfig(f2=5, n1=8)
    assert parse("--config.model.d=8").config.model == configs.FSRCNNConfig(d=8)


@pytest.mark.parametrize(("arguments", "key"), [((), "d"), (("--config.model.name=edsr-baseline",), "res_scale")])
def test_help_names_all_networks_and_lists_the_keys_of_the_chosen_one(arguments, key, capsys):
    with pytest.raises(SystemExit, match="0"):
        parse(*arguments, "--help")
    text = re.sub(r"[│\s]+", "", capsys.readouterr().out)
    assert "--config.model.name{" + ",".join(configs.NETWORKS) + "}" in text
    assert f"--config.model.{key}" in text
    assert "--config.model.name=NAMEchoosesanetwork;with--helpafterit,itskeysarelisted." in text


def test_one_wrong_item_is_not_a_missing_one(capsys):
    with pytest.raises(SystemExit, match="2"):
        parse("--config.model.name=deconv-sr-small", "--config.model.lam_start", "0")
    told = re.sub(r"[│\s]+", " ", capsys.readouterr().err)
    assert "lam_start[0]=0.0: input should be greater than or equal to 0.000001 " in told
    assert "at least 1 item" not in told


def test_an_unknown_network_names_the_nearest():
    with pytest.raises(InputError, match=r"--config.model.name EDSR: there is no network 'EDSR'; did you mean 'edsr'\?"):
        parse("--config.model.name=EDSR")
    with pytest.raises(InputError, match=r"there is no network 'edsr-basline'; did you mean 'edsr-baseline'\?"):
        parse("--config.model.name=edsr-basline")
    with pytest.raises(InputError, match=r"--config.model.d: no such key"):
        parse("--config.model.name=edsr", "--config.model.d=3")
    with pytest.raises(InputError, match=r"--config.model: .* a network is chosen with --config.model.name=NAME"):
        parse("--config.model=edsr")
