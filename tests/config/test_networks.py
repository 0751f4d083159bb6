import json
import re

import pytest

from sr_jax import config as configs
from sr_jax.config import Config
from sr_jax.errors import InputError


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"name": "edsrr"}, "model: there is no network 'edsrr'; did you mean 'edsr'?"),
        ({"name": "edsr-baseline"}, "model: there is no network 'edsr-baseline'; did you mean 'edsr'?"),
        ({"name": "edsr", "widht": 3}, "EDSRConfig has no key 'model.widht'; did you mean 'width'?"),
        ({"name": "edsr", "width": -3}, "model.width=-3: input should be greater than 0"),
        ({"d": 3}, "model={'d': 3} is not a network, such as FSRCNNConfig(d=56)"),
        ("edsr", "model='edsr': input should be an object"),
    ],
)
def test_networks_in_config_files(model, message):
    with pytest.raises(InputError, match=re.escape(message)):
        configs.from_json(json.dumps({"model": model}))


def test_networks_come_back():
    for name, network in configs.NETWORKS.items():
        assert configs.from_json(configs.to_json(Config(model=network))).model == network
        assert configs.title(network) == name
    assert configs.title(configs.FSRCNNConfig(d=8)) == "fsrcnn(d=8)"
