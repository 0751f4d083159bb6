"""MATLAB files, which SciPy writes here."""

import contextlib
import io
import struct

import numpy as np
import pytest
import scipy.io
import scipy.sparse

from sr_jax.system.mat_files import HEADER, read_mat, read_mat_structs

MOST = 2**20


def mat(values, **options) -> bytes:
    stream = io.BytesIO()
    scipy.io.savemat(stream, values, **options)
    return stream.getvalue()


def cells(*values, shape):
    result = np.empty(len(values), object)
    result[:] = values
    return result.reshape(shape)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    "kind", [np.float64, np.float32, np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64, bool]
)
@pytest.mark.parametrize("shape", [(5, 3), (1, 1), (3, 4, 2), (2, 0)])
def test_arrays(rng, kind, shape, packed):
    array = rng.integers(0, 2 if kind is bool else 100, shape).astype(kind)
    read = read_mat(mat({"kernel": array, "a_longer_name": array + array}, do_compression=packed), most=MOST)
    assert read.keys() == {"kernel", "a_longer_name"}
    np.testing.assert_array_equal(read["kernel"], array)
    np.testing.assert_array_equal(read["a_longer_name"], array + array)


@pytest.mark.parametrize("packed", [False, True])
def test_cells(rng, packed):
    arrays = [rng.random(shape) for shape in ((5, 5), (3, 4), (1, 1), (2, 2, 2), (1, 7), (0, 0))]
    values = cells(*arrays, shape=(2, 3))
    read = read_mat(mat({"kernels": values}, do_compression=packed), most=MOST)["kernels"]
    assert read.shape == (2, 3)
    for ours, theirs in zip(read.ravel(), values.ravel(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_high_byte_first():
    """An array of two by one, as the format's description lays it out."""
    part = struct.pack(">II8s", 6, 8, bytes([0, 0, 0, 6, 0, 0, 0, 0])) + struct.pack(">IIii", 5, 8, 2, 1)
    part += struct.pack(">HH4s", 1, 1, b"k\0\0\0") + struct.pack(">IIdd", 9, 16, 0.5, -3.0)
    header = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack(">H2s", 0x0100, b"MI")
    data = header + struct.pack(">II", 14, len(part)) + part
    np.testing.assert_array_equal(scipy.io.loadmat(io.BytesIO(data))["k"], [[0.5], [-3.0]])
    np.testing.assert_array_equal(read_mat(data, most=MOST)["k"], [[0.5], [-3.0]])


@pytest.mark.parametrize("packed", [False, True])
def test_structs_and_text(rng, packed):
    weights = rng.random((3, 3, 2)).astype(np.float32)
    params = np.array([[("conv_f", weights), ("conv_é", np.arange(3.0))]], [("name", object), ("value", object)])
    values = {"net": {"params": params, "mode": "test", "inner": {"deep": 5.0}}, "none": np.zeros((0, 0)), "words": "ab"}
    read = read_mat_structs(mat(values, do_compression=packed), most=MOST)
    assert read["words"] == "ab"
    ((net,),) = (read["net"],)
    assert (net["mode"], net["inner"][0]["deep"]) == ("test", 5)
    assert [param["name"] for param in net["params"]] == ["conv_f", "conv_é"]
    np.testing.assert_array_equal(net["params"][0]["value"], weights)
    np.testing.assert_array_equal(net["params"][1]["value"], [[0, 1, 2]])


def test_what_is_neither_numbers_nor_structs_is_none():
    values = {"sparse": scipy.sparse.csc_array(np.eye(3)), "complex": np.ones(2) * 1j, "number": 3.0}
    read = read_mat_structs(mat(values), most=MOST)
    assert read == {"sparse": None, "complex": None, "number": np.array([[3.0]])}


def test_a_struct_of_many_fields_that_are_not_there():
    data = bytearray(mat({"k": {"a": 1.0}}))
    at = data.index(struct.pack("<ii", 1, 1))  # its dimensions
    data[at : at + 8] = struct.pack("<ii", 2**30, 2**30)
    with pytest.raises(ValueError, match="it is damaged: an array lacks a part"):
        read_mat_structs(bytes(data), most=MOST)


def test_dimensions_that_are_not_whole():
    data = bytearray(mat({"k": np.ones((3, 2))}))
    at = data.index(struct.pack("<IIii", 5, 8, 3, 2))
    data[at : at + 16] = struct.pack("<IIff", 7, 8, 3, 2)
    for read in (read_mat, read_mat_structs):
        with pytest.raises(ValueError, match="it is damaged: a fraction where a whole number belongs"):
            read(bytes(data), most=MOST)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (scipy.sparse.csc_array(np.eye(3)), "'k' is a sparse array; save only arrays of real numbers"),
        ("text", "'k' is text; "),
        (cells("a", np.ones((3, 3)), shape=(1, 2)), "'' is text; "),
        ({"a": 1}, "'k' is a struct; "),
        (np.ones((2, 2)) * 1j, "'k' is complex; "),
    ],
    ids=["sparse", "text", "cell", "struct", "complex"],
)
def test_other_values_are_refused(value, message):
    with pytest.raises(ValueError, match=message):
        read_mat(mat({"k": value}), most=MOST)


def test_two_arrays_with_one_name_are_refused():
    data = mat({"kernel": np.ones((3, 3))})
    with pytest.raises(ValueError, match="two arrays are called 'kernel'"):
        read_mat(data + data[HEADER:], most=MOST)


def test_what_unpacks_to_too_much_is_refused():
    data = mat({"kernel": np.zeros((2**9, 2**9))}, do_compression=True)
    assert read_mat(data, most=2**22)["kernel"].shape == (2**9, 2**9)
    with pytest.raises(ValueError, match="it unpacks to more than 1,048,576 bytes; save only the arrays that are needed"):
        read_mat(data, most=MOST)


@pytest.mark.parametrize("data", [b"", b"some text", bytes(HEADER), bytes(200), mat({"k": np.eye(3)}, format="4")])
def test_other_files_are_refused(data):
    with pytest.raises(ValueError, match="not a MATLAB file of version 5; save it with -v7 or -v6"):
        read_mat(data, most=MOST)


def test_random_damage_raises_only_value_errors(rng):
    """SciPy's reader crashes the process at some of these."""
    kernels = cells(rng.random((5, 5)), rng.random((3, 4)), shape=(1, 2))
    files = [
        mat({"k": kernels}),
        mat({"k": kernels}, do_compression=True),
        mat({"k": rng.random((5, 5))}),
        mat({"k": {"a": 1, "text": "abc", "b": kernels}}),
    ]
    refused = 0
    for i in range(2000):
        broken = bytearray(files[i % len(files)])
        for position in rng.integers(HEADER, len(broken), 3):
            broken[position] = rng.integers(256)
        broken = broken[: rng.integers(HEADER, len(broken) + 200)]
        with contextlib.suppress(ValueError):
            read_mat_structs(bytes(broken), most=MOST)
        with contextlib.suppress(ValueError):
            read_mat(bytes(broken), most=MOST)
            continue
        refused += 1
    assert refused > 1000
