"""One training run, from config to results: plan, fetch, degrade, step, report, checkpoint, evaluate."""

import json
import time
from pathlib import Path

import jax

from sr_jax import config as configs
from sr_jax.assembly import degradation as degradations
from sr_jax.assembly import messages
from sr_jax.assembly.evaluator import make_evaluator, open_evaluation_sets
from sr_jax.assembly.initial import make_start, record
from sr_jax.assembly.network import make_network
from sr_jax.assembly.optimizer import make_learning_rate, make_optimizer
from sr_jax.assembly.pipeline import make_pipeline, make_sampler, rows_of_this_process
from sr_jax.assembly.step import make_train_step, unrolls
from sr_jax.assembly.training_images import load_training_images
from sr_jax.config import Config, workdir
from sr_jax.data import pipelines
from sr_jax.errors import Interrupted, NotFiniteError, TrainingError
from sr_jax.evaluation.evaluator import EvaluationStopped
from sr_jax.evaluation.rows import Row, overall
from sr_jax.evaluation.sheets import write_sheets
from sr_jax.evaluation.tiles import TiledNetwork
from sr_jax.system import processes, provenance
from sr_jax.system.compilation import CompileClock, use_compilation_cache
from sr_jax.system.files import without_infinities
from sr_jax.system.paths import AnyPath
from sr_jax.training import state as states
from sr_jax.training.checkpoint import METRIC, Checkpoints
from sr_jax.training.curve import training_curve
from sr_jax.training.devices import Spread
from sr_jax.training.log import Log
from sr_jax.training.monitor import Meter, Metrics, memory_in_use
from sr_jax.training.profile import Profile, whole_dispatches
from sr_jax.training.progress import Progress
from sr_jax.training.signals import StopSignals
from sr_jax.training.step import Constants, make_dispatch
from sr_jax.training.watchdog import Watchdog
from sr_jax.training.weights_and_biases import WandbRun
from sr_jax.weights import files as weights
from sr_jax.weights.card import Card

PATIENCE = 3600.0
"""Seconds that a process waits for others that still prepare their images."""
STUCK = 100.0


def train(
    config: Config,
    directory: AnyPath,
    *,
    cache: Path,
    began: float | None = None,
    patience: float = STUCK,
    wandb: str | None = None,
    profile: range = range(0),
) -> list[Row]:
    """Trains a network, or resumes its run, and evaluates it.

    Args:
      directory: the work directory.
      cache: the folder for compiled programs and prepared images.
      began: `time.monotonic()` when the user's command began; the default is now.
      patience: how many times the median dispatch a dispatch may take before the run counts as stuck.
      wandb: the project of Weights & Biases to log to, if any.
      profile: the steps to record for XProf and Perfetto.

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

        def rate_of(step: int) -> float:
            with jax.transfer_guard("allow"):  # a few numbers, only for the log
                return float(jax.device_get(learning_rate(step)))

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
        processes.barrier("the images of the others", timeout=PATIENCE)
        processes.check_equal("the step in the work directory, which all processes must see", str(start))
        processes.check_equal("the config and the training images", f"{configs.to_json(config)} {images.digest}")
        if is_first:
            workdir.register(directory, config, step=start, images=len(images.names), digest=images.digest, changes=changes)
            record(initial, directory)
        recorded = whole_dispatches(profile, start=start, stop=config.steps, steps_per_dispatch=config.steps_per_dispatch)
        messages.print_what_runs(config, degradation, states.count(network.params), images.sizes, evaluator)
        messages.print_what_is_recorded(profile, recorded, directory)
        messages.print_where_it_begins(directory, config, start, changes, initial, rate=rate_of(start))

        state = dispatch.replicate(states.create(initial.params, optimizer))
        if start:
            state = checkpoints.restore(state)

        def explain(step: int) -> str:
            checkpoints.drop_from(step)  # the bad step was computed from such a state
            batch = messages.describe_batch(step, sampler, images.names)
            return f"{messages.advice(checkpoints.latest())}. The batch: {batch}"

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
        page = WandbRun(directory, wandb, json.loads(configs.to_json(config))) if wandb and is_first else None
        with (
            Log(directory, step=start, is_writer=is_first, wandb=page) as log,
            Progress(total=config.steps, done=start, is_shown=is_first) as progress,
            Watchdog(patience=patience) as watchdog,
            Profile(directory / "profile", recorded) as profiler,
        ):

            def evaluate(state: states.State) -> tuple[list[Row], dict[str, float]]:
                """Scores the moving average of a state, and writes what it finds. Returns the rows and the means."""
                step = int(jax.device_get(state.step))
                try:
                    rows, samples = evaluator(
                        tiled, state.ema, method=method, weights=f"step {step}, ema", must_stop=lambda: bool(stop.received)
                    )
                except NotFiniteError as error:
                    raise TrainingError(
                        f"after step {step}, the evaluation failed ({error}); {messages.advice(checkpoints.latest())}"
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

            processes.barrier("the end of the preparation", timeout=PATIENCE)
            stop.defer()
            if start and (start == config.steps or (start % config.eval.every == 0 and not checkpoints.has_scores(start))):
                try:  # nothing is left to train, or a signal cut this evaluation off
                    rows, scores = evaluate(state)
                except EvaluationStopped:
                    raise stopped(start) from None
                log.flush()
                checkpoints.add_scores(start, scores)

            for first in range(start, config.steps, config.steps_per_dispatch):
                if profiler.begins_at(first):
                    meter.count(metrics.settle())
                    with meter.paused():
                        profiler.begin()

                with jax.profiler.StepTraceAnnotation("step", step_num=first):
                    with meter.waiting(busy=metrics.pending):
                        item = next(items)
                    state, step_metrics = dispatch(state, constants, item, stop=bool(stop.received))
                    meter.count(metrics.add(first, step_metrics))
                if first == start:
                    metrics.settle()
                    progress.say(f"first step {time.monotonic() - began:.1f} s after the start; {clock}")
                    meter.start()
                step = first + config.steps_per_dispatch
                progress.advance(step)
                watchdog.beat(step)

                is_last = step == config.steps
                must_stop = not is_last and dispatch.must_stop(bool(stop.received))
                must_report = is_last or step % config.log_every == 0
                must_evaluate = is_last or (step % config.eval.every == 0 and not must_stop)
                must_save = must_evaluate or must_stop or step % config.checkpoint_every == 0

                if must_report:
                    meter.count(metrics.settle())
                    means, speed = {**metrics.take(), "lr": rate_of(step - 1)}, meter.read()
                    log.scalars(step, {**means, **speed, **memory_in_use()})
                    progress.report(means, speed)

                if profiler.ends_at(step):
                    meter.count(metrics.settle())
                    with meter.paused(), watchdog.paused():
                        profiler.end()

                if must_save:
                    meter.count(metrics.settle())
                    with meter.paused(), watchdog.paused():
                        scores = None
                        if must_evaluate:
                            try:
                                rows, scores = evaluate(state)
                            except EvaluationStopped:
                                must_stop = True
                        log.flush()
                        checkpoints.save(state, scores)

                if must_stop:
                    raise stopped(step)

        if is_first:
            table = [without_infinities(row._asdict()) for row in [*evaluator.bicubic_rows, *rows]]
            card = Card(config, config.steps, provenance.commit(), table)
            weights.write(directory / "weights.safetensors", state.ema, card)
            training_curve(log.history(), directory / "curve.png", bicubic=baseline, method=method)
            messages.print_results(config, directory, evaluator.bicubic_rows, rows, meter)
            workdir.finish(directory, config)
        return [*evaluator.bicubic_rows, *rows]
