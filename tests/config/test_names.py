import pytest

from sr_jax import config as configs


@pytest.mark.parametrize(
    ("name", "nearest"), [("EDSR", "edsr"), ("Fsrcnn-S", "fsrcnn-s"), ("edsr-basline", "edsr-baseline"), ("edsrx", "edsr")]
)
def test_the_nearest_name_whatever_the_case(name, nearest):
    assert configs.no_such("network", name, list(configs.NETWORKS)).endswith(f"did you mean {nearest!r}?")
    upper = [known.upper() for known in configs.NETWORKS]  # as names of layouts have capitals
    assert configs.no_such("network", name, upper).endswith(f"did you mean {nearest.upper()!r}?")
