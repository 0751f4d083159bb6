import re

import pytest

from sr_jax import config as configs
from sr_jax.errors import InputError
from tests.config.writing import write


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("'edsr-baseline'", "model='edsr-baseline': this is a name, not a network; write model=NETWORKS[\"edsr-baseline\"]"),
        ("'vdsr'", "model='vdsr': this is a name, not a network; write model=NETWORKS[\"vdsr\"] or VDSRConfig()"),
        ("'EDSR'", "model='EDSR': this is a name, not a network; did you mean model=NETWORKS[\"edsr\"] or EDSRConfig()?"),
        ("'zzz'", "write model=NETWORKS[NAME], where NAME is one of srcnn, srcnn-955, "),
        ("3", "model=3 is not a network, such as FSRCNNConfig(d=56)"),
        ("EDSRConfig", "is not a network, such as FSRCNNConfig(d=56)"),
    ],
)
def test_a_value_that_is_not_a_network_says_what_to_write(tmp_path, model, message):
    with pytest.raises(InputError, match=re.escape(message)):
        configs.load(write(tmp_path, f"config = Config(model={model})"))
