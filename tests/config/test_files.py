import json
from pathlib import Path
from typing import Any

import pytest

from sr_jax import config as configs
from sr_jax.config import Config, DataConfig, EvalConfig, OptimConfig
from sr_jax.errors import InputError
from tests.config.writing import write

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.py")), ids=lambda path: path.stem)
def test_shipped_configs_load_and_survive_json(path):
    config = configs.load(path)
    assert configs.from_json(configs.to_json(config)) == config
    assert path.stem not in ("x2", "x3", "x4") or path.stem == f"x{config.scale}"


def test_missing_file_names_the_nearest(tmp_path):
    path = write(tmp_path, "config = Config()")
    with pytest.raises(InputError, match=r"experimnet\.py: no such file; did you mean .*experiment\.py"):
        configs.load(path.with_name("experimnet.py"))


def test_json_with_an_unknown_key(tmp_path):
    path = tmp_path / "config.json"
    path.write_text('{"optim": {"lrr": 1}}')
    with pytest.raises(InputError, match=r"OptimConfig has no key 'optim\.lrr'; did you mean 'lr'"):
        configs.load(path)


def test_differences_name_the_keys():
    ours = Config(data=DataConfig(batch=8), optim=OptimConfig(lr=0.1))
    assert configs.differences(ours, Config()) == {"data.batch": (8, 16), "optim.lr": (0.1, 0.001)}
    assert configs.differences(ours, ours) == {}


@pytest.mark.parametrize(
    ("text", "nearest"),
    [
        ("from sr_jax.config import FSRCNConfig", "FSRCNNConfig"),
        ("config = Config(model=EDSRconfig())", "EDSRConfig"),
        ("import sr_jax.config as c\nc.OptmConfig()", "OptimConfig"),
        ("import math\nmath.EDSRconfig", None),
        ("config = zzz", None),
    ],
)
def test_a_misspelt_import_names_the_nearest(tmp_path, text, nearest):
    with pytest.raises(InputError, match=r"(Import|Name|Attribute)Error: ") as error:
        configs.load(write(tmp_path, text))
    assert str(error.value).partition("; did you mean ")[2] == (f"{nearest}?" if nearest else "")


def test_the_config_of_an_earlier_work_directory_loads_equal():
    """`earlier_config.json` was written by commit 425df40: tuples, stages and null come back, and are written as before."""
    path = Path(__file__).parent / "earlier_config.json"
    config = configs.load(path)
    assert config == Config(
        scale=4,
        steps=2000,
        seed=7,
        model=configs.USRNetConfig(iterations=2, widths=(4, 8, 8, 16), hyper_width=8),
        data=DataConfig(
            name="folder",
            dir=("/a", "/b"),
            include=("holiday/*",),
            patch=96,
            degradation=(
                configs.ClassicalBlur(size=31),
                configs.GaussianBlur(sigma=(0.6, 2.4), anisotropic=True, size=31),
                configs.Subsample(),
                configs.GaussianNoise(),
                configs.PoissonNoise(),
                configs.Jpeg(quality=(30, 95)),
            ),
        ),
        optim=OptimConfig(method="sgd", clip_value=0.1, warmup_steps=100),
        eval=EvalConfig(sets=("Set5", "/c"), degradation="bicubic"),
    )
    assert config.data.root is None
    earlier = json.loads(path.read_text())
    assert _common(json.loads(configs.to_json(config)), earlier) == earlier


def _common(now: dict[str, Any], earlier: dict[str, Any]) -> dict[str, Any]:
    """The keys that a config had earlier, too."""
    return {
        key: _common(value, earlier[key]) if isinstance(value, dict) else value for key, value in now.items() if key in earlier
    }


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"null", "the config holds null where a JSON object belongs"),
        (b"3", "the config holds a number where a JSON object belongs"),
        (b"[]", "the config holds a list where a JSON object belongs"),
        (b'{"steps": ', "the config is not JSON"),
        (b'{"data": {"dir": "\xe4"}}', "the config is not JSON"),
        (b"[" * 100_000, "the config is not JSON"),
        (b'{"data": null}', "data=None: input should be an object"),
    ],
)
def test_json_that_is_no_config(tmp_path, data, message):
    path = tmp_path / "config.json"
    path.write_bytes(data)
    for read in (lambda: configs.load(path), lambda: configs.from_json(data)):
        with pytest.raises(InputError, match=message):
            read()


def test_an_encoding_that_the_file_declares_is_read(tmp_path):
    path = tmp_path / "latin.py"
    path.write_bytes("# coding: latin-1\nfrom sr_jax.config import FSRCNConfig  # \xe4\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"did you mean FSRCNNConfig\?"):
        configs.load(path)
