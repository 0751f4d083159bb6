"""One training run, from config to results: plan, fetch, degrade, step, report, checkpoint, evaluate."""

import time
from pathlib import Path
from typing import Any

import jax
import numpy as np

from sr_jax.build import network as build
from sr_jax.evaluation import sheets as figures
from sr_jax.build import training_images as inputs
from sr_jax.system import provenance
from sr_jax.weights import files as weights
from sr_jax.build import workdir
from sr_jax import config as configs
from sr_jax.training import state as states
from sr_jax.training.checkpoint import METRIC, Checkpoints
from sr_jax.config import Config
from sr_jax.data import pipelines
from sr_jax.data.plan import Sampler
from sr_jax.errors import Interrupted
from sr_jax.evaluation import report
from sr_jax.evaluation.evaluator import Evaluator, Sample
from sr_jax.evaluation.protocol import PROTOCOLS
from sr_jax.evaluation.rows import Row, overall
from sr_jax.evaluation.tiles import Upscaler
from sr_jax.training.signals import StopSignals
from sr_jax.training.devices import Spread
from sr_jax.training.state import State
from sr_jax.training.step import make_dispatch
from sr_jax.training.monitor import Losses, Meter
from sr_jax.training.log import Progress, Writer

CONTENTS = {
    "results.md": "the table above; results.json and results.csv have it with RGB",
    "samples/": "LR, bicubic, SR and HR side by side",
    "curve.png": "loss and PSNR over the steps",
    "metrics.jsonl": "all figures of the run; tensorboard/ has them too",
    "weights.safetensors": "the network; weights.json is its card",
    "checkpoints/": "the latest states and the best one (Orbax)",
    "config.json": "every key of the config",
}


def train(config: Config, directory: Path, *, cache: Path, began: float | None = None) -> list[Row]:
    """Trains, or goes on training, and evaluates.

    Args:
      directory: the work directory.
      cache: folder for compiled programs and prepared images.
      began: `time.monotonic()` when the user's command began; by default now.

    Returns:
      the rows of the final evaluation, bicubic's first.

    Raises:
      InputError: if something that the config names cannot be used.
      TrainingError: if the loss is no longer finite.
      Interrupted: after SIGTERM or SIGINT, when the state is saved.
    """
    began = time.monotonic() if began is None else began
    build.use_compilation_cache(cache)
    with workdir.claimed(directory, config):
        # What is trained, and on what.
        network = build.build_network(config)
        images = inputs.load_training_images(config, cache)
        evaluator = inputs.make_evaluator(config, network.about, cache)
        upscaler = Upscaler(network.apply, scale=config.scale)
        baseline, method = overall(evaluator.bicubic_rows), configs.title(config.model)

        # The step, spread over the devices, and the pipeline that feeds it.
        optimizer, learning_rate = build.make_optimizer(config)
        train_step = build.make_train_step(config, network, optimizer)
        sampler = inputs.make_sampler(config, images)
        fetch_on_host, fetch_on_device, resident = inputs.make_pipeline(config, images.packs)
        spread = Spread(
            make_dispatch(train_step, fetch_on_device, unroll=build.unrolls(config)),
            kind=config.parallel,
            batch=config.data.batch,
            devices=jax.devices(),
        )
        resident = spread.replicate(resident)
        workdir.register(directory, config, images=len(images.names), digest=images.digest)
        say_what_runs(config, network.params, images.sizes, evaluator)

        with Checkpoints(directory / "checkpoints", keep=config.keep) as checkpoints:
            state = spread.replicate(states.create(network.params, optimizer))
            start = checkpoints.latest() or 0
            if start:
                state = checkpoints.restore(state)
            say_where_it_begins(directory, start, config.steps)

            def explain(step: int) -> str:
                checkpoints.drop_from(step)  # a state from which a bad step was computed is no good
                return describe_batch(step, sampler, images.names, safe=checkpoints.latest())

            def evaluate(state: State) -> tuple[list[Row], list[Sample]]:
                return evaluator(
                    upscaler,
                    state.ema,
                    method=method,
                    weights=f"step {int(state.step)}, ema",
                    channels=network.about.channels,
                    is_told=network.about.is_told,
                )

            items = pipelines.dispatches(
                sampler,
                lambda plan: spread.put(fetch_on_host(plan)),
                start=start,
                stop=config.steps,
                steps_per_dispatch=config.steps_per_dispatch,
                rows=build.rows_of_this_process(config.data.batch),
                threads=config.data.threads,
                prefetch=config.data.prefetch,
            )
            losses, meter, rows, samples = Losses(explain), Meter(config.data.batch), [], []
            with (
                StopSignals() as stop,
                Writer(directory, step=start) as writer,
                Progress(total=config.steps, done=start) as progress,
            ):
                for first in range(start, config.steps, config.steps_per_dispatch):
                    with meter.waiting(busy=losses.pending):
                        item = next(items)
                    state, metrics = spread(state, resident, item)
                    losses.add(first, metrics["loss"])
                    if first == start:
                        losses.settle()
                        progress.say(f"first step {time.monotonic() - began:.1f} s after the start")
                        meter.start()
                    else:
                        meter.count(config.steps_per_dispatch)
                    step = first + config.steps_per_dispatch
                    progress.advance(step)
                    is_last = step == config.steps
                    must_stop = None if is_last else stop.received

                    if step % config.log_every == 0 or is_last:
                        losses.settle()
                        report = {"loss": losses.take(), "grad_norm": float(metrics["grad_norm"][-1])}
                        report |= {"lr": float(np.asarray(learning_rate(step))), **meter.read()}
                        writer.scalars(step, report)
                        progress.report(report)

                    if must_stop or is_last or step % config.eval.every == 0 or step % config.checkpoint_every == 0:
                        losses.settle()
                        with meter.paused():
                            scores = None
                            if is_last or (step % config.eval.every == 0 and not must_stop):
                                rows, samples = evaluate(state)
                                scores = {METRIC: overall(rows), "gain": overall(rows) - baseline}
                                writer.scalars(step, scores)
                                progress.say(
                                    f"step {step}: Y-PSNR {scores[METRIC]:.2f} dB ({scores['gain']:+.2f} over bicubic)"
                                )
                            checkpoints.save(state, scores)
                            if scores:
                                draw_samples(samples, directory, writer, step=step, method=method)

                    if must_stop:
                        checkpoints.wait()
                        message = f"stopped by {must_stop.name} at step {step}; all is saved, the same command goes on"
                        raise Interrupted(message, must_stop)
                if not rows:  # nothing was left to train
                    rows, samples = evaluate(state)
                    draw_samples(samples, directory, writer, step=start, method=method)
        card = weights.Card(config, config.steps, provenance.commit(), [row._asdict() for row in rows])
        weights.write(directory / "weights.safetensors", state.ema, card)
        say_results(config, directory, evaluator.bicubic_rows, rows, meter)
        figures.training_curve(writer.history(), directory / "curve.png", bicubic=baseline, method=method)
        return [*evaluator.bicubic_rows, *rows]


def describe_batch(step: int, sampler: Sampler, names: list[str], *, safe: int | None) -> str:
    """What a step trained on, and from where the run can go on."""
    plan = sampler.plan(step)
    patches = [f"{names[i]} at row {y}, column {x}" for i, y, x in zip(*plan[:3], strict=True)]
    checkpoint = "there is no good checkpoint" if safe is None else f"the last good checkpoint is that of step {safe}"
    return f"{checkpoint}. A lower optim.lr, in another --workdir, often helps. The batch: {'; '.join(patches)}"


def draw_samples(samples: list[Sample], directory: Path, writer: Writer, *, step: int, method: str) -> None:
    """Sample sheets, into `samples/` and TensorBoard; those of the last evaluation stay."""
    folder = directory / "samples"
    folder.mkdir(exist_ok=True)
    for name, sheet in figures.sample_sheets(samples, method=method):
        figures.save_png(sheet, folder / f"{name}.png")
        writer.picture(step, name, sheet)


def say_what_runs(config: Config, params: Any, sizes: list[tuple[int, int]], evaluator: Evaluator) -> None:
    devices = jax.devices()
    pixels = sum(height * width for height, width in sizes)
    scored = len([row for row in evaluator.bicubic_rows if row.image != "mean"])
    print(f"devices     {len(devices)} x {devices[0].device_kind} ({devices[0].platform}), {config.parallel}, {config.compute}")
    print(f"model       {configs.title(config.model)} x{config.scale}, {states.count(params):,} parameters")
    print(f"images      {len(sizes)} to train on ({pixels / 1e6:.1f} megapixels), {scored} to evaluate on")
    if config.data.degradation != "bicubic":
        stages = ", ".join(stage.name for stage in config.stages)
        print(f"degradation {stages}; in evaluation {'the same' if config.eval.degradation == 'training' else 'bicubic'}")
    print(f"training    {config.steps:,} steps of {config.data.batch} patches {config.data.patch}x{config.data.patch}")


def say_where_it_begins(directory: Path, step: int, steps: int) -> None:
    if step == steps:
        print(f"finished    {directory} holds all {steps:,} steps already; evaluating", flush=True)
    elif step:
        print(f"resuming    {directory} at step {step:,}")
    else:
        print(f"writing to  {directory}")
    if step < steps:
        print("compiling   the training step, unless the cache holds it", flush=True)


def say_results(config: Config, directory: Path, bicubic: list[Row], ours: list[Row], meter: Meter) -> None:
    """Prints and writes the final table, and says where everything lies."""
    lines = report.table([bicubic, ours])
    protocol = PROTOCOLS[ours[0].protocol]
    described = protocol.describe(scale=config.scale, lr_source=ours[0].lr_source)
    how = f"protocol {protocol.name} ({described}), code {provenance.commit()}"
    text = f"# {configs.title(config.model)} x{config.scale}, step {config.steps}\n\nY-PSNR [dB] and SSIM, {how}.\n\n{lines}\n"
    report.write(directory, [*bicubic, *ours], text)
    if meter.steps:
        print(f"\ntrained for {meter.seconds:.0f} s, {meter.wait_share:.2%} of that waiting for data")
    print(f"\nY-PSNR [dB] and SSIM, {how}\n\n{lines}\n\n{directory} holds")
    for name, what in CONTENTS.items():
        print(f"  {name:21s}{what}")
