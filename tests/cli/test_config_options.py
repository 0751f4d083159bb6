import dataclasses
import re
from pathlib import Path

import pytest

from sr_jax import config as configs
from sr_jax.cli.config_options import ConfigOptions, parse_with_config
from sr_jax.cli.options import CacheDir
from sr_jax.config import Config, DataConfig, OptimConfig
from sr_jax.errors import InputError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arguments(ConfigOptions):
    """The options of a command with a config."""

    workdir: Path | None = None
    """The work directory, where everything is written."""
    cache_dir: CacheDir = None


def parse(*argv):
    return parse_with_config(Arguments, argv, prog="python -m sr_jax.train", description="Trains.")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("from sr_jax.config import *\nconfig = Config(steps=500, optim=OptimConfig(lr=0.5))\n")
    return path


def test_overrides_stand_on_the_file(file):
    arguments = parse("--config", str(file), "--config.optim.lr=3e-4", "--config.data.batch", "8")
    assert arguments.config == Config(steps=500, optim=OptimConfig(lr=3e-4), data=DataConfig(batch=8))
    assert arguments.config_file == file


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


def test_several_values_of_a_key_are_counted():
    with pytest.raises(InputError, match=r"^--config.model.widths=1 2: give 4 whole numbers$"):
        parse("--config.model.name=usrnet", "--config.model.widths", "1", "2")


def test_a_work_directory_stands_for_its_config(tmp_path):
    (tmp_path / "config.json").write_text(configs.to_json(Config(steps=700)))
    arguments = parse("--config", str(tmp_path), "--config.keep=3")
    assert arguments.config == Config(steps=700, keep=3)
    assert arguments.config_file == tmp_path / "config.json"
    with pytest.raises(InputError, match=r": did you mean --config /"):
        parse(str(tmp_path))


def test_another_folder_is_not_a_config(tmp_path):
    with pytest.raises(InputError, match=r"^--config /\S+: this folder holds no config.json, so it is not a work directory"):
        parse("--config", str(tmp_path))


def test_without_a_file_the_defaults_hold():
    assert parse().config == Config()


def test_the_arguments_are_not_changed():
    argv = ["--config.model.name", "edsr", "--config.steps=500"]
    parse_with_config(Arguments, argv, prog="", description="")
    assert argv == ["--config.model.name", "edsr", "--config.steps=500"]


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--config.optim.lr=fast", "--config.optim.lr=fast: give a number"),
        ("--config.optim.clip_norm=abc", "--config.optim.clip_norm=abc: give a number, or None"),
        ("--config.steps=1.5", "--config.steps=1.5: give a whole number"),
        ("--config.steps", "--config.steps: give a value"),
        ("--config.optim.lr=-1", "--config.optim.lr=-1.0: input should be greater than 0"),
        ("--config.optim.b1=nan", "--config.optim.b1=nan: input should be less than 1"),
        ("--config.parallel=pmpa", "--config.parallel=pmpa: give one of pmap, shard_map"),
        (
            "--config.data.degradation=clasical",
            "--config.data.degradation=clasical: give one of bicubic, classical, real-esrgan",
        ),
        ("--config.data.patch=7", "--config.data.patch=7 is not a multiple of scale=2; use 6 or 8"),
        ("--config", "--config: give a value"),
        ("--config.model.name", "--config.model.name: give a value"),
        ("--workdri=x", "--workdri: no such option; did you mean --workdir?"),
        ("--lr", "--lr: no such option; did you mean --config.optim.lr?"),
        ("--batch-size=4", "--batch_size: no such option; did you mean --config.data.batch?"),
        ("--xyzzy", "--xyzzy: no such option; --help lists all options"),
        ("more", "more: this is not an option; --help lists all"),
        ("configs/x2.py", "configs/x2.py: did you mean --config configs/x2.py?"),
        ("runs/x2/config.json", "runs/x2/config.json: did you mean --config runs/x2/config.json?"),
    ],
)
def test_a_mistake_is_one_line(argument, message):
    with pytest.raises(InputError) as error:
        parse(argument)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("argument", "hint"),
    [
        ("--config.optim.lrr=3", "did you mean --config.optim.lr?"),
        ("--config.lr=3", "did you mean --config.optim.lr?"),
        ("--config.patch", "did you mean --config.data.patch?"),
        ("--config.optim.steps=3", "did you mean --config.steps?"),
        ("--config.modle.d=3", "did you mean --config.model.d?"),
        ("--config.optim.learning_rate=3", "did you mean --config.optim.lr?"),
        ("--config.network=edsr", "did you mean --config.model.name?"),
        ("--config.model.lam_start=3", "--config.model has the keys name, d, s, m"),
        ("--config.xyzzy=3", "--help lists all keys"),
        (
            "--config.epochs=3",
            "did you mean --config.steps? Training is counted in steps: steps = epochs * patches in an epoch / data.batch",
        ),
    ],
)
def test_an_unknown_key_is_answered_with_the_right_one(argument, hint):
    with pytest.raises(InputError) as error:
        parse(argument)
    assert str(error.value) == f"{argument.partition('=')[0]}: no such key; {hint}"


def test_a_group_is_not_a_key():
    with pytest.raises(
        InputError, match=r"^--config.model: is a group of keys; a network is chosen with --config.model.name=NAME$"
    ):
        parse("--config.model=edsr")
    with pytest.raises(InputError, match=r"^--config.data: is a group of keys; --help lists them$"):
        parse("--config.data", "DIV2K")


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
        assert re.search(r"(INT|FLOAT|STR|PATH|DIR|\}|\]) .{8,}\(default: .*\)", described[0]), described[0]


def test_a_published_network_is_chosen_by_name():
    assert parse("--config.model.name=edsr").config.model == configs.NETWORKS["edsr"]
    assert parse("--config.model.name", "srcnn-955", "--config.model.n1=8").config.model == configs.SRCNNConfig(f2=5, n1=8)
    assert parse("--config.model.name", "deconv-sr").config.model == configs.DeconvSRConfig()
    assert parse("--config.model.d=8").config.model == configs.FSRCNNConfig(d=8)


@pytest.mark.parametrize(("arguments", "key"), [((), "d"), (("--config.model.name=edsr-baseline",), "res_scale")])
def test_help_names_all_networks_and_lists_the_keys_of_the_chosen_one(arguments, key, capsys):
    with pytest.raises(SystemExit, match="0"):
        parse(*arguments, "--help")
    text = re.sub(r"[│\s]+", "", capsys.readouterr().out)
    assert "--config.model.name{" + ",".join(configs.NETWORKS) + "}" in text
    assert f"--config.model.{key}" in text
    assert "--config.model.name=NAMEchoosesanetwork,and--helpafteritlistsitskeys." in text


def test_one_wrong_item_is_not_a_missing_one():
    with pytest.raises(InputError) as error:
        parse("--config.model.name=deconv-sr-small", "--config.model.lam_start", "0")
    assert "lam_start[0]=0.0: input should be greater than or equal to 0.000001" in str(error.value)
    assert "at least 1 item" not in str(error.value)


def test_an_unknown_network_names_the_nearest():
    with pytest.raises(InputError, match=r"--config.model.name=EDSR: there is no network 'EDSR'; did you mean 'edsr'\?"):
        parse("--config.model.name=EDSR")
    with pytest.raises(InputError, match=r"there is no network 'edsr-basline'; did you mean 'edsr-baseline'\?"):
        parse("--config.model.name=edsr-basline")
    with pytest.raises(InputError, match=r"--config.model.d: no such key"):
        parse("--config.model.name=edsr", "--config.model.d=3")
