import dataclasses

import pytest

from sr_jax.assembly.methods import columns, put_first, titles
from sr_jax.assembly.network import abstract_network
from sr_jax.assembly.trained import Trained
from sr_jax.config import Config, ESPCNConfig, FSRCNNConfig
from sr_jax.errors import InputError

SMALL = Config(model=FSRCNNConfig(d=8, s=4, m=1))
MSE = dataclasses.replace(SMALL, loss="mse")
ESPCN = Config(model=ESPCNConfig())
NETWORK = abstract_network(SMALL)


def trained(**configs):
    """Networks by place; only their configs matter here."""
    return {place: Trained(config, NETWORK, place, 10) for place, config in configs.items()}


def seeds(config, names):
    return {name: Trained(dataclasses.replace(config, seed=seed), NETWORK, name, 10) for seed, name in enumerate(names)}


@pytest.mark.parametrize(
    ("places", "names"),
    [
        (["runs/a", "runs/b"], ["a", "b"]),
        (["runs/x/a", "runs/y/a"], ["x/a", "y/a"]),
        (["runs/a/weights.safetensors", "runs/b/weights.safetensors"], ["a", "b"]),
        (["runs/a", "runs/a/weights.safetensors"], ["a", "a/weights.safetensors"]),
        (["/one/a", "two/a"], ["//one/a", "two/a"]),
        (["runs/a", "./runs/a/"], ["runs/a", "./runs/a/"]),  # the same folder twice has no other names
        (["runs/bicubic", "runs/b"], ["runs/bicubic", "b"]),
        ([".", "a"], [".", "a"]),
        (["runs/1e-3", "runs/a|b"], ["1e-3", "a|b"]),
    ],
)
def test_networks_of_one_architecture_are_named_by_their_places(places, names):
    got = titles(trained(**dict.fromkeys(places, SMALL)))
    assert [name.replace("//", "/") for name in got.values()] == [name.replace("//", "/") for name in names]


def test_a_network_is_named_by_its_architecture_if_no_other_has_it():
    networks = trained(**{"runs/a": SMALL, "runs/b": SMALL, "runs/espcn": ESPCN})
    assert list(titles(networks).values()) == ["a", "b", "espcn"]
    networks = trained(**{"runs/a": SMALL, "runs/espcn": SMALL, "runs/b": ESPCN})
    assert list(titles(networks).values()) == ["a", "runs/espcn", "runs/b"]


@pytest.mark.parametrize(
    ("places", "name"),
    [
        (["runs/blur-seed0", "runs/blur-seed1"], "blur"),
        (["runs/s1/blur", "runs/s2/blur"], "blur"),
        (["runs/x2-9", "runs/x2-10"], "x2"),
        (["runs/a-0-b", "runs/a-1-b"], "a-b"),
        (["runs/one", "runs/two"], "one"),
    ],
)
def test_seeds_of_one_config_are_one_method(places, name):
    networks = seeds(SMALL, places) | seeds(MSE, ["runs/mse-0", "runs/mse-1"]) | seeds(ESPCN, ["runs/u", "runs/v"])
    made = columns(["bicubic", *networks], networks, by_seed=True)
    assert [(column.name, len(column.places)) for column in made] == [("bicubic", 1), (name, 2), ("mse", 2), ("espcn", 2)]
    assert [column.label for column in made[:2]] == ["bicubic", f"{name} (n=2)"]
    apart = columns(["bicubic", *networks], networks, by_seed=False)
    assert [column.places for column in apart] == [("bicubic",), *((place,) for place in networks)]


def test_what_is_not_grouped():
    """Other steps, converted networks, and configs that differ in another key."""
    networks = seeds(SMALL, ["a", "b"])
    networks["b"] = networks["b"]._replace(step=5)
    with pytest.raises(
        InputError, match="no two configs differ only in seed\n  a and b differ in seed, the step of the checkpoint"
    ):
        columns(list(networks), networks, by_seed=True)
    with pytest.raises(InputError, match="a and b differ in loss"):
        columns(["a", "b"], trained(a=SMALL, b=MSE), by_seed=True)
    converted = {place: one._replace(step=None, is_converted=True) for place, one in trained(a=SMALL, b=SMALL).items()}
    with pytest.raises(InputError, match=r"no two configs differ only in seed$"):
        columns(["a", "b"], converted, by_seed=True)


def test_the_method_that_the_others_are_compared_with():
    networks = seeds(SMALL, ["runs/a-0", "runs/a-1"]) | seeds(ESPCN, ["runs/u", "runs/v"])
    made = columns(["bicubic", *networks], networks, by_seed=True)
    for name in ("espcn", "espcn (n=2)", "runs/u", "runs/v", "u"):
        assert [column.name for column in put_first(made, name, networks)] == ["espcn", "bicubic", "fsrcnn(d=8, s=4, m=1)"]
    with pytest.raises(InputError, match="there is no method 'espcm'; did you mean 'espcn'"):
        put_first(made, "espcm", networks)
