import io
import os
import struct
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from ml_dtypes import bfloat16
from safetensors.numpy import save, save_file

from sr_jax.errors import InputError
from sr_jax.weights.torch import files as torch_files
from tests.weights.conftest import peak_memory
from tests.weights.torch import written

ONES = np.ones(3, np.float32)


def npz(**arrays) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def test_every_type_of_safetensors(tmp_path):
    types = (np.float64, np.float32, np.float16, bfloat16, np.int64, np.int32, np.int16, np.int8, np.uint8, np.bool_)
    tensors = {np.dtype(t).name: np.ones((2, 3), t) for t in types} | {"scalar": np.array(2.5)}
    save_file(tensors, tmp_path / "a.safetensors")
    read = torch_files.read(tmp_path / "a.safetensors").tensors
    assert read.keys() == tensors.keys()
    for name, value in tensors.items():
        assert read[name].dtype == value.dtype
        np.testing.assert_array_equal(read[name], value)


def test_types_without_a_meaning_here(tmp_path):
    save_file({"a": np.ones(2, np.complex64)}, tmp_path / "a.safetensors")
    with pytest.raises(InputError, match=r"a\.safetensors holds tensors of the type C64; save them as F32"):
        torch_files.read(tmp_path / "a.safetensors")


def npy(shape: str, data: bytes, kind: str = "<f4") -> bytes:
    """An .npz file with one array, whose header can claim any shape."""
    header = f"{{'descr': {kind!r}, 'fortran_order': False, 'shape': {shape}}}\n".encode()
    return zipped(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data)


def zipped(member: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", member)
    return buffer.getvalue()


def patched(data: bytes, *, local: int, central: int, value: int) -> bytes:
    """A zip file of one member with a 2-byte field of both its headers changed."""
    changed, at = bytearray(data), data.index(b"PK\x01\x02")
    for where in (local, at + central):
        changed[where : where + 2] = value.to_bytes(2, "little")
    return bytes(changed)


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


PLAIN = npy("(3,)", ONES.tobytes())
SAFETENSORS, NPZ = save({"a": ONES}), npz(a=ONES)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.safetensors", b"", r"a\.safetensors is empty"),
        ("a.safetensors", SAFETENSORS[:-3], r"a\.safetensors is not a safetensors file, or is cut short \(.*not fully covered"),
        ("a.safetensors", SAFETENSORS[:20], r"a\.safetensors is not a safetensors file, or is cut short"),
        ("a.safetensors", NPZ, r"a\.safetensors is not a safetensors file"),
        ("a.npz", b"", r"a\.npz is empty"),
        ("a.npz", NPZ[:-30], r"a\.npz is not an npz file, or is cut short"),
        ("a.npz", b"some text", r"a\.npz is not an npz file: write it with np\.savez"),
        ("a.npz", SAFETENSORS, r"a\.npz is not an npz file"),
        ("a.npz", npz(), r"a\.npz holds no state dict"),
        ("a.npz", flipped(PLAIN, 35), r"a\.npz is not an npz file, or is cut short or damaged \(error: .*invalid"),  # zlib's
        ("a.npz", flipped(NPZ, NPZ.index(ONES.tobytes())), r"a\.npz is not an npz file, .* \(BadZipFile: Bad CRC"),
        ("a.npz", patched(PLAIN, local=6, central=8, value=1), r"a\.npz is encrypted \(a\.npy\); write it with np\.savez"),
        ("a.npz", patched(PLAIN, local=8, central=10, value=97), r"a\.npz is not an npz file, .* \(NotImplementedError"),
        ("a.npz", npy("(10000000000000,)", bytes(12)),
         r"a\.npz is cut short or damaged: a \(10000000000000,\) takes 40,000,000,000,000 bytes, but has 12"),
        ("a.npz", npy("(3,)", bytes(8)), r"a\.npz is cut short or damaged: a \(3,\) takes 12 bytes, but has 8"),
        ("a.npz", npy("(-3,)", bytes(8)), r"a\.npz is damaged: a is not an array \(ValueError"),
        ("a.npz", npy("(3,", bytes(8)), r"a\.npz is damaged: a is not an array"),
        ("a.npz", npy("(" * 9000, bytes(8)), r"a\.npz is damaged: a is not an array"),
        ("a.npz", npy("(3,)", bytes(24), kind="|O"), r"a\.npz holds more than numbers \(a has Python objects\)"),
        ("a.h5", b"data", r"a\.h5 is of an unknown kind: weights are read from files that end in \.pth, \.pt, .*\.npz, \.mat"),
    ],
)  # fmt: skip
def test_files_that_are_not_weights(tmp_path, name, data, message):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=message):
        torch_files.read(tmp_path / name)


@pytest.mark.parametrize("name", ["a.safetensors", "a.npz"])
def test_files_that_cannot_be_read(tmp_path, name):
    with pytest.raises(InputError, match=rf"{name} cannot be read \(No such file"):
        torch_files.read(tmp_path / name)
    (tmp_path / name).mkdir()
    with pytest.raises(InputError, match=rf"{name} cannot be read \(Is a directory"):
        torch_files.read(tmp_path / name)


@pytest.mark.parametrize("suffix", [".npz", ".safetensors", ".pth"])
def test_a_file_that_is_too_large_is_not_read(tmp_path, suffix):
    with (tmp_path / f"a{suffix}").open("wb") as file:
        file.truncate(2**40)
    before = peak_memory()
    message = rf"a{suffix} has 1,099,511,627,776 bytes; at most 536,870,912 are read for this network"
    with pytest.raises(InputError, match=message):
        torch_files.read(tmp_path / f"a{suffix}")
    assert peak_memory() - before < 2**26


def test_the_limit_grows_with_the_network():
    """A checkpoint of the largest published network, EDSR with 43 million parameters, and of a larger one."""
    assert torch_files.most_bytes({"a": (43_000_000,)}) > 4 * 4 * 43_000_000
    assert torch_files.most_bytes({"a": (10**9,), "b": (10, 10**8)}) > 8 * 4 * 2 * 10**9
    assert torch_files.most_bytes({}) == torch_files.MOST_BYTES


def test_a_pipe_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "a.npz")
    with pytest.raises(InputError, match=r"a\.npz is not a regular file"):
        torch_files.read(tmp_path / "a.npz")


class Evil:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_a_pickle_in_an_npz_is_not_run(tmp_path):
    (tmp_path / "a.npz").write_bytes(npz(a=ONES, b=np.array([Evil(tmp_path / "created")], object)))
    with pytest.raises(InputError, match=r"a\.npz holds more than numbers .* Nothing of it was run"):
        torch_files.read(tmp_path / "a.npz")
    assert not (tmp_path / "created").exists()


def test_without_pytorch_its_files_are_read_but_not_written(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    message = r"a\.pth: PyTorch's own files need PyTorch to be written: pip install .*\[torch\].*; \.safetensors and \.npz need"
    with pytest.raises(InputError, match=message):
        torch_files.write(tmp_path / "a.pth", STATE)
    (tmp_path / "a.pth").write_bytes(written.archive({"conv.weight": ONES}))
    np.testing.assert_array_equal(torch_files.read(tmp_path / "a.pth").tensors["conv.weight"], ONES)


STATE, OTHER = {"conv.weight": ONES}, {"conv.weight": 2 * ONES}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (STATE, []),
        ({"state_dict": STATE, "epoch": 3, "optimizer": {"state": {0: {"exp_avg": ONES}}}},
         ["state_dict is taken from the file; ignored: epoch, optimizer"]),
        ({"params": OTHER, "params_ema": STATE}, ["params_ema is taken from the file, not params"]),
        ({"state_dict": OTHER, "ema_state_dict": STATE}, ["ema_state_dict is taken from the file, not state_dict"]),
        ({"model_state_dict": STATE}, ["model_state_dict is taken from the file"]),
        ({"params": STATE, "params_ema": {}}, ["params is taken from the file; ignored: params_ema"]),
        ({"g": OTHER, "d": OTHER, "g_ema": STATE}, ["g_ema is taken from the file, not g, d"]),
        ({"model": {"state_dict": STATE}, "args": None},
         ["model is taken from the file; ignored: args", "state_dict is taken from the file"]),
        ({"a\x1b[2J": 3, **{f"key{i}": i for i in range(30)}, "net": STATE},
         ["net is taken from the file; ignored: a\\x1b[2J, " + ", ".join(f"key{i}" for i in range(19)) + " and 11 more"]),
        ({"weights_of_ours": STATE}, ["weights_of_ours is taken from the file"]),
        ({**STATE, "epoch": 3}, ["ignored, as not tensors: epoch"]),
    ],
)  # fmt: skip
def test_wrappings(content, expected):
    tensors, notes = torch_files.unwrap(content, Path("a.pth"))
    assert notes == expected
    assert tensors.keys() == {"conv.weight"}
    np.testing.assert_array_equal(tensors["conv.weight"], ONES)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"a": STATE, "b": OTHER}, r"holds several sets of weights, a, b; save only the one to convert"),
        ({"epoch": 3}, r"holds no state dict \(names and their tensors\):\n  epoch"),
        ({}, r"holds no state dict .*: it is empty"),
        ({"state_dict": {}}, r"holds no state dict"),
        ([ONES], r"holds no state dict .*, but a list"),
        (ONES, r"holds no state dict .*, but a ndarray"),
        ({3: ONES}, r"holds no state dict"),
        ({"a\nb": ONES}, r"has a tensor whose name cannot be printed, a\\nb; rename it"),
    ],
)
def test_what_is_not_a_state_dict(content, message):
    with pytest.raises(InputError, match=f"a.pth {message}"):
        torch_files.unwrap(content, Path("a.pth"))
