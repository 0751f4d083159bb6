"""What a training run prints: what runs, where it begins, advice in errors, and its results."""

import jax

from sr_jax import config as configs
from sr_jax.assembly.degradation import Degradation
from sr_jax.assembly.initial import Start
from sr_jax.config import Config, workdir
from sr_jax.config.experiment import WARMUP_STEPS
from sr_jax.data.plan import Sampler
from sr_jax.evaluation import report
from sr_jax.evaluation.evaluator import Evaluator
from sr_jax.evaluation.protocol import PROTOCOLS
from sr_jax.evaluation.rows import Row
from sr_jax.system import provenance
from sr_jax.system.paths import AnyPath
from sr_jax.training.monitor import Meter

CONTENTS = {
    "results.md": "the table above; results.json and results.csv have it with RGB",
    "samples/": "LR, bicubic, SR and HR side by side",
    "curve.png": "loss and PSNR over the steps",
    "metrics.jsonl": "all metrics of the run; metrics.csv and tensorboard/ have them too",
    "profile/": "recordings of --profile, for XProf and Perfetto",
    "wandb/": "files of Weights & Biases; wandb.json names the run there",
    "weights.safetensors": "the network; weights.json is its card",
    "checkpoints/": "the latest states and the best one (Orbax)",
    "config.json": "every key of the config",
    "changes.jsonl": "the keys that changed between runs",
    "init.json": "the parameters that were taken from another network",
    "code/": "the files of your own that the config uses",
}
"""What a work directory holds."""


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


def print_what_is_recorded(asked: range, recorded: range, directory: AnyPath) -> None:
    """Prints which steps are recorded, if any were asked for."""
    if not asked:
        return
    if not recorded:
        print(f"profiling   nothing, because steps {asked.start}:{asked.stop} are done already")
        return
    print(f"profiling   steps {recorded.start}:{recorded.stop}, into {directory / 'profile'}")
    if recorded != asked:
        print(f"            instead of {asked.start}:{asked.stop}, because it records whole dispatches that are still to do")


def print_where_it_begins(
    directory: AnyPath, config: Config, step: int, changes: workdir.Changes, initial: Start, rate: float
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


def print_results(config: Config, directory: AnyPath, bicubic: list[Row], rows: list[Row], meter: Meter) -> None:
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
