from typing import get_args

import pytest

from sr_jax import config as configs
from sr_jax.config import Config, EvalConfig, groups
from sr_jax.errors import InputError
from tests.config.writing import write


@pytest.mark.parametrize("written", ['"/x"', '["/x"]'])
def test_one_folder_needs_no_list(tmp_path, written):
    path = tmp_path / "config.json"
    path.write_text(f'{{"data": {{"name": "folder", "dir": {written}}}}}')
    assert configs.load(path).data.dir == ("/x",)
    assert configs.load(write(tmp_path, f"config = Config(data=DataConfig(name='folder', dir={written}))")).data.dir == ("/x",)


@pytest.mark.parametrize("sets", ["", ("Set5", "")])
def test_an_empty_name(sets):
    with pytest.raises(InputError, match=r"sets\[\d\]='': an empty name"):
        EvalConfig(sets=sets)


def test_a_config_cannot_be_changed():
    with pytest.raises(AttributeError):
        Config().steps = 3


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        ('{"name": "gaussianblur"}', r"data.degradation\[0\]: there is no stage 'gaussianblur'; did you mean 'gaussian-blur'"),
        ('{"name": "jpeg", "qualty": 3}', r"Jpeg has no key 'data.degradation\[0\].qualty'; did you mean 'quality'"),
        ('{"name": "second-order", "first": {"blur": 3}}', r"data.degradation\[0\].first.blur=3: input should be less than"),
    ],
)
def test_json_with_a_wrong_stage(stage, message):
    with pytest.raises(InputError, match=message):
        configs.from_json(f'{{"data": {{"degradation": [{stage}]}}}}')


def test_members_of_a_union_by_their_tags():
    stages = groups.members(configs.Degradation)["stages"]
    stage = get_args(get_args(stages)[0])[0]
    assert set(groups.members(configs.NetworkConfig)) == {network.name for network in configs.NETWORKS.values()}
    assert groups.members(groups.Fraction) == groups.members(int) == groups.members(int | None) == groups.members(stages) == {}
    assert groups.members(stage)["jpeg"] is configs.Jpeg
