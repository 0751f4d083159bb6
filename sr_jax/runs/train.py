"""One training run, from config to results: plan, fetch, degrade, step, report, checkpoint, evaluate."""

import time
from pathlib import Path

import jax
import numpy as np

from sr_jax import config as configs
from sr_jax.assembly import degradation as degradations
from sr_jax.assembly.degradation import Degradation
from sr_jax.assembly.evaluator import make_evaluator, open_evaluation_sets
from sr_jax.assembly.initial import Start, make_start, record
from sr_jax.assembly.network import make_network
from sr_jax.assembly.optimizer import make_learning_rate, make_optimizer
from sr_jax.assembly.pipeline import make_pipeline, make_sampler, rows_of_this_process
from sr_jax.assembly.step import make_train_step, unrolls
from sr_jax.assembly.training_images import load_training_images
from sr_jax.config import Config, workdir
from sr_jax.config.experiment import WARMUP_STEPS
from sr_jax.data import pipelines
from sr_jax.data.plan import Sampler
from sr_jax.errors import Interrupted, NotFiniteError, TrainingError
from sr_jax.evaluation import report
from sr_jax.evaluation.evaluator import EvaluationStopped, Evaluator
from sr_jax.evaluation.protocol import PROTOCOLS
from sr_jax.evaluation.rows import Row, overall
from sr_jax.evaluation.sheets import write_sheets
from sr_jax.evaluation.tiles import TiledNetwork
from sr_jax.system import processes, provenance
from sr_jax.system.compilation import CompileClock, use_compilation_cache
from sr_jax.training import state as states
from sr_jax.training.checkpoint import METRIC, Checkpoints
from sr_jax.training.curve import training_curve
from sr_jax.training.devices import Spread
from sr_jax.training.log import Log
from sr_jax.training.monitor import Meter, Metrics
from sr_jax.training.progress import Progress
from sr_jax.training.signals import StopSignals
from sr_jax.training.step import Constants, make_dispatch
from sr_jax.training.watchdog import Watchdog
from sr_jax.weights import files as weights
from sr_jax.weights.card import Card

PATIENCE = 3600.0
"""Seconds that a process waits for others that still prepare their images."""
STUCK = 100.0
CONTENTS = {
    "results.md": "the table above; results.json and results.csv have it with RGB",
    "samples/": "LR, bicubic, SR and HR side by side",
    "curve.png": "loss and PSNR over the steps",
    "metrics.jsonl": "all metrics of the run; tensorboard/ has them too",
    "weights.safetensors": "the network; weights.json is its card",
    "checkpoints/": "the latest states and the best one (Orbax)",
    "config.json": "every key of the config",
    "changes.jsonl": "the keys that changed between runs",
    "init.json": "the parameters that were taken from another network",
    "code/": "the files of your own that the config uses",
}


def train(config: Config, directory: Path, *, cache: Path, began: float | None = None, patience: float = STUCK) -> list[Row]:
    """Trains a network, or resumes its run, and evaluates it.

    Args:
      directory: the work directory.
      cache: the folder for compiled programs and prepared images.
      began: `time.monotonic()` when the user's command began; the default is now.
      patience: how many times the median dispatch a dispatch may take before the run counts as stuck.

    Returns:
      the rows of the final evaluation; those of bicubic come first.

    Raises:
      InputError: if something that the config names cannot be used.
      TrainingError: if the loss becomes infinite or NaN, or the network returns such values in an evaluation.
      Interrupted: after SIGTERM or SIGINT. The state is saved by then.
    """
    began = time.monotonic() if began is None else began
    use_compilation_cache(cache)
    is_first = processes.is_first()
    with (
        StopSignals() as stop,
        workdir.claim(directory, config, is_owner=is_first) as changes,
        Checkpoints(directory / workdir.CHECKPOINTS, keep=config.keep, evaluation=workdir.evaluation(config)) as checkpoints,
        CompileClock() as clock,
    ):
        # The training step of one device, and the parameters that it begins with.
        start = checkpoints.latest() or 0
        schedule_start = workdir.schedule_start(directory, config, changes, start)
        network, degradation = make_network(config), degradations.of_training(config)
        initial = make_start(config, network, directory, step=start)
        optimizer = make_optimizer(config, network.params, start=schedule_start, taken=initial.taken)
        learning_rate = make_learning_rate(config, start=schedule_start)
        train_step = make_train_step(config, network, degradation, optimizer)

        # The images to train on and to evaluate on.
        held_out = open_evaluation_sets(config, cache)
        images = load_training_images(config, degradation, held_out, cache)
        evaluator = make_evaluator(config, network.about, degradation, held_out)
        tiled = TiledNetwork(network.apply, network.about, scale=config.scale)
        baseline, method = overall(evaluator.bicubic_rows), configs.title(config.model)

        # The pipeline that feeds the step, and the devices that run both.
        sampler = make_sampler(config, images)
        pipeline = make_pipeline(config, images, margin=degradation.margin)
        dispatch = Spread(
            make_dispatch(train_step, pipeline.on_device, unroll=unrolls(config.steps_per_dispatch)),
            kind=config.parallel,
            batch=config.data.batch,
            devices=jax.devices(),
            parts=config.accumulate,
        )
        constants = dispatch.replicate(Constants(images=pipeline.images))

        # Everything is right, so the work directory now belongs to this config.
        processes.check_equal("the step in the work directory, which all processes must see", str(start))
        processes.check_equal("the config and the training images", f"{configs.to_json(config)} {images.digest}")
        if is_first:
            workdir.register(directory, config, step=start, images=len(images.names), digest=images.digest, changes=changes)
            record(initial, directory)
        print_what_runs(config, degradation, states.count(network.params), images.sizes, evaluator)
        print_where_it_begins(directory, config, start, changes, initial, rate=float(np.asarray(learning_rate(start))))

        state = dispatch.replicate(states.create(initial.params, optimizer))
        if start:
            state = checkpoints.restore(state)

        def explain(step: int) -> str:
            checkpoints.drop_from(step)  # the bad step was computed from such a state
            return f"{advice(checkpoints.latest())}. The batch: {describe_batch(step, sampler, images.names)}"

        items = pipelines.dispatches(
            sampler,
            lambda plan: dispatch.put(pipeline.on_host(plan)),
            start=start,
            stop=config.steps,
            steps_per_dispatch=config.steps_per_dispatch,
            rows=rows_of_this_process(config.data.batch),
            threads=config.data.threads,
            prefetch=config.data.prefetch,
        )
        metrics, meter = Metrics(explain), Meter(config.data.batch)
        rows: list[Row] = []
        with (
            Log(directory, step=start, is_writer=is_first) as log,
            Progress(total=config.steps, done=start, is_shown=is_first) as progress,
            Watchdog(patience=patience) as watchdog,
        ):

            def evaluate(state: states.State) -> tuple[list[Row], dict[str, float]]:
                """Scores the moving average of a state, and writes what it finds. Returns the rows and the means."""
                step = int(state.step)
                try:
                    rows, samples = evaluator(
                        tiled, state.ema, method=method, weights=f"step {step}, ema", must_stop=lambda: bool(stop.received)
                    )
                except NotFiniteError as error:
                    raise TrainingError(
                        f"after step {step}, the evaluation failed ({error}); {advice(checkpoints.latest())}"
                    ) from error
                scores = {METRIC: overall(rows), "gain": overall(rows) - baseline}
                log.scalars(step, scores)
                progress.say(f"step {step}: Y-PSNR {scores[METRIC]:.2f} dB ({scores['gain']:+.2f} over bicubic)")
                for name, sheet in write_sheets(samples, directory / "samples", method=method):
                    log.picture(step, name, sheet)
                return rows, scores

            def stopped(step: int) -> Interrupted:
                checkpoints.wait()
                signal = stop.received.name if stop.received else "a signal to another process"
                return Interrupted(f"stopped by {signal} at step {step}; all is saved, and the same command resumes the run")

            processes.barrier("the end of the preparation", timeout=PATIENCE, can_stop=True)
            stop.defer()
            if start and (start == config.steps or (start % config.eval.every == 0 and not checkpoints.has_scores(start))):
                try:  # nothing is left to train, or a signal cut this evaluation off
                    rows, scores = evaluate(state)
                except EvaluationStopped:
                    raise stopped(start) from None
                checkpoints.add_scores(start, scores)

            for first in range(start, config.steps, config.steps_per_dispatch):
                with meter.waiting(busy=metrics.pending):
                    item = next(items)
                state, step_metrics = dispatch(state, constants, item, stop=bool(stop.received))
                metrics.add(first, step_metrics)
                if first == start:
                    metrics.settle()
                    progress.say(f"first step {time.monotonic() - began:.1f} s after the start; {clock}")
                    meter.start()
                else:
                    meter.count(config.steps_per_dispatch)
                step = first + config.steps_per_dispatch
                progress.advance(step)
                watchdog.beat(step)

                is_last = step == config.steps
                must_stop = not is_last and dispatch.must_stop(bool(stop.received))
                must_report = is_last or step % config.log_every == 0
                must_evaluate = is_last or (step % config.eval.every == 0 and not must_stop)
                must_save = must_evaluate or must_stop or step % config.checkpoint_every == 0

                if must_report:
                    metrics.settle()
                    means = {**metrics.take(), "lr": float(np.asarray(learning_rate(step - 1)))}
                    speed = meter.read()
                    log.scalars(step, means | speed)
                    progress.report(means, speed)

                if must_save:
                    metrics.settle()
                    with meter.paused(), watchdog.paused():
                        scores = None
                        if must_evaluate:
                            try:
                                rows, scores = evaluate(state)
                            except EvaluationStopped:
                                must_stop = True
                        checkpoints.save(state, scores)

                if must_stop:
                    raise stopped(step)

        if is_first:
            card = Card(config, config.steps, provenance.commit(), [row._asdict() for row in rows])
            weights.write(directory / "weights.safetensors", state.ema, card)
            training_curve(log.history(), directory / "curve.png", bicubic=baseline, method=method)
            print_results(config, directory, evaluator.bicubic_rows, rows, meter)
            workdir.finish(directory, config)
        return [*evaluator.bicubic_rows, *rows]


def advice(safe: int | None) -> str:
    """Returns, for an error message, where a run that diverged can resume."""
    checkpoint = "there is no good checkpoint" if safe is None else f"the last good checkpoint is that of step {safe}"
    return f"{checkpoint}. A lower optim.lr, in another --workdir, often helps"


def describe_batch(step: int, sampler: Sampler, names: list[str]) -> str:
    """Returns, for an error message, what a step trained on."""
    plan = sampler.plan(step)
    return "; ".join(f"{names[i]} at row {y}, column {x}" for i, y, x in zip(*plan[:3], strict=True))


def print_what_runs(
    config: Config, degradation: Degradation, parameters: int, sizes: list[tuple[int, int]], evaluator: Evaluator
) -> None:
    """Prints the devices, the network, the images and the steps."""
    devices = jax.devices()
    pixels = sum(height * width for height, width in sizes)
    scored = len([row for row in evaluator.bicubic_rows if row.image != "mean"])
    print(f"devices     {len(devices)} x {devices[0].device_kind} ({devices[0].platform}), {config.parallel}, {config.compute}")
    print(f"network     {configs.title(config.model)} x{config.scale}, {parameters:,} parameters")
    print(f"images      {len(sizes)} to train on ({pixels / 1e6:.1f} megapixels), {scored} to evaluate on")
    if not degradation.is_bicubic:
        in_evaluation = "bicubic" if degradation.for_evaluation(config.eval.degradation).is_bicubic else "the same"
        print(f"degradation {degradation.title}; in evaluation {in_evaluation}")
    is_short = config.optim.warmup_steps is None and config.warmup_steps < WARMUP_STEPS
    warmup = f", after a warm-up shortened to {config.warmup_steps}" if is_short else ""
    print(f"training    {config.steps:,} steps of {config.data.batch} patches {config.data.patch}x{config.data.patch}{warmup}")


def print_where_it_begins(
    directory: Path, config: Config, step: int, changes: workdir.Changes, initial: Start, rate: float
) -> None:
    """Prints whether the run begins, resumes, is extended, or has already finished, and what changed since the last run."""
    if step == config.steps:
        print(f"finished    {directory} holds all {step:,} steps already; evaluating", flush=True)
    elif "steps" in changes:
        before, now = changes["steps"]
        schedule = "stretched" if config.optim.on_extend == "stretch" else "restarted"
        print(f"extending   {directory} from {before:,} to {now:,} steps, at step {step:,}")
        print(f"            the schedule is {schedule} (optim.on_extend), so the learning rate of the next step is {rate:.3g}")
    elif step:
        print(f"resuming    {directory} at step {step:,}")
    else:
        again = "; it begins again, because no checkpoint is good" if any(directory.glob("checkpoints/*.damaged")) else ""
        print(f"writing to  {directory}{again}")
    for key, (before, now) in changes.items():
        if key != "steps":
            print(f"changed     {key} from {before} to {now}")
    if initial.origin and not step:
        rest = f"; initialised: {', '.join(initial.fresh)}" if initial.fresh else ""
        print(f"parameters  {len(initial.taken)} of {len(initial.taken + initial.fresh)} arrays from {initial.origin}{rest}")
    if step < config.steps:
        print("compiling   the training step, or reading it from the cache", flush=True)


def print_results(config: Config, directory: Path, bicubic: list[Row], rows: list[Row], meter: Meter) -> None:
    """Prints and writes the final table, and lists what the work directory holds."""
    lines = report.table([bicubic, rows])
    protocol = PROTOCOLS[rows[0].protocol]
    description = protocol.describe(scale=config.scale, lr_source=rows[0].lr_source)
    conditions = f"protocol {protocol.name} ({description}), code {provenance.commit()}"
    title = f"{configs.title(config.model)} x{config.scale}, step {config.steps}"
    report.write(directory, [*bicubic, *rows], f"# {title}\n\nY-PSNR [dB] and SSIM, {conditions}.\n\n{lines}\n")
    if meter.steps:
        print(f"\ntrained for {meter.seconds:.0f} s, {meter.wait_share:.2%} of that waiting for data")
    print(f"\nY-PSNR [dB] and SSIM, {conditions}\n\n{lines}\n\n{directory} holds")
    for name, content in CONTENTS.items():
        if (directory / name).exists():
            print(f"  {name:21s}{content}")
