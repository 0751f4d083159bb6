"""`python -m sr_jax.evaluate`, as a user starts it; `trained.py` and `scoring.py` are tested here."""

import csv
import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from sr_jax import evaluate
from sr_jax.build import network as build
from sr_jax.runs import train as loop
from sr_jax.runs import evaluate as scoring
from sr_jax.training import state
from sr_jax.build import trained
from sr_jax.weights import files as weights
from sr_jax.training.checkpoint import Checkpoints
from sr_jax.config import Config, DataConfig, DeconvSRConfig, EvalConfig, FSRCNNConfig, OptimConfig
from sr_jax.errors import InputError
from sr_jax.ops.resize import imresize_host
from tests.conftest import ROOT


def save(folder: Path, name: str, pixels: np.ndarray) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.squeeze()).save(folder / name)


@pytest.fixture(scope="session")
def root(tmp_path_factory) -> Path:
    """A folder of sets: Set5 with LR beside it, Set14 with a gray image."""
    rng = np.random.default_rng(3)
    folder = tmp_path_factory.mktemp("sets")
    shapes = {"Set5": [(48, 60, 3)] * 3, "Set14": [(44, 40, 3), (46, 41, 1)]}
    for name, sizes in shapes.items():
        for i, (h, w, c) in enumerate(sizes):
            coarse = rng.integers(0, 256, (h // 6, w // 6, c), dtype=np.uint8)
            picture = np.asarray(Image.fromarray(coarse.squeeze()).resize((w, h), Image.Resampling.BICUBIC))
            save(folder / name / "HR", f"{i}.png", picture)
            if name == "Set5":
                save(folder / name / "LRbicx2", f"{i}.png", imresize_host(picture, scale=0.5, kernel="bicubic", antialias=True))
    return folder


@pytest.fixture(scope="session")
def run(root, tmp_path_factory, cache) -> Path:
    """A work directory, trained for a few steps, evaluated at 3 and 6."""
    directory = tmp_path_factory.mktemp("runs") / "tiny"
    folder = str(root / "Set5/HR")
    config = Config(
        steps=6,
        model=FSRCNNConfig(d=8, s=4, m=1),
        data=DataConfig(name="folder", dir=(folder,), batch=8, patch=16, leaks="allow"),
        optim=OptimConfig(lr=1e-2, warmup_steps=1),
        eval=EvalConfig(sets=(str(root / "Set14/HR"),), every=3),
    )
    loop.train(config, directory, cache=cache)
    return directory


@pytest.fixture
def call(root, cache, capsys):
    """Calls the command; returns status, output, errors."""

    def call(*arguments: str, data: Path = root):
        status = evaluate.main([*arguments, "--data", str(data), "--cache_dir", str(cache)])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


def test_bicubic_of_two_sets(call, tmp_path):
    status, out, _ = call("--model", "bicubic", "--sets", "Set5,Set14", "--scale", "2", "--out", str(tmp_path / "out"))
    assert status == 0
    assert "protocol    papers: LR: MATLAB bicubic of 8-bit Y, not rounded" in out
    assert "2 px shaved" in out
    assert "compiling" in out
    rows = json.loads((tmp_path / "out/results.json").read_text())
    assert [(row["set"], row["image"]) for row in rows] == [
        ("Set5", "0.png"), ("Set5", "1.png"), ("Set5", "2.png"), ("Set14", "0.png"), ("Set14", "1.png"),
        ("Set5", "mean"), ("Set14", "mean"),
    ]  # fmt: skip
    assert {(row["protocol"], row["lr_source"], row["method"], row["shave"]) for row in rows} == {
        ("papers", "computed", "bicubic", 2)
    }
    assert all(row["commit"] for row in rows)
    table = list(csv.DictReader((tmp_path / "out/results.csv").read_text().splitlines()))
    assert float(table[3]["psnr_y"]) == rows[3]["psnr_y"]
    made = json.loads((tmp_path / "out/provenance.json").read_text())
    assert made["protocol"]["name"] == "papers"
    assert "| Set14 | **mean** |" in " ".join((tmp_path / "out/results.md").read_text().split())


def test_a_work_directory_scores_as_its_run_did(call, run, root, tmp_path):
    status, _, _ = call("--model", str(run), "--sets", str(root / "Set14/HR"), "--out", str(tmp_path))
    assert status == 0
    theirs = json.loads((run / "results.json").read_text())
    ours = json.loads((tmp_path / "results.json").read_text())
    keys = ("image", "method", "psnr_y", "ssim_y", "psnr_rgb", "ssim_rgb", "protocol", "shave", "precision")
    assert [[row[k] for k in keys] for row in ours] == [[row[k] for k in keys] for row in theirs]
    assert ours[-1]["weights"] == f"{run}, step 6, ema"
    config = json.loads((tmp_path / "provenance.json").read_text())["networks"][str(run)]["config"]
    assert config["model"]["d"] == 8
    assert len(list((tmp_path / "samples/1-tiny").glob("*.png"))) == 2


def test_weights_file_equals_work_directory(call, run, tmp_path):
    call("--model", str(run), "--sets", "Set5", "--out", str(tmp_path / "a"))
    call("--model", str(run / "weights.safetensors"), "--sets", "Set5", "--out", str(tmp_path / "b"))
    a, b = (json.loads((tmp_path / x / "results.json").read_text()) for x in "ab")
    assert [row["psnr_y"] for row in a] == [row["psnr_y"] for row in b]
    assert weights.read_card(run / "weights.safetensors").step == 6


def test_checkpoints_and_parameters(run):
    with Checkpoints(run / "checkpoints", keep=2, read_only=True) as checkpoints:
        assert checkpoints.steps() == [3, 6]
        best = checkpoints.best()
    chosen = {
        (which, parameters): trained.load(str(run), which=which, parameters=parameters)
        for which in ("latest", "best") for parameters in ("ema", "raw")
    }  # fmt: skip
    assert chosen["best", "ema"].origin == f"{run}, step {best}, ema"
    latest, raw = (jax.tree.leaves(chosen["latest", kind].params) for kind in ("ema", "raw"))
    assert any((a != b).any() for a, b in zip(latest, raw, strict=True))


def test_the_best_checkpoint_need_not_be_the_latest(run, tmp_path):
    shutil.copy(run / "config.json", tmp_path)
    with Checkpoints(run / "checkpoints", keep=2, read_only=True) as theirs:
        config = trained.load(str(run), which="latest", parameters="ema").config
        like = state.create(build.build_network(config).params, build.make_optimizer(config)[0])
        states = {step: theirs.restore(like, step) for step in (3, 6)}
    with Checkpoints(tmp_path / "checkpoints", keep=2) as ours:
        for step, score in ((3, 33.0), (6, 32.0)):
            ours.save(states[step], {"psnr_y": score})
    origins = {which: trained.load(str(tmp_path), which=which, parameters="ema").origin for which in ("best", "latest")}
    assert origins == {"best": f"{tmp_path}, step 3, ema", "latest": f"{tmp_path}, step 6, ema"}


def test_comparison(call, run):
    """Against itself nothing differs; against bicubic there is a table, an interval and a test."""
    status, out, _ = call("--compare", "bicubic", str(run), str(run / "weights.safetensors"), "--sets", "Set5,Set14")
    assert status == 0
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in out.splitlines() if "|" in line]
    (header,) = [line for line in lines if line[0] == "Y-PSNR difference"]
    assert header == ["Y-PSNR difference", "set", "mean [dB]", "95 % interval [dB]", "Wilcoxon p", "images better"]
    first, second = ([line[2:] for line in lines if line[0] == f"{name} - bicubic"] for name in (run, run / weights_name()))
    assert len(first) == 3  # Set5, Set14, all
    assert first == second
    assert " of 5" in first[-1][-1]


def weights_name() -> str:
    return "weights.safetensors"


def test_lr_files(call, tmp_path):
    """The same scores as computed LR, since the files are MATLAB's bicubic, which is said."""
    for lr in ("files", "computed"):
        status, out, _ = call(
            "--model", "bicubic", "--scale", "2", "--sets", "Set5", "--protocol", "rgb-uint8", "--lr_source", lr,
            "--out", str(tmp_path / lr),
        )  # fmt: skip
        assert status == 0
        assert ("Set5: 3 of 3 equal MATLAB's bicubic byte for byte" in out) == (lr == "files")
    a, b = (json.loads((tmp_path / lr / "results.json").read_text()) for lr in ("files", "computed"))
    assert [row["psnr_y"] for row in a] == [row["psnr_y"] for row in b]
    assert a[0]["lr_source"] == "files"


def test_lr_files_of_another_bicubic_are_counted(call, root, tmp_path):
    data = broken_copy(root, tmp_path / "sets")
    file = data / "Set5/LRbicx2/1.png"
    save(file.parent, file.name, np.asarray(Image.open(file)) ^ np.uint8(1))
    status, out, _ = call(*FILES, data=data)
    assert status == 0
    assert "Set5: 2 of 3 equal MATLAB's bicubic byte for byte" in out


def broken_copy(root: Path, place: Path) -> Path:
    shutil.copytree(root, place)
    return place


def test_a_damaged_image_in_the_middle(call, root, tmp_path):
    data = broken_copy(root, tmp_path / "sets")
    file = data / "Set5/HR/1.png"
    file.write_bytes(file.read_bytes()[:200])
    status, out, err = call("--model", "bicubic", "--scale", "2", "--sets", "Set5", "--out", str(tmp_path / "out"), data=data)
    assert status == 1
    assert "1 image(s) could not be scored; the means are without them:\n  Set5: 1.png: damaged image" in err
    assert "0.png" in out
    assert "2.png" in out
    assert "1.png: damaged image" in (tmp_path / "out/results.md").read_text()


def test_an_image_that_is_too_small_is_named_and_the_others_scored(call, root, tmp_path):
    data = broken_copy(root, tmp_path / "sets")
    save(data / "Set5/HR", "dot.png", np.zeros((9, 9, 3), np.uint8))
    status, out, err = call("--model", "bicubic", "--scale", "2", "--sets", "Set5", data=data)
    assert (status, "2.png" in out) == (1, True)
    assert "Set5: dot.png: 9x9 is too small to be scored at x2; it needs 15x15" in err


FILES = ("--model", "bicubic", "--scale", "2", "--sets", "Set5", "--protocol", "rgb-uint8", "--lr_source", "files")


def test_lr_of_another_size_is_named_with_both_sizes(call, root, tmp_path):
    data = broken_copy(root, tmp_path / "sets")
    save(data / "Set5/LRbicx2", "1.png", np.zeros((24, 29, 3), np.uint8))
    status, _, err = call(*FILES, data=data)
    assert status == 1
    assert "1.png" in err
    assert "24x29" in err
    assert "48x60" in err


def test_missing_lr(call, root, tmp_path):
    data = broken_copy(root, tmp_path / "sets")
    (data / "Set5/LRbicx2/2.png").unlink()
    status, out, err = call(*FILES, data=data)
    assert status == 1
    assert f"Set5: 2.png: {data}/Set5/LRbicx2 lacks its LR image at x2" in err
    assert "0.png" in out
    assert "1.png" in out


def test_no_lr_at_all(call, root, tmp_path):
    data = broken_copy(root, tmp_path / "sets")
    shutil.rmtree(data / "Set5/LRbicx2")
    status, _, err = call(*FILES, data=data)
    assert status == 2
    assert "Set5: no LR images at x2 beside its HR images" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--sets", "Set5"), "give either --model, or --compare"),
        (("--model", "bicubic"), "--model bicubic needs --scale, for example --scale 2"),
        (("--model", "bicubic", "--scale", "1"), "--scale 1: must be at least 2"),
        (("--compare", "bicubic", "--scale", "2"), "give either --model, or --compare with several"),
        (("--compare", "bicubic", "bicubic", "--scale", "2"), "--compare bicubic bicubic: names one twice"),
        (("--model", "bicubic", "--scale", "2", "--sets", "Set5,set5"), "Set5 and set5 are both called Set5"),
        (("--model", "bicubic", "--scale", "2", "--sets", ","), "--sets: names no set"),
        (("--model", "bicubic", "--scale", "2", "--sets", "Set6"), "did you mean Set5"),
        (("--model", "runs/nowhere"), "runs/nowhere: no such work directory or weights file"),
        (("--model", "bicubic", "--scale", "2", "--lr_source", "files", "--protocol", "papers"), "use --protocol rgb-uint8"),
        (("--model", "bicubic", "--scale", "2", "--out", "/dev/null/x"), "--out /dev/null/x: cannot be written"),
    ],
)
def test_bad_input(call, arguments, message):
    status, _, err = call(*arguments)
    assert status == 2
    assert message in err


def test_a_network_of_another_scale(call, run):
    status, _, err = call("--model", str(run), "--scale", "3", "--sets", "Set5")
    assert (status, err) == (2, f"error: evaluating x3, but {run} is for x2\n")


def test_what_is_no_model(run, tmp_path):
    options = {"which": "latest", "parameters": "ema"}
    (tmp_path / "file.txt").write_text("")
    with pytest.raises(InputError, match=r"neither a work directory nor a \.safetensors file; .* python -m sr_jax\.convert"):
        trained.load(str(tmp_path / "file.txt"), **options)
    with pytest.raises(InputError, match=r"--checkpoint best and --parameters raw are for work directories"):
        trained.load(str(run / "weights.safetensors"), which="latest", parameters="raw")
    with pytest.raises(InputError, match=r"holds no config\.json"):
        trained.load(str(tmp_path), **options)
    (tmp_path / "run").mkdir()
    shutil.copy(run / "config.json", tmp_path / "run")
    with pytest.raises(InputError, match=r"has no latest checkpoint"):
        trained.load(str(tmp_path / "run"), **options)
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["config.json"]


def test_results_that_cannot_be_written(call, tmp_path):
    (tmp_path / "results.json").mkdir()
    status, out, err = call("--model", "bicubic", "--scale", "2", "--sets", "Set5", "--out", str(tmp_path))
    assert (status, "| Set5  | **mean**" in out) == (2, True)
    assert f"--out {tmp_path}: cannot be written" in err


def test_looking_at_a_run_changes_nothing(run):
    before = sorted(path for path in run.rglob("*"))
    trained.load(str(run), which="best", parameters="raw")
    assert sorted(path for path in run.rglob("*")) == before


def test_the_network_is_that_of_the_run(run):
    network = trained.load(str(run), which="latest", parameters="ema")
    like = build.build_network(network.config)
    stored = weights.read(run / "weights.safetensors", like=like.params, card=weights.read_card(run / "weights.safetensors"))
    lr = jnp.linspace(0, 1, 400, dtype=jnp.float32).reshape(1, 20, 20, 1)
    ours, theirs = (jax.tree.map(jnp.asarray, params) for params in (stored, network.params))
    np.testing.assert_array_equal(like.apply(ours, lr), network.network.apply(theirs, lr))


def test_help_is_quick_to_import():
    """--help must not wait for JAX."""
    code = "import sys, sr_jax.evaluate; assert 'jax' not in sys.modules and 'tensorflow_datasets' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("path", sorted((ROOT / "weights").glob("*.safetensors")), ids=lambda path: path.stem)
def test_kept_weights_score_as_on_the_day_they_were_trained(call, research_images, tmp_path, path):
    """Every decibel of the table in their card."""
    card = json.loads(path.with_suffix(".json").read_text())
    sets = ",".join(card["config"]["eval"]["sets"])
    status, _, _ = call("--model", str(path), "--sets", sets, "--out", str(tmp_path), data=research_images)
    assert status == 0
    rows = json.loads((tmp_path / "results.json").read_text())
    ours, theirs = ({(r["set"], r["image"]): r for r in table if r["method"] != "bicubic"} for table in (rows, card["table"]))
    assert ours.keys() == theirs.keys()
    for image, row in theirs.items():
        for key, tolerance in (("psnr_y", 2e-3), ("ssim_y", 2e-5), ("psnr_rgb", 2e-3), ("ssim_rgb", 2e-5)):
            assert ours[image][key] == pytest.approx(row[key], abs=tolerance), (image, key)


def settings(**changed) -> scoring.Settings:
    plain = {"models": (), "sets": (), "scale": None, "root": Path(), "protocol": "papers", "lr_source": "computed"}
    plain |= {"degradation": "own", "checkpoint": "latest", "parameters": "ema", "out": None, "cache": Path()}
    return scoring.Settings(**(plain | changed))


def as_trained(degradation: Any, model: Any = FSRCNNConfig(d=8, s=4, m=1)) -> trained.Trained:  # noqa: B008
    config = Config(model=model, data=DataConfig(degradation=degradation))
    network = build.build_network(config)
    return trained.Trained(config, network, network.params, "initialised")


def test_networks_are_compared_on_one_degradation():
    blur, bicubic = as_trained("classical"), as_trained("bicubic")
    common = scoring.common_degradation
    assert common(settings(), {"a": blur, "b": blur}) == blur.config
    assert common(settings(), {"a": bicubic}) is None
    assert common(settings(), {}) is None
    with pytest.raises(
        InputError, match=r"different degradations; use --degradation bicubic:\n  a: .*gaussian.*\n  b: bicubic"
    ):
        common(settings(), {"a": blur, "b": bicubic})
    assert common(settings(degradation="bicubic"), {"a": blur, "b": bicubic}) is None
    config = dataclasses.replace(blur.config, eval=EvalConfig(degradation="bicubic"))
    on_bicubic = blur._replace(config=config)
    assert common(settings(), {"a": bicubic._replace(is_converted=True), "b": blur}) == blur.config
    assert common(settings(), {"a": on_bicubic, "b": bicubic}) is None
    assert common(settings(degradation="training"), {"a": on_bicubic}) == config
    assert common(settings(lr_source="files"), {"a": blur, "b": bicubic}) is None


def test_lr_files_do_not_tell_kernels():
    told = as_trained("bicubic", DeconvSRConfig(kernel="given", kernel_size=5, kernel_width=2, blocks=0, width=4))
    with pytest.raises(InputError, match="--lr_source files: a must be told each image's kernel"):
        scoring.common_degradation(settings(lr_source="files"), {"a": told})
