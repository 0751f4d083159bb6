import math
import re

import pytest

from sr_jax.cli.options import ClusterOptions
from sr_jax.errors import InputError


@pytest.mark.parametrize("option", ["join_timeout", "heartbeat_timeout"])
@pytest.mark.parametrize("seconds", [0.0, -1.0, 1e9, math.inf, math.nan])
def test_a_wait_has_a_sensible_length(option, seconds):
    options = ClusterOptions(**{option: seconds})
    message = re.escape(f"--{option} {seconds:g}: give a number of seconds from 1 to 86,400")
    with pytest.raises(InputError, match=f"^{message}$"), options.joined():
        pytest.fail("it joined")


def test_one_process_needs_no_others():
    with ClusterOptions(processes=1).joined():
        pass


@pytest.mark.parametrize("address", ["host", "host:", ":1", "host:port", "host:99999999", "a b:1"])
def test_an_address_has_a_host_and_a_port(address):
    options = ClusterOptions(coordinator=address, processes=2, process=0)
    message = re.escape(f"--coordinator {address}: give a host and a port, such as 10.0.0.1:1234")
    with pytest.raises(InputError, match=f"^{message}$"), options.joined():
        pytest.fail("it joined")
