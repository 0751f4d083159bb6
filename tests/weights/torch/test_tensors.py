"""Tensors are windows on storages; those that reach beyond them are refused."""

import numpy as np
import pytest

from sr_jax.errors import InputError
from sr_jax.weights.torch import tensors
from sr_jax.weights.torch.checkpoints import read_checkpoint
from sr_jax.weights.torch.pickles import CallError, Name, Node, PickleError
from tests.weights.torch import written
from tests.weights.torch.written import ORDERED, REBUILD, Call, Global, Persistent, View

BASE = np.arange(24, dtype=np.float32)
WINDOWS = {
    "whole": BASE,
    "rows": BASE.reshape(4, 6)[1:3],
    "columns": BASE.reshape(4, 6)[:, 2:5],
    "steps": BASE.reshape(4, 6)[::2, 1::3],
    "turned": BASE.reshape(2, 3, 4).transpose(2, 0, 1),
    "one value": BASE[5:6].reshape(()),
    "repeated": np.broadcast_to(BASE[3:4], (5, 7)),
    "overlapping": np.lib.stride_tricks.as_strided(BASE[2:], (4, 3), (8, 4)),
    "empty": BASE[:0].reshape(0, 3),
    "long": np.arange(-3, 3),
    "half": np.linspace(-1, 1, 5).astype(np.float16),
    "byte": np.arange(256).astype(np.uint8),
    "bool": np.array([True, False]),
    "double": np.array([np.pi]),
}


@pytest.mark.parametrize("write", [written.archive, written.older])
def test_windows(write, tmp_path):
    read = read_checkpoint(tmp_path / "a.pth", write(WINDOWS), most=2**20)
    assert read.keys() == WINDOWS.keys()
    for name, value in WINDOWS.items():
        assert read[name].dtype == value.dtype, name
        np.testing.assert_array_equal(read[name], value, err_msg=name)


@pytest.mark.parametrize(
    ("window", "message"),
    [
        ((0, (25,), (1,)), r"a \(25,\) reaches 25 elements into a storage of 24"),
        ((1, (24,), (1,)), r"a \(24,\) reaches 25 elements into a storage of 24"),
        ((23, (2,), (1,)), r"reaches 25 elements"),
        ((24, (1,), (1,)), r"reaches 25 elements"),
        ((0, (2, 2), (23, 1)), r"reaches 25 elements"),
        ((0, (2,), (2**48,)), r"reaches 281,474,976,710,657 elements"),
        ((2**40, (1,), (1,)), r"reaches 1,099,511,627,777 elements"),
        ((0, (10**6, 10**6), (0, 0)), r"a \(1000000, 1000000\) takes 4,000,000,000,000 bytes; at most 1,048,576 are read"),
        ((0, (0, 2**47), (1, 1)), None),
        ((-1, (1,), (1,)), "is not a whole number, or is negative or too large"),
        ((0, (-1,), (1,)), "is not a whole number, or is negative or too large"),
        ((0, (2,), (-1,)), "is not a whole number, or is negative or too large"),
        ((0, (2**60,), (1,)), "is not a whole number, or is negative or too large"),
        ((0, (2.0,), (1,)), "is not a whole number"),
        ((True, (2,), (1,)), "is not a whole number"),
        ((1.5, (2,), (1,)), "is not a whole number"),
        ((0, [2], [1]), "whose shape and strides are not of one length"),
        ((0, (2,), (1, 1)), "whose shape and strides are not of one length"),
        ((0, (1,) * 33, (1,) * 33), "whose shape and strides are not of one length"),
        ((0, "2", "1"), "whose shape and strides are not of one length"),
    ],
)
def test_windows_that_reach_beyond_their_storage(tmp_path, window, message):
    data = written.archive({"a": View(BASE, *window)})
    if message is None:
        assert read_checkpoint(tmp_path / "a.pth", data, most=2**20)["a"].size == 0
        return
    with pytest.raises(InputError, match=message):
        read_checkpoint(tmp_path / "a.pth", data, most=2**20)


def stored(*identity):
    return Call(REBUILD, (Persistent(identity), 0, (2,), (1,), False, Call(ORDERED)))


FLOAT = Global("torch", "FloatStorage")


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (stored("storage", FLOAT, "0", "cpu", 25), r"a its storage takes 100 bytes, but has 96; the file is cut short"),
        (stored("storage", FLOAT, "0", "cpu", 1), r"reaches 2 elements into a storage of 1"),
        (stored("storage", FLOAT, "9", "cpu", 24), "lacks the storage 9"),
        (stored("storage", FLOAT, "../../../etc/passwd", "cpu", 24), r"lacks the storage \.\./"),
        (stored("storage", FLOAT, 0, "cpu", 24), "refers to something else than storages"),
        (stored("storage", FLOAT, "0", "cpu", -1), "is not a whole number, or is negative"),
        (stored("storage", FLOAT, "0", "cpu", 2**70), "is not a whole number, or is negative"),
        (stored("storage", Global("os", "FloatStorages"), "0", "cpu", 1), r"has a storage of the type os\.FloatStorages"),
        (stored("storage", "FloatStorage", "0", "cpu", 1), "has a storage of the type str"),
        (stored("storage",), "refers to something else than storages"),
        (stored("module", Global("net", "Net"), "a.py", "text"), "refers to something else than storages"),
        (stored(), "refers to something else than storages"),
        (Call(REBUILD, ("0", 0, (2,), (1,))), "makes a tensor without a storage"),
        (Call(REBUILD, ()), r"calls torch\._utils\._rebuild_tensor_v2 with 0 arguments"),
        (Call(Global("torch._tensor", "_rebuild_from_type_v2"), (FLOAT, 1, 2, 3)), "makes a tensor without a function"),
        (Call(Global("torch._tensor", "_rebuild_from_type_v2"), (Global("torch._tensor", "_rebuild_from_type_v2"), 1, (), 3)),
         "makes a tensor by itself"),
        (Call(Global("copyreg", "_reconstructor"), (Global("copyreg", "__newobj__"), 1, 2)), "makes an object by itself"),
        (Call(Global("copyreg", "_reconstructor"), (3,)), "makes an object without a class"),
        (Call(ORDERED, ([1, 2],)), "makes a dict of what is not pairs"),
        (Call(Global("torch._utils", "_rebuild_sparse_tensor"), (1, 2)),
         r"a is not a plain tensor \(made by torch\._utils\._rebuild_sparse_tensor\); save it as dense float32"),
        (Call(Global("torch._utils", "_rebuild_tensor_v3"), (1, 0, (2,), (1,), False, None, Global("torch", "float8_e5m2"))),
         r"a is not a plain tensor \(of the type torch\.float8_e5m2\)"),
    ],
)  # fmt: skip
def test_tensors_and_storages_that_are_wrong(tmp_path, tensor, message):
    data = written.archive({"a": tensor}, **{"data/0": BASE.tobytes()})
    with pytest.raises(InputError, match=message) as error:
        read_checkpoint(tmp_path / "a.pth", data, most=2**20)
    assert "\n" not in str(error.value)


def test_what_may_stand_beside_weights():
    for module, name in [("argparse", "Namespace"), ("my.net", "Net"), ("torch.nn.modules.conv", "Conv2d"), ("torch", "Size")]:
        made = tensors.call(Name(module, name), (1,))
        assert isinstance(made, Node)
        assert (made.kind, made.arguments) == (Name(module, name), (1,))
    for module, name in [
        *(("os", "system"), ("posix", "system"), ("subprocess", "Popen"), ("builtins", "eval"), ("builtins", "getattr")),
        *(("importlib", "import_module"), ("runpy", "run_path"), ("pickle", "loads"), ("shutil", "rmtree"), ("io", "open")),
        *(
            ("torch", "load"),
            ("torch.hub", "load"),
            ("torch.storage", "_load_from_bytes"),
            ("numpy", "load"),
            ("ctypes", "CDLL"),
        ),
    ]:
        with pytest.raises(CallError, match=rf"{module}\.{name}"):
            tensors.call(Name(module, name), ())


def test_dicts_of_python_2_have_their_items_as_arguments():
    assert tensors.call(Name("collections", "OrderedDict"), ([["a", 1], ("b", 2)],)) == {"a": 1, "b": 2}
    assert tensors.call(Name("collections", "OrderedDict"), ()) == {}
    with pytest.raises(PickleError, match="makes a dict of what is not pairs"):
        tensors.call(Name("collections", "OrderedDict"), ([["a"]],))
