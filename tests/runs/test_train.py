"""Whole runs, as a user starts them."""

import dataclasses
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image

from sr_jax import train
from sr_jax.build import trained
from sr_jax.build.network import make_network
from sr_jax.build.optimizer import make_optimizer
from sr_jax.config import (
    Config,
    DataConfig,
    DeconvSRConfig,
    EDSRConfig,
    EvalConfig,
    FSRCNNConfig,
    GaussianBlur,
    GaussianNoise,
    OptimConfig,
    SRCNNConfig,
    Subsample,
    to_json,
)
from sr_jax.errors import InputError, TrainingError
from sr_jax.runs import train as loop
from sr_jax.training import state
from sr_jax.training.checkpoint import Checkpoints

ROOT = Path(__file__).parent.parent.parent
STEPS = 12
BLURRED = (GaussianBlur(size=9, sigma=(0.6, 1.2)), Subsample(), GaussianNoise(sigma=(0.0, 5.0)))


@pytest.fixture(scope="session")
def pictures(tmp_path_factory) -> Path:
    """A folder of smooth random pictures, one of them gray."""
    rng = np.random.default_rng(2)
    folder = tmp_path_factory.mktemp("pictures")
    for name, shape in {"a": (6, 7, 3), "b": (7, 6, 3), "gray": (6, 6, 1)}.items():
        coarse = rng.integers(0, 256, shape, dtype=np.uint8)
        Image.fromarray(coarse.squeeze()).resize((48, 40), Image.Resampling.BICUBIC).save(folder / f"{name}.png")
    return folder


def make_config(pictures: Path, **changes) -> Config:
    data = {
        "name": "folder",
        "dir": str(pictures),
        "leaks": "allow",
        "batch": 8,
        "patch": 16,
        "threads": 1,
        **changes.pop("data", {}),
    }
    defaults = {
        "steps": STEPS,
        "model": FSRCNNConfig(d=8, s=4, m=1),
        "data": DataConfig(**data),
        "optim": OptimConfig(lr=1e-3, warmup_steps=2),
        "eval": EvalConfig(sets=(str(pictures),), every=6),
        "log_every": 2,
        "checkpoint_every": 4,
        "keep": 10,
    }
    return Config(**(defaults | changes))


def final_state(directory: Path, config: Config) -> state.State:
    params, optimizer = make_network(config).params, make_optimizer(config)
    with Checkpoints(directory / "checkpoints", keep=10) as checkpoints:
        assert checkpoints.latest() == config.steps
        return checkpoints.restore(state.create(params, optimizer))


def logged(directory: Path) -> list[dict]:
    return [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]


def assert_same_bytes(a: state.State, b: state.State) -> None:
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        assert np.asarray(x).tobytes() == np.asarray(y).tobytes()


def forget_after(directory: Path, step: int) -> None:
    """Puts a work directory back to where it was at `step`, as a crash would leave it."""
    for path in (directory / "checkpoints").iterdir():
        if path.name.isdigit() and int(path.name) > step:
            shutil.rmtree(path)
    for name in ("results.json", "results.md", "curve.png"):
        (directory / name).unlink()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"parallel": "pmap", "data": {"pipeline": "host"}},
        {"steps_per_dispatch": 2},
        {"compute": "bfloat16"},
    ],
    ids=["default", "pmap and host", "two steps a dispatch", "bfloat16"],
)
def test_interrupted_runs_end_with_the_same_bytes(pictures, cache, tmp_path, changes, capsys):
    config = make_config(pictures, **changes)
    straight = loop.train(config, tmp_path / "straight", cache=cache)
    shutil.copytree(tmp_path / "straight", tmp_path / "resumed")
    forget_after(tmp_path / "resumed", 4)
    capsys.readouterr()
    resumed = loop.train(config, tmp_path / "resumed", cache=cache)
    assert f"resuming    {tmp_path / 'resumed'} at step 4\n" in capsys.readouterr().out
    assert_same_bytes(final_state(tmp_path / "straight", config), final_state(tmp_path / "resumed", config))
    assert straight == resumed

    def timeless(directory):
        return [{k: v for k, v in row.items() if k not in ("images_per_s", "wait_share")} for row in logged(directory)]

    assert timeless(tmp_path / "straight") == timeless(tmp_path / "resumed")


def test_the_work_directory(pictures, cache, tmp_path, capsys):
    config = make_config(pictures)
    rows = loop.train(config, tmp_path / "run", cache=cache)
    out = capsys.readouterr().out

    # What is printed: devices, parameters, images, progress, evaluations, the table, and where everything lies.
    assert "4 x cpu" in out
    assert re.search(r"fsrcnn\(d=8, s=4, m=1\) x2, [\d,]+ parameters", out)
    assert "3 to train on" in out
    assert re.search(
        r"step 4/12  loss 0\.\d+  grad_norm \d+\.\d+  lr 0\.00\d+  [\d,]+ images/s  waiting for data [\d.]+%  \d\d:\d\d left",
        out,
    )
    assert re.search(r"step 6: Y-PSNR [\d.]+ dB \([+-][\d.]+ over bicubic\)", out)
    assert re.search(r"\| pictures\w*\s*\| \*\*mean\*\*", out)

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
    assert loop.train(config, tmp_path / "run", cache=cache) == rows
    out = capsys.readouterr().out
    assert "holds all 12 steps already; evaluating" in out
    assert "first step" not in out


def test_training_improves_on_the_start(pictures, cache, tmp_path):
    config = make_config(pictures, steps=60, optim=OptimConfig(lr=3e-3, warmup_steps=5), log_every=20, checkpoint_every=60)
    loop.train(config, tmp_path / "run", cache=cache)
    losses = [row["loss"] for row in logged(tmp_path / "run") if "loss" in row]
    assert losses[-1] < 0.7 * losses[0]


def test_infinite_loss_stops_the_run(pictures, cache, tmp_path):
    config = make_config(pictures, optim=OptimConfig(lr=1e30, warmup_steps=0))
    with pytest.raises(TrainingError, match=r"(?s)loss became \S+ in step 1; there is no good checkpoint.*a\.png at row \d+"):
        loop.train(config, tmp_path / "run", cache=cache)
    assert not [path for path in (tmp_path / "run/checkpoints").iterdir() if path.name.isdigit()]


def test_a_state_that_leads_to_an_infinite_loss_is_not_kept(pictures, cache, tmp_path):
    """The warm-up makes step 0 harmless and step 1 fatal: the state after it is saved before anybody can know."""
    optimizer = OptimConfig(lr=1e30, warmup_steps=1)
    config = make_config(pictures, optim=optimizer, checkpoint_every=1, eval=EvalConfig(sets=(str(pictures),), every=12))
    with pytest.raises(TrainingError, match=r"in step 2; the last good checkpoint is that of step 1\."):
        loop.train(config, tmp_path / "run", cache=cache)
    assert [path.name for path in (tmp_path / "run/checkpoints").iterdir() if path.name.isdigit()] == ["1"]


def test_a_mistake_leaves_the_work_directory_free(pictures, cache, tmp_path):
    with pytest.raises(InputError, match="does not fit"):
        loop.train(make_config(pictures, data={"patch": 100}), tmp_path / "run", cache=cache)
    with pytest.raises(InputError, match="there is no folder"):
        loop.train(make_config(pictures, data={"dir": "nowhere"}), tmp_path / "run", cache=cache)
    loop.train(make_config(pictures, steps=4), tmp_path / "run", cache=cache)


def test_sets_of_one_name_are_refused(pictures, cache, tmp_path):
    shutil.copytree(pictures, tmp_path / "other" / pictures.name)
    sets = (str(pictures), str(tmp_path / "other" / pictures.name))
    with pytest.raises(InputError, match=rf"eval\.sets: .* are both called {pictures.name}; leave one out"):
        loop.train(make_config(pictures, eval=EvalConfig(sets=sets, every=6)), tmp_path / "run", cache=cache)


def test_sheets_have_names_of_their_own(pictures, cache, tmp_path):
    folder = tmp_path / "mine"
    (folder / "a").mkdir(parents=True)
    shutil.copy(pictures / "a.png", folder / "a_b.png")
    shutil.copy(pictures / "b.png", folder / "a" / "b.png")
    Image.open(pictures / "a.png").save(folder / f"{'x' * 90}.png")
    config = make_config(pictures, steps=4, eval=EvalConfig(sets=(str(folder),), every=4))
    loop.train(config, tmp_path / "run", cache=cache)
    assert len(list((tmp_path / "run/samples").glob("*.png"))) == 3


def test_images_smaller_than_a_patch(pictures, cache, tmp_path, capsys):
    folder = tmp_path / "some"
    shutil.copytree(pictures, folder)
    Image.new("RGB", (1, 1)).save(folder / "dot.png")
    sets = EvalConfig(sets=(str(pictures),), every=6)
    refusing = make_config(folder, eval=sets, steps=4)
    with pytest.raises(InputError, match=r"a patch of 16x16 does not fit into the smallest image, dot\.png"):
        loop.train(refusing, tmp_path / "refused", cache=cache)
    skipping = make_config(folder, eval=sets, steps=4, data={"bad_images": "skip"})
    loop.train(skipping, tmp_path / "skipped", cache=cache)
    assert "dot.png (1x1) is smaller than data.patch=16" in capsys.readouterr().err

    # The same folder to evaluate on.
    scoring = make_config(pictures, eval=EvalConfig(sets=(str(folder),), every=6), steps=4)
    with pytest.raises(InputError, match=r"dot\.png: 1x1 is too small to be scored"):
        loop.train(scoring, tmp_path / "scored", cache=cache)
    scoring = make_config(pictures, eval=EvalConfig(sets=(str(folder),), every=6), steps=4, data={"bad_images": "skip"})
    rows = loop.train(scoring, tmp_path / "scored", cache=cache)
    assert "dot.png" not in {row.image for row in rows}


def test_changed_images_are_noticed(pictures, cache, tmp_path):
    folder = tmp_path / "mine"
    shutil.copytree(pictures, folder)
    config = make_config(folder, eval=EvalConfig(sets=(str(pictures),), every=6), steps=4)
    loop.train(config, tmp_path / "run", cache=cache)
    (folder / "a.png").unlink()
    with pytest.raises(InputError, match="training images have changed"):
        loop.train(config, tmp_path / "run", cache=cache)


# As processes.


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "sr_jax.train", *arguments]


ENVIRONMENT = os.environ | {"JAX_NUM_CPU_DEVICES": "1", "PYTHONUNBUFFERED": "1"}


def test_sigterm_saves_and_the_same_command_goes_on(pictures, cache, tmp_path):
    config = make_config(
        pictures, steps=3000, checkpoint_every=3000, eval=EvalConfig(sets=(str(pictures),), every=3000), log_every=50
    )
    (tmp_path / "config.json").write_text(to_json(config))

    def start(name):
        argv = command("--config", str(tmp_path / "config.json"), "--workdir", str(tmp_path / name), "--cache_dir", str(cache))
        return subprocess.Popen(argv, stdout=-1, stderr=-1, text=True, cwd=ROOT, env=ENVIRONMENT)

    with start("stopped") as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("step 100/"):
                process.send_signal(signal.SIGTERM)
                break
        _, err = process.communicate(timeout=120)
    assert process.returncode == 128 + signal.SIGTERM, err
    stopped = re.search(r"stopped by SIGTERM at step (\d+); all is saved", err)
    assert stopped, err
    assert 100 <= int(stopped[1]) < 3000

    outputs = {}
    for name in ("stopped", "straight"):
        with start(name) as process:
            outputs[name], err = process.communicate(timeout=300)
        assert process.returncode == 0, err
    assert f"resuming    {tmp_path / 'stopped'} at step {int(stopped[1]):,}" in outputs["stopped"]
    assert_same_bytes(final_state(tmp_path / "stopped", config), final_state(tmp_path / "straight", config))


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, cwd=ROOT, env=ENVIRONMENT, timeout=120, check=False
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config", "configs/x9.py"], r"error: --config configs/x9\.py: no such file; did you mean configs/x\d\.py\?"),
        (["--config.scale=5", "--config.data.patch=50"], r"error: scale=5: FSRCNN knows the scales 2, 3, 4"),
        (["--config.data.name=folder", "--config.data.dir=nowhere"], r"error: data\.dir: there is no folder nowhere"),
        (
            ["--config.data.patch=400"],
            r"error: data\.patch, data\.bad_images: a patch of 400x400 does not fit into the smallest image, coins\.png",
        ),
        (["--workdir", "README.md/run"], r"error: --workdir README\.md/run cannot be written"),
    ],
)
def test_bad_input_is_one_line_and_status_2(arguments, message, tmp_path, cache):
    if "--workdir" not in arguments:
        arguments = [*arguments, "--workdir", str(tmp_path)]
    result = run(*arguments, "--cache_dir", str(cache))
    assert result.returncode == 2
    assert re.fullmatch(message + r".*\n", result.stderr), result.stderr


def test_help_does_not_import_jax():
    """So it answers at once."""
    code = (
        "import sys; from sr_jax import train\n"
        "try: train.main(['--help'])\nexcept SystemExit: sys.exit('jax' in sys.modules)\nsys.exit(2)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, cwd=ROOT)


def test_main_returns_the_status(tmp_path, capsys):
    assert train.main(["--config", str(tmp_path / "none.py")]) == 2
    assert "no such file" in capsys.readouterr().err


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
    rows = loop.train(config, tmp_path / "run", cache=cache)
    assert {row.protocol for row in rows} == {protocol}
    assert all(np.isfinite(row.psnr_y) for row in rows)
    written = (tmp_path / "run" / "results.md").read_text()
    assert ("LR: computed: gaussian-blur, subsample, gaussian-noise" in written) == (degradation == BLURRED)
    assert trained.load(str(tmp_path / "run" / "weights.safetensors"), which="latest", parameters="ema").config == config


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
        found = loop.train(config, tmp_path / name, cache=cache)
        rows[name] = [(row.image, row.psnr_y, row.lr_source) for row in found if row.method == "bicubic"]
    assert rows["bicubic"] == rows["plain"] != rows["as trained"]
    assert all(source == "computed" for _, _, source in rows["bicubic"])
