"""MatConvNet's networks. What its layers compute is written here with SciPy, from its manual."""

import io
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.io
from flax import nnx
from scipy.signal import convolve2d, correlate2d

from sr_jax import convert
from sr_jax.assembly import trained
from sr_jax.config import NETWORKS, LapSRNConfig
from sr_jax.errors import InputError
from sr_jax.models import make
from sr_jax.weights.torch import files as torch_files
from sr_jax.weights.torch.mapping import shapes
from sr_jax.weights.torch.matconvnet import read_matconvnet

MOST = 2**24
DEPTH, WIDTH = 2, 3


def mat(net) -> bytes:
    stream = io.BytesIO()
    scipy.io.savemat(stream, net, do_compression=True)
    return stream.getvalue()


def dagnn(params) -> bytes:
    """A network as `save` of MATLAB writes it."""
    entries = np.empty((1, len(params)), [("name", object), ("value", object), ("learningRate", object)])
    entries[0] = [(name, value, 0.1) for name, value in params.items()]
    layers = np.array([[("input_conv", "dagnn.Conv")]], [("name", object), ("type", object)])
    return mat({"net": {"vars": np.zeros((1, 0)), "params": entries, "layers": layers, "meta": {"note": "x"}}})


@pytest.fixture
def params(rng):
    """LapSRN x4 as its authors' code makes it; level 1 is the last.

    Filters are (h, w, in, out), and (h, w, out, in) in transposed convolutions.
    """

    def filters(*shape):
        values = rng.normal(size=shape).astype(np.float32) / np.sqrt(9 * WIDTH, dtype=np.float32)
        return values[..., 0] if shape[-1] == 1 else values  # as MATLAB has them

    def biases(count):
        return rng.normal(size=(1, count)).astype(np.float32)

    made = {"input_conv_f": filters(3, 3, 1, WIDTH), "input_conv_b": biases(WIDTH)}
    for level in (2, 1):
        for i in range(1, DEPTH + 1):
            made |= {f"level{level}_conv{i}_f": filters(3, 3, WIDTH, WIDTH), f"level{level}_conv{i}_b": biases(WIDTH)}
        made |= {f"level{level}_upconv_f": filters(3, 3, WIDTH, WIDTH), f"level{level}_upconv_b": biases(WIDTH)}
        made |= {f"level{level}_residual_conv_f": filters(3, 3, WIDTH, 1), f"level{level}_residual_conv_b": biases(1)}
        made[f"level{level}_img_up_f"] = filters(4, 4, 1, 1)[..., 0]
    return made


def vl_nnconv(x, f, b):
    """Correlates (h, w, in) with filters (kh, kw, in, out); zeros lie one pixel beyond the border."""
    f = f.reshape(3, 3, x.shape[2], -1)
    maps = [sum(correlate2d(x[..., i], f[..., i, o], "same") for i in range(x.shape[2])) for o in range(f.shape[3])]
    return np.stack(maps, -1) + b.ravel()


def vl_nnconvt(x, f, b, *, crop):
    """The transpose of a correlation with stride 2: zeros are inserted, then it is a convolution; filters (kh, kw, out, in)."""
    f = f.reshape(*f.shape[:2], -1, x.shape[2])
    wide = np.zeros((2 * x.shape[0] - 1, 2 * x.shape[1] - 1, x.shape[2]))
    wide[::2, ::2] = x
    maps = [sum(convolve2d(wide[..., i], f[..., o, i]) for i in range(x.shape[2])) for o in range(f.shape[2])]
    top, bottom, left, right = crop
    return np.stack(maps, -1)[top : -bottom or None, left : -right or None] + b.ravel()


def leaky(x):
    return np.where(x > 0, x, 0.2 * x)


def lapsrn_x4(params, lr):
    """The network of the authors' code."""
    x, image = leaky(vl_nnconv(lr, params["input_conv_f"], params["input_conv_b"])), lr
    for level in (2, 1):
        for i in range(1, DEPTH + 1):
            x = leaky(vl_nnconv(x, params[f"level{level}_conv{i}_f"], params[f"level{level}_conv{i}_b"]))
        x = leaky(vl_nnconvt(x, params[f"level{level}_upconv_f"], params[f"level{level}_upconv_b"], crop=(0, 1, 0, 1)))
        residual = vl_nnconv(x, params[f"level{level}_residual_conv_f"], params[f"level{level}_residual_conv_b"])
        image = vl_nnconvt(image, params[f"level{level}_img_up_f"], np.zeros(1), crop=(1, 1, 1, 1)) + residual
    return image


def test_the_transposed_convolution_is_the_transpose_of_the_convolution(rng):
    """That is how MatConvNet's manual defines it: <y, convt(x)> = <conv(y), x>."""
    f, x, y = rng.normal(size=(3, 3, 2, 4)), rng.normal(size=(5, 6, 4)), rng.normal(size=(11, 13, 2))
    maps = [sum(correlate2d(y[..., i], f[..., i, o], "valid")[::2, ::2] for i in range(2)) for o in range(4)]
    np.testing.assert_allclose((y * vl_nnconvt(x, f, np.zeros(2), crop=(0,) * 4)).sum(), (np.stack(maps, -1) * x).sum())


def test_lapsrn_equals_what_matconvnet_computes(params, rng, tmp_path, capsys):
    (tmp_path / "theirs.mat").write_bytes(dagnn(params))
    sizes = ["--network", "lapsrn-3x3", "--scale", "4", f"--network.depth={DEPTH}", f"--network.width={WIDTH}"]
    out = tmp_path / "ours.safetensors"
    assert convert.main([str(tmp_path / "theirs.mat"), *sizes, "--out", str(out)]) == 0
    assert "layout      phoenix104104/LapSRN\n" in capsys.readouterr().out
    network = trained.load(str(out), which="latest", parameters="ema").network
    lr = rng.random((7, 6, 1), dtype=np.float32)
    sr = jax.jit(network.apply)(network.params, jnp.asarray(lr[None]))
    np.testing.assert_allclose(sr[0], lapsrn_x4(params, lr.astype(np.float64)), atol=1e-5)

    assert convert.main([str(out), "--to", "torch", "--layout", "phoenix104104/LapSRN", "--out", str(tmp_path / "b.npz")]) == 0
    back = torch_files.read(tmp_path / "b.npz").tensors
    assert back.keys() == params.keys()
    for name, value in params.items():
        np.testing.assert_array_equal(back[name], value, err_msg=name)


def test_published_number_of_weights():
    """LapSRN is published with 813K."""
    by_name = shapes(nnx.eval_shape(lambda: make(NETWORKS["lapsrn-3x3"], scale=4, seed=0)))
    assert round(sum(np.prod(shape) for name, shape in by_name.items() if name.endswith("kernel")) / 1000) == 813
    assert NETWORKS["lapsrn-3x3"] == LapSRNConfig(taps=3, use_bias=True)


def test_parameters_that_are_stored_as_integers():
    read = read_matconvnet(Path("a.mat"), dagnn({"b": np.zeros((1, 3), np.uint8)}), most=MOST)
    assert read["b"].dtype == np.float32


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x89HDF\r\n\x1a\n" + bytes(999), "a.mat is a MATLAB file of version 7.3, which is HDF5; save it with -v7"),
        (b"MATLAB 7.3 MAT-file" + bytes(999), "a.mat is a MATLAB file of version 7.3"),
        (b"some text", "a.mat cannot be read: it is not a MATLAB file of version 5"),
        (dagnn({"b": np.ones(3)})[:-40], "a.mat cannot be read: it is cut short or damaged"),
        (mat({"kernel": np.ones((3, 3))}), "holds no network of MatConvNet's DagNN: there is no net.params; it has kernel"),
        (mat({"net": {"layers": np.ones(3)}}), "there is no net.params; it has net"),
        (mat({"net": np.ones(3)}), "there is no net.params; it has net"),
        (mat({"net": {"params": {"name": "a"}}}), "is damaged: an entry of net.params lacks a name or a value"),
        (mat({"net": {"params": {"name": "a", "value": "b"}}}), "is damaged: an entry of net.params lacks a name or a value"),
        (dagnn({"a": np.zeros(2**22 + 1, np.uint8)}), "has parameters of more than 16,777,216 bytes in float32"),
        (dagnn({"a": np.zeros(2**22)}), "cannot be read: it unpacks to more than 16,777,216 bytes"),
    ],
)
def test_files_that_hold_no_network(data, message, tmp_path):
    (tmp_path / "a.mat").write_bytes(data)
    with pytest.raises(InputError, match=message) as error:
        torch_files.read(tmp_path / "a.mat", most=MOST)
    assert "\n" not in str(error.value)
