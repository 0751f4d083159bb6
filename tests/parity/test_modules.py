"""Whole modules as PyTorch pickles them, and tensors of every kind."""

import numpy as np
import pytest
from safetensors.numpy import load_file

from sr_jax import convert
from sr_jax.config import LapSRNConfig, VDSRConfig
from sr_jax.errors import InputError
from sr_jax.weights.torch import files as torch_files
from sr_jax.weights.torch.checkpoints import read_checkpoint
from tests.parity.test_convert import FORMATS

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

CASES = {
    "vdsr": (VDSRConfig(depth=5, width=6), 2, ("--network.depth=5", "--network.width=6")),
    "lapsrn": (LapSRNConfig(depth=2, width=6), 4, ("--network.depth=2", "--network.width=6")),
}


@pytest.mark.parametrize("how", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("name", CASES)
def test_a_whole_module_gives_the_numbers_of_its_state_dict(tmp_path, capsys, name, how):
    from tests import torch_models

    network, scale, sizes = CASES[name]
    module = torch_models.random_module(network, scale, seed=0)
    torch.save(module.state_dict(), tmp_path / "state.pth")
    torch.save({"epoch": 50, "model": module}, tmp_path / "module.pth", **how)
    torch.save(torch.nn.DataParallel(module), tmp_path / "parallel.pth", **how)
    for kind in ("state", "module", "parallel"):
        out = ["--network", name, "--scale", str(scale), *sizes, "--out", str(tmp_path / f"{kind}.safetensors")]
        assert convert.main([str(tmp_path / f"{kind}.pth"), *out]) == 0, kind
        printed = capsys.readouterr().out
        assert ("a whole pickled module" in printed) == (kind != "state")
        assert ("behind the prefix module." in printed) == (kind == "parallel")
    expected = load_file(tmp_path / "state.safetensors")
    for kind in ("module", "parallel"):
        read = load_file(tmp_path / f"{kind}.safetensors")
        assert read.keys() == expected.keys()
        for key, value in expected.items():
            np.testing.assert_array_equal(read[key], value, err_msg=key)


class Everything(torch.nn.Module):
    """A module with what others have: shared layers, buffers that are not saved, hooks, an optimiser's state beside it."""

    def __init__(self):
        super().__init__()
        self.first = torch.nn.Conv2d(3, 4, 3, bias=False)
        self.norm = torch.nn.BatchNorm2d(4)
        self.again = self.first
        self.extra = torch.nn.ParameterDict({"a": torch.nn.Parameter(torch.ones(2)), "b": torch.nn.Parameter(torch.zeros(1))})
        self.members = torch.nn.ModuleList([torch.nn.PReLU(), torch.nn.GRU(2, 3)])
        self.register_buffer("mean", torch.arange(3.0))
        self.register_buffer("scratch", torch.zeros(7), persistent=False)
        self.note = {"a": [1, (2, "b")], "size": torch.Size([1, 2]), "device": torch.device("cpu"), "dtype": torch.float16}


@pytest.mark.parametrize("how", FORMATS.values(), ids=FORMATS)
def test_every_kind_of_member(tmp_path, how):
    module = Everything()
    optimizer = torch.optim.Adam(module.parameters())
    torch.save({"net": module, "optimizer": optimizer, "loss": np.float32(1)}, tmp_path / "a.pth", **how)
    expected = {key: value.numpy() for key, value in module.state_dict().items()}
    read = torch_files.read(tmp_path / "a.pth").tensors
    assert list(read) == list(expected)
    for key, value in expected.items():
        np.testing.assert_array_equal(read[key], value, err_msg=key)


@pytest.mark.parametrize("how", FORMATS.values(), ids=FORMATS)
def test_every_kind_of_tensor(tmp_path, how):
    """Types and windows; PyTorch saves the storage of a window whole."""
    base = torch.arange(120.0).reshape(4, 5, 6)
    types = ("float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool")
    types += ("uint16", "uint32", "uint64") if how == {} else ()
    tensors = {name: base[0].to(getattr(torch, name)) for name in types}
    tensors |= {"rows": base[1:3], "turned": base.permute(2, 0, 1), "steps": base[::2, 1::2, 3], "one": base[3, 4, 5]}
    tensors |= {"repeated": base[0, :1].expand(7, 6), "empty": base[:0], "last": torch.channels_last and base[None].contiguous(
        memory_format=torch.channels_last)}  # fmt: skip
    tensors["parameter"] = torch.nn.Parameter(base[2])
    tensors["marked"] = torch.nn.Parameter(base[3])
    tensors["marked"].mark = "an attribute"
    torch.save(tensors, tmp_path / "a.pth", **how)
    read = read_checkpoint(tmp_path / "a.pth", (tmp_path / "a.pth").read_bytes(), most=2**20)
    assert read.keys() == tensors.keys()
    for name, tensor in tensors.items():
        expected = tensor.detach()
        assert read[name].dtype.name == str(expected.dtype).removeprefix("torch."), name
        wide = expected.double() if expected.is_floating_point() else expected.long()
        np.testing.assert_array_equal(read[name].astype(wide.numpy().dtype), wide.numpy(), err_msg=name)


@pytest.mark.filterwarnings("ignore")
def test_tensors_that_are_not_plain(tmp_path):
    for name, tensor in {
        "sparse": torch.eye(3).to_sparse(),
        "quantised": torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8),
        "small": torch.ones(3).to(torch.float8_e4m3fn),
    }.items():
        torch.save({"conv.weight": tensor}, tmp_path / f"{name}.pth")
        with pytest.raises(InputError, match=r"conv\.weight is not a plain tensor|has a storage of the type torch\."):
            torch_files.read(tmp_path / f"{name}.pth")
