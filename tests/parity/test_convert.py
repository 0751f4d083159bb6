"""`python -m sr_jax.convert` on PyTorch's own files, and back to them."""

import json
import pickle
import zipfile

import numpy as np
import pytest
from PIL import Image

from sr_jax import convert, evaluate
from sr_jax.config import FSRCNNConfig
from sr_jax.errors import InputError
from sr_jax.evaluation.protocol import PROTOCOLS
from sr_jax.weights.torch import files as torch_files
from tests.weights.torch.test_files import Evil

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

NETWORK_CONFIG = FSRCNNConfig(d=8, s=4, m=1)
OPTIONS = ("--network", "fsrcnn", "--scale", "2", "--network.d=8", "--network.s=4", "--network.m=1")
FORMATS: dict = {"zip": {}, "older": {"_use_new_zipfile_serialization": False}}
"""The formats of `torch.save`, and its options for them."""


@pytest.fixture(scope="module")
def module():
    from tests import torch_models

    return torch_models.random_module(NETWORK_CONFIG, 2, seed=2)


@pytest.fixture
def call(tmp_path, capsys):
    """Saves an object, and calls the command on the file; returns status, output, errors."""

    def call(value, name="theirs.pth", **how):
        torch.save(value, tmp_path / name, **how)
        status = convert.main([str(tmp_path / name), *OPTIONS, "--out", str(tmp_path / "ours.safetensors")])
        return status, *capsys.readouterr()

    return call


def test_state_dicts_as_they_are_wrapped(call, module, tmp_path):
    other = {key: value + 1 for key, value in module.state_dict().items()}
    averaged = torch.optim.swa_utils.AveragedModel(module)
    parallel = torch.nn.DataParallel(module)
    optimizer = torch.optim.Adam(module.parameters())
    module(torch.zeros(1, 1, 4, 4)).sum().backward()
    optimizer.step()
    state = {key: value.clone() for key, value in averaged.module.state_dict().items()}
    parallel.load_state_dict({f"module.{key}": value for key, value in state.items()})
    cases = {
        "plain": (state, {}),
        "older format": (state, {"_use_new_zipfile_serialization": False}),
        "parallel": (parallel.state_dict(), {}),
        "averaged": ({"state_dict": other, "ema_state_dict": averaged.state_dict()}, {}),
        "checkpoint": ({"epoch": 3, "model": state, "optimizer": optimizer.state_dict()}, {}),
        "bfloat16": ({key: value.bfloat16() for key, value in state.items()}, {}),
        "parameters": ({key: torch.nn.Parameter(value) for key, value in state.items()}, {}),
    }
    for title, (value, how) in cases.items():
        status, out, err = call(value, name=f"{title.replace(' ', '_')}.pth.tar", **how)
        assert (status, err) == (0, ""), title
        assert "matched     14 of 14 tensors" in out
        kernel = torch_files.read(tmp_path / "ours.safetensors").tensors["deconvolution.kernel"]
        expected = state["last_part.weight"].permute(2, 3, 0, 1).numpy()
        np.testing.assert_allclose(kernel, expected, rtol=2**-8 if title == "bfloat16" else 0, err_msg=title)


@pytest.mark.parametrize("how", FORMATS.values(), ids=FORMATS)
def test_a_pickle_with_code_is_refused_and_not_run(call, module, tmp_path, how):
    status, _, err = call({**module.state_dict(), "extra": Evil(tmp_path / "created")}, **how)
    assert status == 2
    assert "theirs.pth holds more than numbers: it asks for io.open. Nothing of it was run" in err
    assert "save only its weights: torch.save(model.state_dict(), FILE)" in err
    assert "weights_only" not in err
    assert not (tmp_path / "created").exists()
    assert not (tmp_path / "ours.safetensors").exists()


def test_a_bare_pickle_is_not_run(tmp_path):
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        (tmp_path / "a.pth").write_bytes(pickle.dumps(Evil(tmp_path / "created"), protocol=protocol))
        with pytest.raises(InputError, match=r"a\.pth (holds more than numbers|was not written by torch\.save)"):
            torch_files.read(tmp_path / "a.pth")
    assert not (tmp_path / "created").exists()


def test_numbers_beside_the_weights(call, module):
    """NumPy computed a loss or a PSNR, and `torch.save` pickled it."""
    others = {"epoch": 3, "best_psnr": np.float64(3), "loss": np.float32(0.5), "seen": np.int64(7), "is_done": np.bool_(True)}
    status, out, err = call({**others, "model": module.state_dict()})
    assert (status, err) == (0, "")
    assert "model is taken from the file; ignored: epoch, best_psnr, loss, seen, is_done" in out


def test_what_numpy_has_beyond_numbers_is_refused(call, module, tmp_path):
    for value in (np.ones(3), np.array([Evil(tmp_path / "created")], object)):
        status, _, err = call({"model": module.state_dict(), "losses": value})
        assert status == 2
        assert "theirs.pth holds NumPy arrays beside its tensors: it asks for numpy." in err
        assert "torch.save(model.state_dict(), FILE)" in err
    assert not (tmp_path / "created").exists()


def test_dicts_in_themselves_and_in_each_other(call):
    endless: dict = {}
    endless[""] = endless
    status, _, err = call(endless)
    assert status == 2
    assert "theirs.pth holds dicts within dicts, more than 20 deep; save only the state dict" in err
    shared: dict = {"a": 1}
    for _ in range(20):
        shared = {str(i): shared for i in range(10)}  # 10**20 ways to the innermost
    status, _, err = call(shared)
    assert status == 2
    assert "theirs.pth holds no state dict" in err


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_a_torchscript_program(tmp_path, module):
    torch.jit.save(torch.jit.trace(module, torch.zeros(1, 1, 4, 4)), tmp_path / "a.pt")
    with pytest.raises(InputError, match=r"a\.pt is a TorchScript program, not weights"):
        torch_files.read(tmp_path / "a.pt")


@pytest.mark.parametrize("is_zip", [True, False], ids=["zip", "older"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.97])
def test_truncated_files(tmp_path, module, is_zip, share):
    torch.save(module.state_dict(), tmp_path / "a.pth", _use_new_zipfile_serialization=is_zip)
    data = (tmp_path / "a.pth").read_bytes()
    (tmp_path / "a.pth").write_bytes(data[: int(share * len(data))])
    with pytest.raises(InputError, match=r"a\.pth was not written by torch\.save, or is cut short"):
        torch_files.read(tmp_path / "a.pth")


def test_a_file_cut_short_within_a_name(tmp_path, module):
    """PyTorch does not know the rest of the name, but it is not a request for code either."""
    torch.save(module.state_dict(), tmp_path / "a.pth", _use_new_zipfile_serialization=False)
    data = (tmp_path / "a.pth").read_bytes()
    (tmp_path / "a.pth").write_bytes(data[: data.index(b"_rebuild_tensor_v2") + 12])
    with pytest.raises(InputError, match=r"a\.pth was not written by torch\.save, or is cut short"):
        torch_files.read(tmp_path / "a.pth")


def test_a_tensor_that_repeats_its_values_without_end(tmp_path):
    """The file has two kilobytes, and the tensor two hundred gigabytes."""
    torch.save({"conv.weight": torch.zeros(1, dtype=torch.bfloat16).expand(10**6, 10**5)}, tmp_path / "a.pth")
    message = r"a\.pth: conv\.weight \(1000000, 100000\) takes 200,000,000,000 bytes; at most 536,870,912 are read"
    with pytest.raises(InputError, match=message):
        torch_files.read(tmp_path / "a.pth")


def test_an_archive_that_unpacks_to_more_than_is_read(tmp_path, module):
    torch.save(module.state_dict(), tmp_path / "a.pth")
    with zipfile.ZipFile(tmp_path / "a.pth") as archive, zipfile.ZipFile(tmp_path / "b.pth", "w", zipfile.ZIP_DEFLATED) as out:
        for name in archive.namelist():
            out.writestr(name, bytes(2**25) if name.endswith("data/0") else archive.read(name))
    with pytest.raises(InputError, match=r"b\.pth unpacks to 33,.* bytes, of which a/data/0 has 33,554,432; at most 1,000,000"):
        torch_files.read(tmp_path / "b.pth", most=1_000_000)


@pytest.mark.parametrize("data", [b"some text", b"\x89PNG\r\n\x1a\n" + bytes(99), b"PK\x03\x04" + bytes(99), bytes(99)])
def test_foreign_files(tmp_path, data):
    (tmp_path / "a.pth").write_bytes(data)
    with pytest.raises(InputError, match=r"a\.pth was not written by torch\.save, or is cut short \(\w+"):
        torch_files.read(tmp_path / "a.pth")


@pytest.mark.parametrize("name", ["back.pth", "back.safetensors"])
def test_pytorch_loads_what_is_written_for_it(call, module, tmp_path, name):
    from safetensors.torch import load_file

    call(module.state_dict())
    assert convert.main([str(tmp_path / "ours.safetensors"), "--to", "torch", "--out", str(tmp_path / name)]) == 0
    back = torch.load(tmp_path / name, weights_only=True) if name.endswith("pth") else load_file(tmp_path / name)
    module.load_state_dict(back, strict=True)
    assert all(torch.equal(back[key], value) for key, value in module.state_dict().items())


def test_psnr_is_that_of_pytorch(tmp_path, call):
    """A checkpoint that PyTorch trained scores the same here. The tables of published checkpoints rely on this."""
    from tests.torch_models.fsrcnn import fsrcnn

    folder = tmp_path / "Set5/HR"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(1)
    for i, (h, w) in enumerate([(61, 48), (72, 54), (120, 130)]):
        coarse = Image.fromarray(rng.integers(0, 256, (h // 8, w // 8, 3), dtype=np.uint8))
        coarse.resize((w, h), Image.Resampling.BICUBIC).save(folder / f"{i}.png")
    pixels = [np.asarray(Image.open(path)) for path in sorted(folder.glob("*.png"))]
    tasks = [paper_task(image) for image in pixels]

    torch.manual_seed(0)
    module = fsrcnn(NETWORK_CONFIG, 2)
    optimizer = torch.optim.Adam(module.parameters(), 3e-3)
    lr, hr = (torch.from_numpy(x.astype(np.float32)[None, None]) for x in (tasks[-1][0], tasks[-1][1] / 255))
    for _ in range(300):
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(module(lr), hr).backward()
        optimizer.step()

    assert call(module.state_dict())[0] == 0
    options = ["--sets", "Set5", "--data_root", str(tmp_path), "--out", str(tmp_path / "out")]
    options += ["--cache_dir", str(tmp_path / "cache")]
    assert evaluate.main(["--model", str(tmp_path / "ours.safetensors"), *options]) == 0
    rows = json.loads((tmp_path / "out/results.json").read_text())
    ours = [row["psnr_y"] for row in rows if row["method"] != "bicubic" and row["image"] != "mean"]
    with torch.no_grad():
        theirs = [psnr(module(torch.from_numpy(lr.astype(np.float32)[None, None]))[0, 0].numpy(), hr) for lr, hr in tasks]
    np.testing.assert_allclose(ours, theirs, atol=1e-3, rtol=0)
    assert min(theirs) > 25


def paper_task(image):
    """LR in [0, 1] and HR in grey levels, by the protocol `papers`, which is tested elsewhere."""
    from sr_jax.data.images import Image as Loaded

    protocol = PROTOCOLS["papers"]
    task = protocol.task(Loaded("", image), set="", scale=2, lr=None)
    return task.y[..., 0], protocol.reference_y(task)[..., 0]


def psnr(sr, hr):
    """PSNR [dB] of 8-bit Y without 2 pixels at the border."""
    difference = (np.clip(np.round(sr * 255.0), 0, 255) - hr)[2:-2, 2:-2]
    return 10 * np.log10(255**2 / np.mean(difference.astype(np.float64) ** 2))
