"""Files of `torch.save`, spelled out without PyTorch; tests/parity compares with those that it writes."""

import pickle
import struct

import numpy as np
import pytest

from sr_jax.errors import InputError
from sr_jax.weights.torch import checkpoints
from sr_jax.weights.torch import files as torch_files
from tests.weights.torch import written
from tests.weights.torch.written import ORDERED, Call, Global, module, module2

MOST = 2**20
ONES = np.ones(3, np.float32)


def read(data, tmp_path):
    return checkpoints.read_checkpoint(tmp_path / "a.pth", data, most=MOST)


def save(tmp_path, data):
    (tmp_path / "a.pth").write_bytes(data)
    return tmp_path / "a.pth"


def arrays(rng, *shapes):
    return [rng.random(shape, dtype=np.float32) for shape in shapes]


@pytest.mark.parametrize("write", [written.archive, written.older])
def test_a_whole_module_has_the_names_of_its_state_dict(write, rng, tmp_path):
    a, b, c, d, mean = arrays(rng, (2, 1, 3, 3), (2,), (1, 2, 3, 3), (2,), (2,))
    hidden = Call(Global("builtins", "set"), (["scratch"],))
    buffers = {"running_mean": mean, "scratch": b}
    more = {"_non_persistent_buffers_set": hidden}
    norm = module("torch.nn.modules.batchnorm.BatchNorm2d", parameters={"weight": d}, buffers=buffers, more=more)
    first = module("torch.nn.modules.conv.Conv2d", parameters={"weight": a, "bias": b}, more={"stride": (1, 1)})
    last = module("torch.nn.modules.conv.Conv2d", parameters={"weight": c, "bias": None})
    body = module(
        "torch.nn.modules.container.Sequential", children={"0": first, "1": norm, "2": module("net.ReLU"), "3": first}
    )
    net = module("net.Net", parameters={"scale": b}, children={"body": body, "last": last, "none": None}, more={"depth": 3})
    expected = {"scale": b, "body.0.weight": a, "body.0.bias": b, "body.1.weight": d, "body.1.running_mean": mean}
    expected |= {"body.3.weight": a, "body.3.bias": b, "last.weight": c}
    for content, notes in (
        (net, []),
        ({"epoch": 100, "model": net, "optimizer": {"state": {}}}, ["model is taken from the file; ignored: epoch, optimizer"]),
        ({"net": {"module": net}}, ["net is taken from the file", "module is taken from the file"]),
    ):
        source = torch_files.read(save(tmp_path, write(content)))
        assert list(source.tensors) == list(expected)
        for name, value in expected.items():
            np.testing.assert_array_equal(source.tensors[name], value)
        assert source.notes == [*notes, "the tensors are those of a whole pickled module, a net.Net; nothing of it was run"]


def test_a_module_of_python_2_and_pytorch_0_3(rng, tmp_path):
    """As the public weights of VDSR and LapSRN are: with source code, dicts from pairs, and parameters around tensors."""
    a, b = arrays(rng, (2, 1, 3, 3), (1, 2, 3, 3))
    conv = module2("torch.nn.modules.conv.Conv2d", parameters={"weight": a, "bias": None})
    block = module2("vdsr.Conv_ReLU_Block", children={"conv": conv, "relu": module2("torch.nn.modules.activation.ReLU")})
    output = module2("torch.nn.modules.conv.Conv2d", parameters={"weight": b, "bias": None})
    layers = module2("torch.nn.modules.container.Sequential", children={"0": block})
    net = module2("vdsr.Net", children={"residual_layer": layers, "output": output})
    source = torch_files.read(save(tmp_path, written.older({"epoch": 50, "model": net}, is_python2=True)))
    assert list(source.tensors) == ["residual_layer.0.conv.weight", "output.weight"]
    np.testing.assert_array_equal(source.tensors["residual_layer.0.conv.weight"], a)
    np.testing.assert_array_equal(source.tensors["output.weight"], b)


def test_buffers_that_a_state_dict_leaves_out(tmp_path):
    """Since protocol 4 a set has instructions of its own."""
    net = module("net.Net", buffers={"kept": ONES, "scratch": 2 * ONES})
    plain = written.Writer(is_older=False).dumps(net)
    hidden = b"X\x1b\0\0\0_non_persistent_buffers_set\x8f(X\x07\0\0\0scratch\x90"
    at = plain.index(b"X\x08\0\0\0training")
    data = written.archive_of(plain[:at] + hidden + plain[at:], {"data/0": ONES.tobytes(), "data/1": ONES.tobytes()})
    assert list(read(data, tmp_path)) == ["kept"]


def test_a_shared_parameter_has_both_names(tmp_path):
    net = module(
        "net.Net", children={"a": module("net.A", parameters={"w": ONES}), "b": module("net.A", parameters={"w": ONES})}
    )
    state = read(written.archive(net), tmp_path)
    assert list(state) == ["a.w", "b.w"]
    assert np.shares_memory(state["a.w"], state["b.w"])


@pytest.mark.parametrize(
    ("net", "message"),
    [
        (
            module("net.Net", parameters={"a.b": ONES}, children={"a": module("net.A", parameters={"b": ONES})}),
            "names a.b twice",
        ),
        (module("net.Net", parameters={"a" * 1001: ONES}), "a tensor whose name is longer than 1000 characters"),
        (module("net.Net", parameters={"a\r\n": ONES}), r"a tensor whose name cannot be printed, a\\r\\n; rename it"),
        (module("net.Net"), "holds no state dict .*: it is empty"),
        ([module("net.Net", parameters={"a": ONES})], "holds no state dict .*, but a list"),
        (Call(Global("net", "Net"), is_new=True, state={"_modules": 3}), r"holds no state dict .*, but a net\.Net"),
        (Call(Global("net", "Net"), is_new=True, state=(1, {})), r"holds no state dict .*, but a net\.Net"),
        (Global("os", "system"), r"holds no state dict .*, but a os\.system"),
    ],
)
def test_modules_that_cannot_be_used(net, message, tmp_path):
    with pytest.raises(InputError, match=message):
        torch_files.read(save(tmp_path, written.archive(net)))


def test_what_stands_beside_the_weights_is_ignored(tmp_path):
    options = Call(Global("argparse", "Namespace"), is_new=True, state={"lr": 0.1})
    best = Call(Global("numpy.core.multiarray", "scalar"), (Call(Global("numpy", "dtype"), ("f8", False, True)), "x"))
    mine = Call(Global("my.tools", "Meter"), (3,), items={"a": 1})
    source = torch_files.read(
        save(tmp_path, written.archive({"state_dict": {"w": ONES}, "o": options, "psnr": best, "m": mine}))
    )
    assert list(source.tensors) == ["w"]
    assert source.notes == ["state_dict is taken from the file; ignored: o, psnr, m"]


def test_attributes_of_a_state_dict_are_left_out(tmp_path):
    """`state_dict()` has versions of modules in an attribute."""
    state = Call(ORDERED, items={"w": ONES}, state={"_metadata": Call(ORDERED, items={"": {"version": 1}})})
    assert list(read(written.archive(state), tmp_path)) == ["w"]


PLAIN = b"\x80\x02N."


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (PLAIN, "does not begin as a file of torch.save does"),
        (pickle.dumps(checkpoints.MAGIC, 2) + pickle.dumps(7, 2), "its protocol is 7, not 1001"),
        (pickle.dumps(checkpoints.MAGIC, 2) + pickle.dumps([], 2), "its protocol is \\?, not 1001"),
        (written.older_of(PLAIN, system={"little_endian": False}), "not in the order little-endian"),
        (written.older_of(PLAIN, system=[]), "not in the order little-endian"),
        (written.older_of(PLAIN, {"0": struct.pack("<q", 1) + bytes(4)}), "does not list its storages"),
        (written.older(ONES)[:-1], "the storage 0 has 11 of 12 bytes"),
        (written.older(ONES)[:-13], "the storage 0 is missing"),
        (written.older(ONES).replace(struct.pack("<q", 3) + ONES.tobytes(), struct.pack("<q", -3) + ONES.tobytes()),
         "the storage 0 has 12 of -12 bytes"),
        (written.older(ONES).replace(struct.pack("<q", 3) + ONES.tobytes(), struct.pack("<q", 2**62) + ONES.tobytes()),
         "the storage 0 has 12 of 18,446,744,073,709,551,616 bytes"),
        (written.archive(ONES, byteorder=b"big"), "its bytes are in the order big; only little is read"),
        (written.archive(ONES)[:-30], "BadZipFile"),
        (written.archive(ONES).replace(ONES.tobytes(), bytes(12)), "BadZipFile: Bad CRC-32"),
        (written.archive_of(PLAIN).replace(b"data.pkl", b"data.txt"), "the archive has 0 members data.pkl"),
        (written.archive_of(PLAIN, {"../b/data.pkl": PLAIN}), None),
        (written.archive_of(PLAIN, {"constants.pkl": PLAIN}), "is a TorchScript program, not weights. Nothing of it was run"),
    ],
)  # fmt: skip
def test_files_that_are_damaged(data, message, tmp_path):
    if message is None:
        assert read(data, tmp_path) is None
        return
    with pytest.raises(InputError, match=message) as error:
        read(data, tmp_path)
    assert "\n" not in str(error.value)


def test_dicts_in_themselves_and_in_each_other(tmp_path):
    shared: dict = {"a": 1}
    for _ in range(18):
        shared = {str(i): shared for i in range(3)}  # 3**18 ways to the innermost
    converter = checkpoints._Converter(tmp_path / "a.pth", lambda key: b"", most=MOST)
    assert converter.convert(shared, name="", depth=0).keys() == {"0", "1", "2"}
    shared["again"] = shared
    with pytest.raises(InputError, match="holds dicts within dicts, more than 20 deep; save only the state dict"):
        checkpoints._Converter(tmp_path / "a.pth", lambda key: b"", most=MOST).convert(shared, name="", depth=0)
