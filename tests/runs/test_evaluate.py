"""`python -m sr_jax.evaluate`, as a user starts it; the loading of networks is in assembly/test_trained."""

import csv
import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sr_jax import config as configs
from sr_jax import evaluate
from sr_jax.assembly.network import abstract_network
from sr_jax.assembly.trained import Trained
from sr_jax.config import Config, DataConfig, DeconvSRConfig, EvalConfig, FSRCNNConfig, GaussianBlur, Subsample
from sr_jax.errors import InputError
from sr_jax.runs import evaluate as scoring
from sr_jax.weights.card import read_card
from tests.conftest import ROOT, save


@pytest.fixture
def call(sets, cache, capsys):
    """Calls the command; returns status, output, errors."""

    def call(*arguments: str, data: Path = sets):
        status = evaluate.main([*arguments, "--data_root", str(data), "--cache_dir", str(cache)])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


def test_bicubic_of_two_sets(call, tmp_path):
    status, out, _ = call("--model", "bicubic", "--sets", "Set5", "Set14", "--scale", "2", "--out", str(tmp_path / "out"))
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


def test_a_work_directory_scores_as_its_run_did(call, run, sets, tmp_path):
    status, _, _ = call("--model", str(run), "--sets", str(sets / "Set14/HR"), "--out", str(tmp_path))
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
    assert read_card(run / "weights.safetensors").step == 6


def test_comparison(call, run):
    """Against itself nothing differs; against bicubic there is a table, an interval and a test."""
    status, out, _ = call("--compare", "bicubic", str(run), str(run / "weights.safetensors"), "--sets", "Set5", "Set14")
    assert status == 0
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in out.splitlines() if "|" in line]
    (header,) = [line for line in lines if line[0] == "Y-PSNR difference"]
    assert header == ["Y-PSNR difference", "set", "mean [dB]", "95 % interval", "Wilcoxon p", "better"]
    first, second = (
        [line[2:] for line in lines if line[0] == f"{name} - bicubic"] for name in ("tiny", "tiny/weights.safetensors")
    )
    assert len(first) == 3  # Set5, Set14, all
    assert first == second
    assert " of 5" in first[-1][-1]


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


def test_lr_files_of_another_bicubic_are_counted(call, sets, tmp_path):
    data = broken_copy(sets, tmp_path / "sets")
    file = data / "Set5/LRbicx2/1.png"
    save(file.parent, file.name, np.asarray(Image.open(file)) ^ np.uint8(1))
    status, out, _ = call(*FILES, data=data)
    assert status == 0
    assert "Set5: 2 of 3 equal MATLAB's bicubic byte for byte" in out


def broken_copy(sets: Path, place: Path) -> Path:
    shutil.copytree(sets, place)
    return place


def test_a_damaged_image_in_the_middle(call, sets, tmp_path):
    data = broken_copy(sets, tmp_path / "sets")
    file = data / "Set5/HR/1.png"
    file.write_bytes(file.read_bytes()[:200])
    status, out, err = call("--model", "bicubic", "--scale", "2", "--sets", "Set5", "--out", str(tmp_path / "out"), data=data)
    assert status == 1
    assert "1 image(s) could not be scored; the means are without them:\n  Set5: 1.png: damaged image" in err
    assert "0.png" in out
    assert "2.png" in out
    assert "1.png: damaged image" in (tmp_path / "out/results.md").read_text()


def test_an_image_that_is_too_small_is_named_and_the_others_scored(call, sets, tmp_path):
    data = broken_copy(sets, tmp_path / "sets")
    save(data / "Set5/HR", "a\ndot.png", np.zeros((9, 9, 3), np.uint8))  # a name does not split a line
    status, out, err = call("--model", "bicubic", "--scale", "2", "--sets", "Set5", data=data)
    assert (status, "2.png" in out) == (1, True)
    assert r"Set5: a\ndot.png: 9x9 is too small to be scored at x2; it needs 16x16" in err


FILES = ("--model", "bicubic", "--scale", "2", "--sets", "Set5", "--protocol", "rgb-uint8", "--lr_source", "files")


def test_lr_of_another_size_is_named_with_both_sizes(call, sets, tmp_path):
    data = broken_copy(sets, tmp_path / "sets")
    save(data / "Set5/LRbicx2", "1.png", np.zeros((24, 29, 3), np.uint8))
    status, _, err = call(*FILES, data=data)
    assert status == 1
    assert "1.png" in err
    assert "24x29" in err
    assert "48x60" in err


def test_missing_lr(call, sets, tmp_path):
    data = broken_copy(sets, tmp_path / "sets")
    (data / "Set5/LRbicx2/2.png").unlink()
    status, out, err = call(*FILES, data=data)
    assert status == 1
    assert f"Set5: 2.png: {data}/Set5/LRbicx2 lacks its LR image at x2" in err
    assert "0.png" in out
    assert "1.png" in out


def test_no_lr_at_all(call, sets, tmp_path):
    data = broken_copy(sets, tmp_path / "sets")
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
        (("--model", "bicubic", "--scale", "1000000000000"), "--scale 1000000000000: must be at most 64"),
        (("--compare", "bicubic", "--scale", "2"), "give either --model, or --compare with several"),
        (("--compare", "bicubic", "bicubic", "--scale", "2"), "--compare bicubic bicubic: names one twice"),
        (("--model", "bicubic", "--scale", "2", "--group"), "--group is for --compare"),
        (("--model", "bicubic", "--scale", "2", "--against", "bicubic"), "--against is for --compare"),
        (
            ("--model", "bicubic", "--scale", "2", "--degradation", "clasical"),
            "--degradation clasical: there is no such degradation",
        ),
        (("--model", "bicubic", "--scale", "2", "--lr_source", "files", "--degradation", "classical"), "leave one of them out"),
        (("--model", "bicubic", "--scale", "2", "--sets", "Set5", "set5"), "Set5 and set5 are both called Set5"),
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


def test_results_that_cannot_be_written(call, tmp_path):
    (tmp_path / "results.json").mkdir()
    status, out, err = call("--model", "bicubic", "--scale", "2", "--sets", "Set5", "--out", str(tmp_path))
    assert (status, "| Set5  | **mean**" in out) == (2, True)
    assert f"--out {tmp_path}: cannot be written" in err


@pytest.mark.parametrize("path", sorted((ROOT / "weights").glob("*.safetensors")), ids=lambda path: path.stem)
def test_kept_weights_score_as_on_the_day_they_were_trained(call, research_images, tmp_path, path):
    """Every decibel of the table in their card."""
    card = json.loads(path.with_suffix(".json").read_text())
    names = card["config"]["eval"]["sets"]
    status, _, _ = call("--model", str(path), "--sets", *names, "--out", str(tmp_path), data=research_images)
    assert status == 0
    rows = json.loads((tmp_path / "results.json").read_text())
    ours, theirs = ({(r["set"], r["image"]): r for r in table if r["method"] != "bicubic"} for table in (rows, card["table"]))
    assert ours.keys() == theirs.keys()
    for image, row in theirs.items():
        for key, tolerance in (("psnr_y", 2e-3), ("ssim_y", 2e-5), ("psnr_rgb", 2e-3), ("ssim_rgb", 2e-5)):
            assert ours[image][key] == pytest.approx(row[key], abs=tolerance), (image, key)


def test_one_column_for_each_method_and_differences_from_any(call, run, tmp_path):
    """Three copies of one run: their columns are equal, and they differ from bicubic by the same."""
    copies = [shutil.copytree(run, tmp_path / "runs" / name) for name in ("a", "b", "c")]
    arguments = ("--compare", "bicubic", *map(str, copies), "--sets", "Set5")
    status, out, _ = call(*arguments, "--against", "b")
    assert status == 0
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in out.splitlines() if line.startswith("|")]
    assert [line[2:] for line in lines if line[1] in ("image", "mean")] == [["b", "bicubic", "a", "c"]] * 2
    (columns,) = [line[2:] for line in lines if line[1] == "Y-PSNR [dB]"]
    assert columns[0] == columns[2] == columns[3] != columns[1]
    assert [(line[0], line[2]) for line in lines[-2:]] == [("a - b", "+0.000"), ("c - b", "+0.000")]
    status, out, _ = call(*arguments, "--group", "--against", "bicubic")
    assert (status, " bicubic | " in out, "(n=3) - bicubic" in out, "± 0.00" in out) == (0, True, True, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--against", "nobody"), "--against nobody: there is no method 'nobody'; there are bicubic, fsrcnn(d=8, s=4, m=1)"),
        (("--group",), "--group: no two configs differ only in seed"),
    ],
)
def test_what_cannot_be_compared(call, run, arguments, message):
    status, _, err = call("--compare", "bicubic", str(run), *arguments)
    assert (status, message in err) == (2, True)


def test_scores_on_the_degradation_of_a_run(call, run, tmp_path):
    """The run itself was trained and is scored on bicubic LR, unless another one is chosen."""
    blur = (GaussianBlur(size=9, sigma=(1.0, 1.0)), Subsample())
    (tmp_path / "config.json").write_text(configs.to_json(Config(data=DataConfig(degradation=blur))))
    status, printed, _ = call("--model", str(run), "--sets", "Set5", "--degradation", str(tmp_path), "--out", str(tmp_path))
    assert status == 0
    assert "degradation GaussianBlur(size=9, sigma=(1.0, 1.0)), Subsample()\n" in printed
    rows = json.loads((tmp_path / "results.json").read_text())
    assert {row["lr_source"] for row in rows} == {"computed: gaussian-blur, subsample"}
    provenance = json.loads((tmp_path / "provenance.json").read_text())
    stages = "GaussianBlur(size=9, sigma=(1.0, 1.0)), Subsample()"
    assert provenance["degradation"] == {"chosen": str(tmp_path), "stages": stages}


def settings(**changed) -> scoring.Settings:
    plain = {"models": (), "sets": (), "scale": None, "data_root": Path(), "protocol": "papers", "lr_source": "computed"}
    plain |= {"degradation": "own", "checkpoint": "latest", "parameters": "ema", "out": None, "cache": Path()}
    return scoring.Settings(**(plain | changed))


def as_trained(degradation: Any, model: Any = FSRCNNConfig(d=8, s=4, m=1)) -> Trained:  # noqa: B008
    config = Config(model=model, data=DataConfig(degradation=degradation))
    return Trained(config, abstract_network(config), "initialised")


def test_networks_are_compared_on_one_degradation():
    blur, bicubic = as_trained("classical"), as_trained("bicubic")
    classical = blur.config.stages

    def common(networks, **changed):
        return scoring.common_degradation(settings(**changed), networks, 2)

    assert common({"a": blur, "b": blur}).stages == classical
    assert common({"a": bicubic}).is_bicubic
    assert common({}).is_bicubic
    with pytest.raises(
        InputError, match=r"such as --degradation a:\n  a: ClassicalBlur\(\), .*GaussianNoise\(\)\n  b: Bicubic\(\)"
    ):
        common({"a": blur, "b": bicubic})
    assert common({"a": blur, "b": bicubic}, degradation="bicubic").is_bicubic
    config = dataclasses.replace(blur.config, eval=EvalConfig(degradation="bicubic"))
    on_bicubic = blur._replace(config=config)
    assert common({"a": bicubic._replace(is_converted=True), "b": blur}).stages == classical
    assert common({"a": on_bicubic, "b": bicubic}).is_bicubic
    assert common({"a": on_bicubic}, degradation="training").stages == classical
    assert common({"a": blur, "b": bicubic}, lr_source="files").lr_files


def test_lr_files_do_not_tell_kernels():
    told = as_trained("bicubic", DeconvSRConfig(kernel="given", kernel_size=5, kernel_width=2, blocks=0, width=4))
    with pytest.raises(InputError, match="--lr_source files: a must be told the blur kernel and the noise of each image"):
        scoring.common_degradation(settings(lr_source="files"), {"a": told}, 2)


def test_a_network_that_must_be_told_the_blur_is_refused_by_name():
    told = as_trained("bicubic", DeconvSRConfig(kernel="given", kernel_size=5, kernel_width=2, blocks=0, width=4))
    assert scoring.common_degradation(settings(degradation="classical"), {"a": told}, 2).tells_blur
    with pytest.raises(
        InputError, match=r"^a must be told the blur kernel and the noise of each image, which LR made by second-order"
    ):
        scoring.common_degradation(settings(degradation="real-esrgan"), {"a": told}, 2)
