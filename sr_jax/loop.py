"""One training run, from config to results: plan, fetch, degrade, step, report, checkpoint, evaluate."""

import functools
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import optax
from flax import nnx
from jaxtyping import Array

from sr_jax import figures, optim, workdir
from sr_jax import state as states
from sr_jax.checkpoint import METRIC, Checkpoints
from sr_jax.config import Config
from sr_jax.data import pack, pipelines, sources
from sr_jax.data.images import Image
from sr_jax.data.plan import Sampler
from sr_jax.errors import InputError, Interrupted
from sr_jax.evaluate import PROTOCOL, Evaluator, Row, Sample, make_upscaler, overall, table
from sr_jax.interrupt import StopSignals
from sr_jax.losses import LOSSES
from sr_jax.models import MODELS
from sr_jax.parallel import Spread
from sr_jax.step import make_dispatch, make_step
from sr_jax.watch import Losses, Meter
from sr_jax.writer import Progress, Writer, write_results

MAX_SHEETS = 8
"""At most so many sample sheets are drawn in an evaluation."""

CONTENTS = {
    "results.md": "the table above; results.json has it with RGB",
    "samples/": "LR, bicubic, SR and HR side by side",
    "curve.png": "loss and PSNR over the steps",
    "metrics.jsonl": "all figures of the run; tensorboard/ has them too",
    "checkpoints/": "the latest states and the best one (Orbax)",
    "config.json": "every key of the config",
}


def train(config: Config, directory: Path, *, cache: Path) -> list[Row]:
    """Trains, or goes on training, and evaluates.

    Args:
      directory: the work directory.
      cache: folder for compiled programs and prepared images.

    Returns:
      the rows of the final evaluation, bicubic's first.

    Raises:
      InputError: if something that the config names cannot be used.
      TrainingError: if the loss is no longer finite.
      Interrupted: after SIGTERM or SIGINT, when the state is saved.
    """
    began = time.monotonic()
    use_compilation_cache(cache)
    with workdir.claimed(directory, config), StopSignals() as stop:
        # What is trained, and on what.
        model, params = build_model(config)
        images = load_training_images(config, cache)
        evaluator = Evaluator(
            load_evaluation_sets(config, cache),
            make_upscaler(model, scale=config.scale),
            scale=config.scale,
            method=config.model.name,
        )
        baseline = overall(evaluator.bicubic_rows)

        # The step, spread over the devices, and the pipeline that feeds it.
        optimizer, learning_rate = make_optimizer(config)
        step_function = make_step(
            model,
            LOSSES[config.loss],
            optimizer,
            scale=config.scale,
            ema_decay=config.optim.ema_decay,
            compute_dtype=config.compute,
        )
        packed = pack.pack(images, scale=config.scale)
        sampler = make_sampler(config, packed, images)
        fetch_on_host, fetch_on_device, resident = make_pipeline(config, packed)
        spread = Spread(
            make_dispatch(step_function, fetch_on_device, unroll=jax.default_backend() == "cpu"),
            kind=config.parallel,
            batch=config.data.batch,
            devices=jax.devices(),
        )
        resident = spread.replicate(resident)
        workdir.register(directory, config, images=len(images), digest=pack.digest(images))
        say_what_runs(config, params, images, evaluator)

        with Checkpoints(directory / "checkpoints", keep=config.keep) as checkpoints:
            state = spread.replicate(states.create(params, optimizer))
            start = checkpoints.latest() or 0
            if start:
                state = checkpoints.restore(state)
            say_where_it_begins(directory, start, config.steps)

            def describe(step: int) -> str:
                return describe_batch(step, sampler, images, safe=checkpoints.latest())

            items = pipelines.dispatches(
                sampler,
                fetch_on_host,
                start=start,
                stop=config.steps,
                steps_per_dispatch=config.steps_per_dispatch,
                rows=rows_of_this_process(config.data.batch),
                threads=config.data.threads,
                prefetch=config.data.prefetch,
            )
            losses, meter, rows = Losses(describe), Meter(config.data.batch), []
            with Writer(directory, step=start) as writer, Progress(total=config.steps, done=start) as progress:
                for first in range(start, config.steps, config.steps_per_dispatch):
                    with meter.waiting(busy=losses.pending):
                        item = next(items)
                    state, metrics = spread(state, resident, spread.put(item))
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
                    must_stop = stop.received is not None and not is_last

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
                                rows, samples = evaluator(state.ema)
                                scores = {METRIC: overall(rows), "gain": overall(rows) - baseline}
                                writer.scalars(step, scores)
                                progress.say(
                                    f"step {step}: Y-PSNR {scores[METRIC]:.2f} dB ({scores['gain']:+.2f} over bicubic)"
                                )
                                draw_samples(samples[:MAX_SHEETS], directory, writer, step=step, method=config.model.name)
                            checkpoints.save(state, scores)

                    if must_stop and stop.received:
                        checkpoints.wait()
                        raise Interrupted(
                            f"stopped by {stop.received.name} at step {step}; all is saved, the same command goes on",
                            stop.received,
                        )
                if not rows:  # nothing was left to train
                    rows, samples = evaluator(state.ema)
                    draw_samples(samples[:MAX_SHEETS], directory, writer, step=start, method=config.model.name)
                figures.training_curve(writer.history(), directory / "curve.png", bicubic=baseline, method=config.model.name)
        say_results(config, directory, evaluator.bicubic_rows, rows, meter)
        return [*evaluator.bicubic_rows, *rows]


def use_compilation_cache(cache: Path) -> None:
    """Keeps compiled programs in `cache`, unless JAX_COMPILATION_CACHE_DIR names another place.

    Raises:
      InputError: if the folder cannot be written.
    """
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--cache_dir {cache} cannot be written ({error.strerror}); give another folder") from None
    if not os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        jax.config.update("jax_compilation_cache_dir", str(cache / "compiled"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def build_model(config: Config) -> tuple[Callable[[Any, Array], Array], Any]:
    """The network as a function `(params, LR) -> SR`, and its initial parameters, a nested dict named by attribute."""
    options = {key: value for key, value in vars(config.model).items() if key != "name" and not key.startswith("_")}
    module = MODELS[config.model.name](scale=config.scale, **options, rngs=nnx.Rngs(config.seed))
    graph, variables = nnx.split(module, nnx.Param)
    return lambda params, lr: nnx.merge(graph, params)(lr), nnx.to_pure_dict(variables)


def make_optimizer(config: Config) -> tuple[optax.GradientTransformation, optax.Schedule]:
    """The optimiser and its learning rate over the steps."""
    learning_rate = optim.schedule(
        lr=config.optim.lr,
        warmup_steps=config.optim.warmup_steps,
        final_lr=config.optim.final_lr,
        steps=config.steps,
    )
    return optim.adam(learning_rate, b1=config.optim.b1, b2=config.optim.b2), learning_rate


def load_training_images(config: Config, cache: Path) -> list[Image]:
    """The training images; those smaller than a patch are left out if the config says so.

    Raises:
      InputError: if there are none, or some cannot be used and the config does not say to skip them.
    """
    data = config.data
    if data.name == "photographs" or data.dir is None:
        images = sources.load_photographs("train", cache=cache / "prepared")
    else:
        images = sources.load_folder(data.dir, bad_images=data.bad_images, cache=cache / "prepared")
    if data.bad_images == "refuse":
        return images  # the sampler will name an image that is too small
    too_small = {
        image.name: f"{image.name}: {image.pixels.shape[0]}x{image.pixels.shape[1]} is smaller than data.patch={data.patch}"
        for image in images
        if min(pack.crop_to_multiple(image.pixels, config.scale).shape[:2]) < data.patch
    }
    sources.handle_bad_images(too_small, "skip")
    if len(too_small) == len(images):
        raise InputError(f"data.dir={data.dir}: every image is smaller than data.patch={data.patch}; use a smaller patch")
    return [image for image in images if image.name not in too_small]


def load_evaluation_sets(config: Config, cache: Path) -> dict[str, list[Image]]:
    """Name of each set -> its images: the held-out photographs, or all of a folder."""
    sets = {}
    for name in config.eval.sets:
        if name == "photographs":
            sets[name] = sources.load_photographs("test", cache=cache / "prepared")
        else:
            short = Path(name).resolve().name
            title = name if short in sets else short
            sets[title] = sources.load_folder(
                name, bad_images=config.data.bad_images, cache=cache / "prepared", key="eval.sets"
            )
    return sets


def make_sampler(config: Config, packed: pack.Pack, images: list[Image]) -> Sampler:
    return Sampler(
        list(zip(packed.height.tolist(), packed.width.tolist(), strict=True)),
        patch=config.data.patch,
        scale=config.scale,
        batch=config.data.batch,
        seed=config.seed,
        names=[image.name for image in images],
    )


def make_pipeline(config: Config, packed: pack.Pack) -> tuple[Callable, Callable, Any]:
    """What the host does with a plan, what the device does with that, and the arrays that the device needs for it."""
    cut = {"patch": config.data.patch, "scale": config.scale}
    if config.data.pipeline == "host":
        return functools.partial(pipelines.host_batch, packed, **cut), lambda _, batch: batch, ()
    statistics = jax.local_devices()[0].memory_stats() or {}
    limit = statistics.get("bytes_limit")
    on_device = pack.for_device(packed, memory=limit // 2 if limit else None)
    return lambda plan: plan, functools.partial(pipelines.resident_batch, **cut), on_device


def rows_of_this_process(batch: int) -> slice:
    """The examples of a global batch that this process feeds to its devices."""
    share = batch // jax.process_count()
    return slice(jax.process_index() * share, (jax.process_index() + 1) * share)


def describe_batch(step: int, sampler: Sampler, images: list[Image], *, safe: int | None) -> str:
    """What a step trained on, and from where the run can go on."""
    plan = sampler.plan(step)
    patches = [f"{images[i].name} at row {y}, column {x}" for i, y, x in zip(*plan[:3], strict=True)]
    checkpoint = "there is no checkpoint yet" if safe is None else f"the last good checkpoint is that of step {safe}"
    return f"{checkpoint}. A lower optim.lr often helps. The batch: {'; '.join(patches)}"


def draw_samples(samples: list[Sample], directory: Path, writer: Writer, *, step: int, method: str) -> None:
    """Sample sheets, into `samples/` and TensorBoard; those of the last evaluation stay."""
    folder = directory / "samples"
    folder.mkdir(exist_ok=True)
    for sample in samples:
        name = f"{sample.set}_{sample.image.replace('/', '_')}".rsplit(".", 1)[0]
        sheet = figures.sample_sheet(sample, method=method)
        figures.save_png(sheet, folder / f"{name}.png")
        writer.picture(step, name, sheet)


def say_what_runs(config: Config, params: Any, images: list[Image], evaluator: Evaluator) -> None:
    devices = jax.devices()
    pixels = sum(image.pixels.shape[0] * image.pixels.shape[1] for image in images)
    scored = len([row for row in evaluator.bicubic_rows if row.image != "mean"])
    print(f"devices     {len(devices)} x {devices[0].device_kind} ({devices[0].platform}), {config.parallel}, {config.compute}")
    print(f"model       {config.model.name} x{config.scale}, {states.count(params):,} parameters")
    print(f"images      {len(images)} to train on ({pixels / 1e6:.1f} megapixels), {scored} to evaluate on")
    print(f"training    {config.steps:,} steps of {config.data.batch} patches {config.data.patch}x{config.data.patch}")


def say_where_it_begins(directory: Path, step: int, steps: int) -> None:
    if step == steps:
        print(f"finished    {directory} holds all {steps:,} steps already; evaluating", flush=True)
    elif step:
        print(f"resuming    {directory} at step {step:,}", flush=True)
    else:
        print(f"writing to  {directory}", flush=True)


def say_results(config: Config, directory: Path, bicubic: list[Row], ours: list[Row], meter: Meter) -> None:
    """Prints and writes the final table, and says where everything lies."""
    lines = table(bicubic, ours)
    protocol = PROTOCOL.format(scale=config.scale)
    text = f"# {config.model.name} x{config.scale}, step {config.steps}\n\nY-PSNR [dB] and SSIM, {protocol}.\n\n{lines}\n"
    write_results(directory, [*bicubic, *ours], text)
    if meter.steps:
        print(f"\ntrained for {meter.seconds:.0f} s, {meter.wait_share:.2%} of that waiting for data")
    print(f"\nY-PSNR [dB] and SSIM, {protocol}\n\n{lines}\n\n{directory} holds")
    for name, what in CONTENTS.items():
        print(f"  {name:14s}{what}")
