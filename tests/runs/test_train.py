"""Whole runs, in this process; test_train_processes has those that a signal stops."""

import dataclasses
import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from sr_jax.assembly import trained
from sr_jax.config import DeconvSRConfig, EDSRConfig, EvalConfig, FSRCNNConfig, OptimConfig, SRCNNConfig, to_json
from sr_jax.errors import InputError, TrainingError
from sr_jax.runs.train import train
from sr_jax.training.checkpoint import Checkpoints
from tests.runs.short_runs import BLURRED, assert_same_bytes, final_state, forget_after, logged, make_config, timeless


@pytest.mark.exact
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"parallel": "pmap", "data": {"pipeline": "host"}},
        pytest.param({"steps_per_dispatch": 2}, marks=pytest.mark.slow),
        pytest.param({"compute": "bfloat16"}, marks=pytest.mark.slow),
    ],
    ids=["default", "pmap and host", "two steps a dispatch", "bfloat16"],
)
def test_interrupted_runs_end_with_the_same_bytes(pictures, cache, tmp_path, changes, capsys):
    config = make_config(pictures, **changes)
    straight = train(config, tmp_path / "straight", cache=cache)
    shutil.copytree(tmp_path / "straight", tmp_path / "resumed")
    forget_after(tmp_path / "resumed", 4)
    capsys.readouterr()
    resumed = train(config, tmp_path / "resumed", cache=cache)
    assert f"resuming    {tmp_path / 'resumed'} at step 4\n" in capsys.readouterr().out
    assert_same_bytes(final_state(tmp_path / "straight", config), final_state(tmp_path / "resumed", config))
    assert straight == resumed
    assert timeless(tmp_path / "straight") == timeless(tmp_path / "resumed")


def test_the_work_directory(pictures, cache, tmp_path, capsys):
    config = make_config(pictures)
    rows = train(config, tmp_path / "run", cache=cache)
    out = capsys.readouterr().out

    # What is printed: devices, parameters, images, progress, evaluations, the table, and where everything lies.
    assert "4 x cpu" in out
    assert re.search(r"fsrcnn\(d=8, s=4, m=1\) x2, [\d,]+ parameters", out)
    assert "3 to train on" in out
    assert re.search(
        r"step 4/12  loss 0\.\d+  grad_norm \d+\.\d+  lr 0\.000\d+  [\d,]+ images/s  waiting for data [\d.]+%  \d\d:\d\d left",
        out,
    )
    assert re.search(r"step 6: Y-PSNR [\d.]+ dB \([+-][\d.]+ over bicubic\)", out)
    assert re.search(r"\| pictures\w*\s*\| \*\*mean\*\*", out)
    for name in ("results.md", "samples/", "curve.png", "weights.safetensors", "checkpoints/"):
        assert f"\n  {name} " in out

    # What is written.
    assert (tmp_path / "run/config.json").read_text() == to_json(config)
    results = json.loads((tmp_path / "run/results.json").read_text())
    assert [{**row} for row in results] == [row._asdict() for row in rows]
    assert [(row["image"], row["method"]) for row in results] == [
        (image, method) for method in ("bicubic", "fsrcnn(d=8, s=4, m=1)") for image in ("a.png", "b.png", "gray.png", "mean")
    ]
    assert (tmp_path / "run/results.md").read_text().count("|") > 20
    assert len(list((tmp_path / "run/samples").glob("*.png"))) == 3
    for path in [*(tmp_path / "run/samples").iterdir(), tmp_path / "run/curve.png"]:
        with Image.open(path) as image:
            image.load()
    assert list((tmp_path / "run/tensorboard").iterdir())
    assert [row["step"] for row in logged(tmp_path / "run")] == [2, 4, 6, 6, 8, 10, 12, 12]
    with Checkpoints(tmp_path / "run/checkpoints", keep=10) as checkpoints:
        assert checkpoints.steps() == [4, 6, 8, 12]

    # Again: it says that it is finished, and evaluates to the same.
    assert train(config, tmp_path / "run", cache=cache) == rows
    out = capsys.readouterr().out
    assert "holds all 12 steps already; evaluating" in out
    assert "first step" not in out


def test_training_improves_on_the_start(pictures, cache, tmp_path):
    config = make_config(pictures, steps=60, optim=OptimConfig(lr=3e-3, warmup_steps=5), log_every=20, checkpoint_every=60)
    train(config, tmp_path / "run", cache=cache)
    losses = [row["loss"] for row in logged(tmp_path / "run") if "loss" in row]
    assert losses[-1] < 0.7 * losses[0]


def test_infinite_loss_stops_the_run(pictures, cache, tmp_path):
    config = make_config(pictures, optim=OptimConfig(lr=1e30, warmup_steps=0))
    with pytest.raises(TrainingError, match=r"(?s)loss became \S+ in step 1; there is no good checkpoint.*a\.png at row \d+"):
        train(config, tmp_path / "run", cache=cache)
    assert not [path for path in (tmp_path / "run/checkpoints").iterdir() if path.name.isdigit()]


def test_a_state_that_leads_to_an_infinite_loss_is_not_kept(pictures, cache, tmp_path):
    """The warm-up makes step 0 harmless and step 1 fatal: the state after it is saved before anybody can know."""
    optimizer = OptimConfig(lr=1e30, warmup_steps=1)
    config = make_config(pictures, optim=optimizer, checkpoint_every=1, eval=EvalConfig(sets=(str(pictures),), every=12))
    with pytest.raises(TrainingError, match=r"in step 2; the last good checkpoint is that of step 1\."):
        train(config, tmp_path / "run", cache=cache)
    assert [path.name for path in (tmp_path / "run/checkpoints").iterdir() if path.name.isdigit()] == ["1"]


def test_a_mistake_leaves_the_work_directory_free(pictures, cache, tmp_path):
    with pytest.raises(InputError, match="does not fit"):
        train(make_config(pictures, data={"patch": 100}), tmp_path / "run", cache=cache)
    with pytest.raises(InputError, match="there is no folder"):
        train(make_config(pictures, data={"dir": "nowhere"}), tmp_path / "run", cache=cache)
    train(make_config(pictures, steps=4), tmp_path / "run", cache=cache)


def test_sets_of_one_name_are_refused(pictures, cache, tmp_path):
    shutil.copytree(pictures, tmp_path / "other" / pictures.name)
    sets = (str(pictures), str(tmp_path / "other" / pictures.name))
    with pytest.raises(InputError, match=rf"eval\.sets: .* are both called {pictures.name}; leave one out"):
        train(make_config(pictures, eval=EvalConfig(sets=sets, every=6)), tmp_path / "run", cache=cache)


def test_sheets_have_names_of_their_own(pictures, cache, tmp_path):
    folder = tmp_path / "mine"
    (folder / "a").mkdir(parents=True)
    shutil.copy(pictures / "a.png", folder / "a_b.png")
    shutil.copy(pictures / "b.png", folder / "a" / "b.png")
    Image.open(pictures / "a.png").save(folder / f"{'x' * 90}.png")
    config = make_config(pictures, steps=4, eval=EvalConfig(sets=(str(folder),), every=4))
    train(config, tmp_path / "run", cache=cache)
    assert len(list((tmp_path / "run/samples").glob("*.png"))) == 3


def test_images_smaller_than_a_patch(pictures, cache, tmp_path, capsys):
    folder = tmp_path / "some"
    shutil.copytree(pictures, folder)
    Image.new("RGB", (1, 1)).save(folder / "dot.png")
    sets = EvalConfig(sets=(str(pictures),), every=6)
    refusing = make_config(folder, eval=sets, steps=4)
    with pytest.raises(InputError, match=r"a patch of 16x16 does not fit into the smallest image, dot\.png"):
        train(refusing, tmp_path / "refused", cache=cache)
    skipping = make_config(folder, eval=sets, steps=4, data={"bad_images": "skip"})
    train(skipping, tmp_path / "skipped", cache=cache)
    assert "dot.png (1x1) is smaller than data.patch=16" in capsys.readouterr().err

    # The same folder to evaluate on.
    scoring = make_config(pictures, eval=EvalConfig(sets=(str(folder),), every=6), steps=4)
    with pytest.raises(InputError, match=r"dot\.png: 1x1 is too small to be scored"):
        train(scoring, tmp_path / "scored", cache=cache)
    scoring = make_config(pictures, eval=EvalConfig(sets=(str(folder),), every=6), steps=4, data={"bad_images": "skip"})
    rows = train(scoring, tmp_path / "scored", cache=cache)
    assert "dot.png" not in {row.image for row in rows}


def test_changed_images_are_noticed(pictures, cache, tmp_path):
    folder = tmp_path / "mine"
    shutil.copytree(pictures, folder)
    config = make_config(folder, eval=EvalConfig(sets=(str(pictures),), every=6), steps=4)
    train(config, tmp_path / "run", cache=cache)
    (folder / "a.png").unlink()
    with pytest.raises(InputError, match="training images have changed"):
        train(config, tmp_path / "run", cache=cache)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("network", "degradation", "protocol"),
    [
        (EDSRConfig(blocks=1, width=4), "bicubic", "rgb-uint8"),
        (DeconvSRConfig(kernel="given", kernel_size=5, kernel_width=2, blocks=0, width=4), BLURRED, "rgb-uint8"),
        (SRCNNConfig(n1=2, n2=2), BLURRED, "rgb-uint8"),
    ],
    ids=["reads RGB", "is told", "blurred"],
)
def test_other_networks_and_degradations_end_in_a_table(network, degradation, protocol, pictures, tmp_path, cache):
    optim = OptimConfig(warmup_steps=0)
    config = make_config(pictures, steps=2, model=network, optim=optim, data={"degradation": degradation, "patch": 24})
    rows = train(config, tmp_path / "run", cache=cache)
    assert {row.protocol for row in rows} == {protocol}
    assert all(np.isfinite(row.psnr_y) for row in rows)
    written = (tmp_path / "run" / "results.md").read_text()
    assert ("LR: computed: gaussian-blur, subsample, gaussian-noise" in written) == (degradation == BLURRED)
    assert trained.load(str(tmp_path / "run" / "weights.safetensors"), which="latest", parameters="ema").config == config


@pytest.mark.slow
def test_evaluation_on_bicubic_of_a_network_that_was_trained_on_blur(pictures, tmp_path, cache):
    """Its rows of bicubic are then those of a run that knows nothing of blur."""
    model, optim = FSRCNNConfig(d=4, s=2, m=1), OptimConfig(warmup_steps=0)
    rows = {}
    for name, degradation, evaluation in (
        ("as trained", BLURRED, "training"),
        ("bicubic", BLURRED, "bicubic"),
        ("plain", "bicubic", "training"),
    ):
        config = make_config(pictures, steps=1, model=model, optim=optim, data={"degradation": degradation, "patch": 24})
        config = dataclasses.replace(
            config, eval=dataclasses.replace(config.eval, degradation=evaluation, protocol="rgb-uint8")
        )
        found = train(config, tmp_path / name, cache=cache)
        rows[name] = [(row.image, row.psnr_y, row.lr_source) for row in found if row.method == "bicubic"]
    assert rows["bicubic"] == rows["plain"] != rows["as trained"]
    assert all(source == "computed" for _, _, source in rows["bicubic"])
