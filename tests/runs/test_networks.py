import jax
import jax.numpy as jnp
import pytest

from sr_jax import networks as command
from sr_jax.config import NETWORKS
from sr_jax.models import About
from sr_jax.runs import networks as inventory


def count(function, *shapes):
    return inventory.multiply_adds(jax.make_jaxpr(function)(*(jax.ShapeDtypeStruct(s, jnp.float32) for s in shapes)).jaxpr)


def conv(x, k, **options):
    return jax.lax.conv_general_dilated(x, k, padding="SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"), **options)


def test_multiply_adds_by_hand():
    assert count(lambda x, k: conv(x, k, window_strides=(1, 1)), (1, 10, 12, 3), (5, 5, 3, 7)) == 10 * 12 * 25 * 3 * 7
    grouped = lambda x, k: conv(x, k, window_strides=(2, 2), feature_group_count=3)
    assert count(grouped, (2, 10, 12, 6), (3, 3, 2, 9)) == 2 * 5 * 6 * 9 * 2 * 9
    assert count(lambda a, b: jax.nn.relu(a @ b), (4, 5), (5, 6)) == 4 * 5 * 6
    assert count(jax.jit(lambda a: jax.lax.fori_loop(0, 3, lambda _, x: x @ a, a)), (4, 4)) == 3 * 64
    assert count(lambda x: jnp.fft.fft(x), (2, 8)) == 2 * 2.5 * 8 * 3
    assert count(lambda x: jnp.fft.rfft2(x), (3, 4, 8)) == 3 * 1.25 * 32 * 5


def test_published_cost_of_fsrcnn():
    """25 d + 2 d s + 9 m s^2 + 81 d multiply-adds an LR pixel (Section 3.2 of the paper), where the kernel fits the stride.

    The deconvolution, whose middle is not that of the cell, is computed on one pixel more along both axes.
    """
    cost = inventory.costs(NETWORKS["fsrcnn"], 3)
    assert cost.multiply_adds == 427 * 240 * (25 * 56 + 2 * 56 * 12 + 9 * 4 * 12**2) + 428 * 241 * 81 * 56
    assert cost.parameters == 12_809
    assert cost.field == 17  # 5x5, four times 3x3, and up to two pixels on one side of the deconvolution's
    assert inventory.costs(NETWORKS["fsrcnn"], 2).field == 17


@pytest.mark.parametrize(("radius", "field"), [(0, 1), (3, 7), (40, 81), (100, None)])
def test_receptive_field(radius, field):
    about = About(name="net", channels=1, scales=(2,))
    kernel = jnp.full((2 * radius + 1, 1, 1, 1), 0.1)

    def apply(_, lr):
        return jnp.repeat(jnp.repeat(conv(lr, kernel, window_strides=(1, 1)), 2, 1), 2, 2)

    assert inventory.receptive_field(apply, None, about, scale=2) == field


def test_the_list(capsys):
    assert command.main(["--network", "fsrcnn-s", "--scale", "2", "8"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert [cell.strip() for cell in lines[2].split("|")[1:4]] == ["fsrcnn-s", "2016", "x2"]


def test_the_zoo_is_listed_first(capsys, monkeypatch):
    monkeypatch.setattr(inventory, "costs", lambda one, scale: inventory.Cost(one.name, 2017, scale, "", 0, 0, 1))
    assert command.main([]) == 0
    trained, architectures = capsys.readouterr().out.split("Architectures:")
    [line] = [line for line in trained.splitlines() if line.startswith("| fsrcnn-x2 ")]
    assert [cell.strip() for cell in line.split("|")[1:7]] == ["fsrcnn-x2", "clean", "x2", "Y", "12,809", "53 kB"]
    assert "33.66 → 37.09 dB, 0.9299 → 0.9566" in line  # docs/results.md
    assert "| lapsrn " in architectures


def test_a_trained_network_stands_for_its_architecture(capsys):
    assert command.main(["--network", "fsrcnn-x2", "weights/fsrcnn_x2.safetensors", "--scale", "2"]) == 0
    rows = capsys.readouterr().out.splitlines()[2:]
    assert [row.split("|")[1].strip() for row in rows] == ["fsrcnn", "fsrcnn"]


def test_a_package_without_its_weights(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("sr_jax.weights.zoo.FOLDER", tmp_path)
    inventory.show_zoo()
    assert f"the zoo is missing, because {tmp_path} holds no weights" in capsys.readouterr().err


def test_what_was_asked_for_and_is_not_there_is_named(capsys):
    assert command.main(["--network", "fsrcnn-s", "lapsrn", "--scale", "3", "5"]) == 0
    out, err = capsys.readouterr()
    assert [line.split("|")[1].strip() for line in out.splitlines()[2:]] == ["fsrcnn-s"]
    assert err.splitlines() == [
        "left out: fsrcnn-s x5; it has x2, x3, x4",
        "left out: lapsrn x3, x5; it has x2, x4, x8",
    ]


def test_scales_that_were_not_asked_for_are_no_loss(capsys, monkeypatch):
    monkeypatch.setattr(inventory, "costs", lambda one, scale: inventory.Cost(one.name, 2017, scale, "", 0, 0, 1))
    assert command.main(["--network", "lapsrn"]) == command.main(["--scale", "8"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert [line.split("|")[1].strip() for line in out.splitlines() if "2017" in line] == ["lapsrn"] * 4 + ["dbpn"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--network", "fsrcn"], "--network fsrcn: there is no network 'fsrcn'; did you mean 'fsrcnn'?"),
        (["--network", "fsrcnn", "--scale", "8"], "--scale 8: none of fsrcnn has that scale; there are x2, x3, x4"),
        (["--network", "vdsr", "lapsrn", "--scale", "5"], "none of vdsr, lapsrn has that scale; there are x2, x3, x4, x8"),
        (["--network", "FSRCNN"], "--network FSRCNN: there is no network 'FSRCNN'; did you mean 'fsrcnn'?"),
    ],
)
def test_bad_input(arguments, message, capsys):
    assert command.main(arguments) == 2
    assert message in capsys.readouterr().err
