from pathlib import Path

from sr_jax.weights.torch import layouts
from sr_jax.weights.torch.layouts import LAYOUTS
from sr_jax.weights.torch.layouts.converse_srresnet import converse_srresnet


def test_each_file_has_the_layouts_of_the_network_of_its_name():
    files = [path.stem for path in Path(layouts.__file__).parent.glob("*.py") if path.stem != "__init__"]
    assert {name.replace("_", "-") for name in files} == set(LAYOUTS)
    assert LAYOUTS["converse-srresnet"] is converse_srresnet
