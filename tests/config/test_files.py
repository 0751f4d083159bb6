from pathlib import Path

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
    assert configs.to_json(config) == path.read_text()
