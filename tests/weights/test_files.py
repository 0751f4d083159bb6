import json

import jax
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from sr_jax.config import Config, FSRCNNConfig
from sr_jax.errors import InputError
from sr_jax.system.files import sha256_of
from sr_jax.weights import files as weights
from sr_jax.weights.card import Converted, read_card
from sr_jax.weights.torch import files as torch_files
from tests.weights.conftest import params_of, peak_memory


def with_hash_of(card, file):
    return card._replace(sha256=sha256_of(file))


def change(file, card, edit, metadata=None):
    """Saves the tensors after an edit; returns a card with the new file's hash."""
    tensors = load_file(file)
    edit(tensors)
    save_file(tensors, file, metadata=metadata)
    return with_hash_of(card, file)


def test_what_is_written_is_read(file, params):
    like = jax.tree.map(np.zeros_like, params)
    back = weights.read(file, like=like, card=read_card(file))
    assert jax.tree.structure(back) == jax.tree.structure(params)
    for a, b in zip(jax.tree.leaves(back), jax.tree.leaves(params), strict=True):
        np.testing.assert_array_equal(a, b)


def test_others_can_read_it(file):
    """Names are attributes with dots, as in the papers' code."""
    tensors = load_file(file)
    assert tensors["feature_extraction.kernel"].shape == (5, 5, 1, 8)
    assert "mapping.1.kernel" in tensors


def test_the_same_weights_are_the_same_bytes(file, params, card, tmp_path):
    for _ in range(8):
        weights.write(tmp_path / "again.safetensors", params, card)
        assert (tmp_path / "again.safetensors").read_bytes() == file.read_bytes()


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda t: t.pop("shrinking.bias"), r"shrinking\.bias is missing"),
        (lambda t: t.update(extra=np.ones(2, np.float32)), r"extra is not of this network"),
        (lambda t: t.update({"a\nb": np.ones(2, np.float32)}), r"'a\\nb' is not of this network$"),
        (
            lambda t: t.update({"shrinking.bias": np.ones(5, np.float32)}),
            r"shrinking\.bias is \(5,\), not \(4,\)",
        ),
        (
            lambda t: t.update({"shrinking.bias": np.ones(4, np.int32)}),
            r"shrinking\.bias is int32, not floating point",
        ),
        (
            lambda t: t.update({"shrinking.bias": np.full(4, np.nan, np.float32)}),
            r"shrinking\.bias holds values that are not finite",
        ),
        (
            lambda t: t.update({"shrinking.bias": np.array([0, 1, -1e300, 2])}),
            r"shrinking\.bias holds values beyond float32, up to 1e\+300",
        ),
    ],
)
def test_weights_that_do_not_fit(file, params, card, edit, message):
    changed = change(file, card, edit)
    with pytest.raises(InputError, match=rf"net\.safetensors does not fit the network of its card: {message}"):
        weights.read(file, like=params, card=changed)


def test_weights_of_another_network(file, params, card):
    """None of the names is known, so the message says how to convert weights of other implementations."""
    changed = change(file, card, lambda t: [t.update({f"theirs.{name}": t.pop(name)}) for name in list(t)])
    with pytest.raises(InputError, match=r"deconvolution\.bias is missing.* and 29 more.*python -m sr_jax\.convert"):
        weights.read(file, like=params, card=changed)


def test_weights_of_another_width(file, card):
    wider = card._replace(config=Config(scale=3, model=FSRCNNConfig(d=8, s=5, m=2)))
    like = params_of(wider)
    with pytest.raises(InputError, match=r"mapping\.0\.bias is \(4,\), not \(5,\)"):
        weights.read(file, like=like, card=with_hash_of(wider, file))


def test_half_precision_is_read_as_single(file, params, card):
    changed = change(file, card, lambda t: t.update({name: value.astype(np.float16) for name, value in t.items()}))
    leaves = jax.tree.leaves(weights.read(file, like=params, card=changed))
    assert {leaf.dtype for leaf in leaves} == {np.dtype(np.float32)}


@pytest.mark.parametrize("kind", ["F8_E4M3", "F8_E5M2"])
def test_types_that_numpy_lacks(file, params, card, kind):
    header = json.dumps({"a": {"dtype": kind, "shape": [4], "data_offsets": [0, 4]}}).encode()
    file.write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    with pytest.raises(InputError, match=rf"net\.safetensors: a has the type {kind}, which NumPy lacks; save it as F32"):
        weights.read(file, like=params, card=card)


def with_header(header: bytes, data: bytes = b"") -> bytes:
    return len(header).to_bytes(8, "little") + header + data


ENTRY = b'"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}'


@pytest.mark.parametrize(
    ("header", "double"),
    [
        (b"{" + ENTRY + b"," + ENTRY + b"}", "'a'"),
        (b"{" + ENTRY + b"," + ENTRY.replace(b"F32", b"I32") + b"}", "'a'"),
        (b"{" + ENTRY.replace(b'"shape":[1]', b'"shape":[2,2],"shape":[1]') + b"}", "'shape'"),
        (b'{"__metadata__":{"sr_jax":"{}","sr_jax":"[]"},' + ENTRY + b"}", "'sr_jax'"),
    ],
)
def test_a_name_twice_in_the_header(file, params, card, header, double):
    """The library takes one of them."""
    file.write_bytes(with_header(header, bytes(4)))
    with pytest.raises(InputError, match=rf"net\.safetensors has {double} twice in its header, so it is unclear which one"):
        weights.read(file, like=params, card=card)
    with pytest.raises(InputError, match=rf"net\.safetensors has {double} twice in its header, so it is unclear which one"):
        torch_files.read(file)


@pytest.mark.parametrize(
    ("size", "message"),
    [
        (2**24 + 1, "net.safetensors has a header of 16,777,217 bytes; at most 16,777,216 are read"),
        (2**40, "net.safetensors cannot be read as safetensors"),
        (2**64 - 1, "net.safetensors cannot be read as safetensors"),
    ],
)
def test_a_header_that_claims_too_much(file, params, card, size, message):
    file.write_bytes(size.to_bytes(8, "little") + bytes(1000))
    with pytest.raises(InputError, match=message):
        weights.read(file, like=params, card=card)


def test_tensors_of_gigabytes_are_not_read(file, card):
    """The file has four gigabytes, of which the disk stores only the header."""
    shape, size = [2**30], 2**32
    header = json.dumps({"shrinking.bias": {"dtype": "F32", "shape": shape, "data_offsets": [0, size]}}).encode()
    file.write_bytes(with_header(header))
    with file.open("r+b") as stream:
        stream.truncate(8 + len(header) + size)
    before = peak_memory()
    with pytest.raises(InputError, match=r"shrinking\.bias is \(1073741824,\), not \(4,\)"):
        weights.read(file, like={"shrinking": {"bias": np.zeros(4, np.float32)}}, card=card)
    assert peak_memory() - before < 2**28


@pytest.mark.parametrize("shape", [[0, 2**61], [2**62, 0]])
def test_shapes_without_elements(file, params, card, shape):
    header = json.dumps({"shrinking.bias": {"dtype": "F32", "shape": shape, "data_offsets": [0, 0]}}).encode()
    file.write_bytes(with_header(header))
    with pytest.raises(InputError, match=r"does not fit the network of its card"):
        weights.read(file, like=params, card=card)
    with pytest.raises(InputError, match=r"net\.safetensors is not a safetensors file, .*array is too big"):
        torch_files.read(file)


@pytest.mark.parametrize("content", [b"", b"not weights"])
def test_what_is_not_a_weights_file(file, params, card, content):
    file.write_bytes(content)
    with pytest.raises(InputError, match=r"net\.safetensors cannot be read as safetensors \(.+\)"):
        weights.read(file, like=params, card=card)


def test_a_truncated_file(file, params, card):
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(InputError, match=r"net\.safetensors cannot be read as safetensors"):
        weights.read(file, like=params, card=card)


def test_the_card_of_another_scale(file, params, card):
    """FSRCNN's weights have the same shapes at every scale."""
    other = with_hash_of(card._replace(config=Config(scale=2, model=card.config.model)), file)
    with pytest.raises(InputError, match=r"does not belong to the card net\.json: it has scale 3, not 2; take"):
        weights.read(file, like=params, card=other)


def test_the_card_of_other_converted_weights(tmp_path, params, card):
    """Only their origin tells them apart."""
    file = tmp_path / "a.safetensors"
    first, second = (card._replace(step=None, converted=Converted("a.pth", sha256, "x/y")) for sha256 in ("12", "34"))
    weights.write(file, params, first)
    assert read_card(file) == with_hash_of(first, file)
    weights.read(file, like=params, card=read_card(file))
    with pytest.raises(InputError, match=r"does not belong to the card a\.json: it has converted from 12, not 34; take"):
        weights.read(file, like=params, card=with_hash_of(second, file))


def test_the_card_of_another_run(tmp_path, params, card):
    """Network, scale and step are the same, so only the bytes tell the files apart."""
    a, b = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    weights.write(a, params, card)
    weights.write(b, jax.tree.map(lambda values: values + 1, params), card)
    weights.read(a, like=params, card=read_card(a))
    message = r"a\.safetensors does not belong to the card a\.json: it has sha256 \w{64}, not \w{64}; take"
    with pytest.raises(InputError, match=message):
        weights.read(a, like=params, card=read_card(b))


@pytest.mark.parametrize("entry", ["hello", "[1]", "3", "null", "two\nlines", "[" * 100_000])
def test_metadata_that_is_not_a_json_object(file, params, card, entry):
    changed = change(file, card, lambda t: None, metadata={"sr_jax": entry})
    with pytest.raises(InputError, match=r"net\.safetensors: the entry sr_jax of its metadata, .* is not a JSON object"):
        weights.read(file, like=params, card=changed)
