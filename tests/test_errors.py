import pytest

from sr_jax.errors import InputError, listing, option


def test_an_option_is_named_before_the_message():
    with pytest.raises(InputError, match=r"^--sets: unknown set 'Set6'$"), option("--sets"):
        raise InputError("unknown set 'Set6'")
    with pytest.raises(ValueError, match=r"^not about the input$"), option("--sets"):
        raise ValueError("not about the input")


def test_long_listings_are_cut_short():
    assert listing(["one", "two"], most=2) == "\n  one\n  two"
    assert listing((f"line {i}" for i in range(12)), most=10).endswith("line 9\n  and 2 more")
