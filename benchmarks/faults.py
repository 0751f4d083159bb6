"""What does a run survive, and how long does it take to go on?

    python -m benchmarks.faults
    python -m benchmarks.faults --faults "kill -9" --processes one --phases training evaluation
    python -m benchmarks.faults --kills 200 --seed 1

It trains a tiny network on CPU devices, again and again. In each row of the table one process of a run meets one fault in one
phase. The row says how the processes ended and after how many seconds, how long the same command then took from its start to
its next step, and whether the arrays of the final state are those of a run that met no fault, byte for byte. `--kills N` kills
runs at random moments instead, N times. The exit status is 1 if a run did not go on, or not to the same bytes, or if SIGTERM or
Ctrl-C did not stop all processes with status 75.

Full and read-only disks are mounts. Their rows are left out where this process may not mount.
"""

import argparse
import dataclasses
import itertools
import json
import shutil
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import jax
from tabulate import tabulate

from benchmarks.fault_kills import kill_again_and_again
from benchmarks.fault_runs import (
    WRITING,
    CannotMountError,
    End,
    Run,
    check_work_directory,
    draw_pictures,
    final_arrays,
    flip_a_bit,
    read_only,
    small_config,
    small_disk,
)
from sr_jax.config import Config, OptimConfig
from sr_jax.errors import Interrupted
from sr_jax.training.checkpoint_folder import complete_steps

STEPS, EVERY = 120, 40
HEARTBEAT = 10
"""Seconds without a sign of life after which a process counts as gone. The default of the commands is 100."""
TARGET = 20.0
"""A killed run should take its next step within this time [s] from its start, if its programs are in the cache."""
PHASES = ("preparation", "compilation", "training", "checkpoint writing", "evaluation", "end")
PROCESSES = {"one": (1, 0), "first of two": (2, 0), "second of two": (2, 1)}
"""Number of processes, and the index of that which meets the fault."""
SIGNALS = {"kill -9": signal.SIGKILL, "SIGTERM": signal.SIGTERM, "Ctrl-C": signal.SIGINT, "frozen": signal.SIGSTOP}


class Case(NamedTuple):
    """A row of the table before it is run."""

    fault: str
    phase: str
    process: str


CASES = (
    *(Case(fault, phase, process) for fault in ("kill -9", "SIGTERM") for phase in PHASES for process in PROCESSES),
    *(Case("Ctrl-C", "training", process) for process in PROCESSES),
    *(Case("frozen", "training", process) for process in PROCESSES if process != "one"),
    *(Case(fault, "training", "one") for fault in ("full disk", "read-only", "damaged checkpoint", "loss not finite")),
)
IDENTICAL, DIFFERENT, FAILED, NOT_COMPARED = "identical", "DIFFERENT", "FAILED", "-"


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of a case."""

    statuses: tuple[int | None, ...]
    """The status of each process; None for one that is frozen."""
    seconds: float | None
    """From the fault to the end of the last process that is not frozen."""
    says: str
    """The last line on standard error of the process that says most."""
    recovery: float | None = None
    """Seconds from the start of the same command to its next step; None if there was no step left."""
    state: str = NOT_COMPARED


class Lab:
    """Runs the cases. What does not depend on the case is made once.

    Args:
      folder: a new folder for everything that is written.
    """

    def __init__(self, folder: Path):
        self._folder, self._cache = folder, folder / "cache"
        pictures = draw_pictures(folder / "pictures", count=300, size=(96, 80))
        scored = draw_pictures(folder / "scored", count=30, size=(200, 160))
        self._config = small_config(pictures, steps=STEPS, evaluate_on=scored, evaluate_every=EVERY)
        self._expected: dict[int, dict[str, bytes]] = {}
        self._numbers = itertools.count()

    def run(self, case: Case) -> Outcome:
        """Runs a case.

        Raises:
          CannotMountError: if it needs a mount, and this process may not mount.
        """
        directory = self._folder / f"case-{next(self._numbers)}" / "run"
        directory.parent.mkdir()
        if case.fault in SIGNALS:
            return self._signal(case, directory)
        return {
            "damaged checkpoint": self._damage,
            "loss not finite": self._diverge,
            "full disk": self._fill,
            "read-only": self._protect,
        }[case.fault](directory)

    def _signal(self, case: Case, directory: Path) -> Outcome:
        count, victim = PROCESSES[case.process]
        self._expect(count)
        if case.phase == "preparation":
            for name in ("packs", "prepared"):
                shutil.rmtree(self._cache / name, ignore_errors=True)
        with self._start(directory, count) as run:
            if not run.wait_until(lambda: self._has_reached(case.phase, run, directory)):
                raise AssertionError(f"{case} was not reached: {run.ends()}")
            run.processes[victim].send_signal(SIGNALS[case.fault])
            outcome = _await_ends(run, frozen=victim if case.fault == "frozen" else None)
        if case.fault in ("SIGTERM", "Ctrl-C") and case.phase != "end" and {*outcome.statuses} != {Interrupted.status}:
            return dataclasses.replace(outcome, state=FAILED)
        check_work_directory(directory)
        return self._go_on(directory, count, outcome)

    def _damage(self, directory: Path) -> Outcome:
        self._expect(1)
        with self._start(directory) as run:
            run.wait_for("step 20/")
            run.processes[0].kill()
            outcome = _await_ends(run)
        flip_a_bit(directory / "checkpoints" / str(complete_steps(directory / "checkpoints")[-1]))
        return self._go_on(directory, 1, outcome)

    def _diverge(self, directory: Path) -> Outcome:
        config = dataclasses.replace(self._config, optim=OptimConfig(lr=1e30, warmup_steps=8))
        with self._start(directory, config=config) as run:
            return _await_ends(run)

    def _fill(self, directory: Path) -> Outcome:
        self._expect(1)
        with small_disk(directory.parent) as fill:
            with self._start(directory) as run:
                run.wait_for("step 20/")
                with fill():
                    outcome = _await_ends(run)
            check_work_directory(directory)
            return self._go_on(directory, 1, outcome)

    def _protect(self, directory: Path) -> Outcome:
        self._expect(1)
        with self._start(directory) as run:
            run.wait_for("step 20/")
            with read_only(directory):
                outcome = _await_ends(run)
        check_work_directory(directory)
        return self._go_on(directory, 1, outcome)

    def _has_reached(self, phase: str, run: Run, directory: Path) -> bool:
        match phase:
            case "preparation":
                return any(self._cache.rglob("*.partial"))
            case "compilation":
                return run.has_printed("compiling")
            case "training":
                return run.has_printed("step 20/")
            case "checkpoint writing":
                return run.has_printed("step 20/") and any((directory / "checkpoints").glob(WRITING))
            case "evaluation":
                return run.has_printed(f"step {EVERY}/")  # this line comes before the evaluation
            case _:
                return any(directory.glob("weights.*"))

    def _start(self, directory: Path, count: int = 1, *, config: Config | None = None) -> Run:
        return Run(directory, config or self._config, self._cache, count=count, heartbeat_timeout=HEARTBEAT)

    def _expect(self, count: int) -> None:
        """Trains without a fault, once for each number of processes. It also fills the cache of compiled programs."""
        if count not in self._expected:
            directory = self._folder / f"straight-{count}"
            with self._start(directory, count) as run:
                for end in run.ends():
                    assert end.status == 0, end
            self._expected[count] = final_arrays(directory, self._config)

    def _go_on(self, directory: Path, count: int, outcome: Outcome) -> Outcome:
        """Starts the same command again, until the run is at its end, and compares its result."""
        with self._start(directory, count) as run:
            has_step = run.wait_until(lambda: run.has_printed("first step"))
            recovery = time.monotonic() - run.began
            for end in run.ends():
                assert end.status == 0, end
        is_same = final_arrays(directory, self._config) == self._expected[count]
        return dataclasses.replace(outcome, recovery=recovery if has_step else None, state=IDENTICAL if is_same else DIFFERENT)


def _await_ends(run: Run, *, frozen: int | None = None) -> Outcome:
    began = time.monotonic()
    ends: list[End] = run.ends(without=() if frozen is None else (frozen,))
    seconds = time.monotonic() - began
    statuses: list[int | None] = [end.status for end in ends]
    if frozen is not None:
        statuses.insert(frozen, None)
    says = max((end.error for end in ends if end.status != 0), key=len, default="")
    return Outcome(tuple(statuses), seconds, says)


def as_row(case: Case, outcome: Outcome) -> tuple[str, ...]:
    """Returns a row of the table."""
    return (
        *case,
        " and ".join("frozen" if status is None else _name(status) for status in outcome.statuses),
        *("-" if seconds is None else f"{seconds:.1f}" for seconds in (outcome.seconds, outcome.recovery)),
        outcome.state,
    )


def _name(status: int) -> str:
    return signal.Signals(-status).name if status < 0 else str(status)


def print_matrix(options: argparse.Namespace, folder: Path) -> bool:
    """Runs the chosen cases, and prints each when it is done, and the table. Returns whether all went on."""
    lab, done = Lab(folder), []
    chosen = [
        case
        for case in CASES
        if case.fault in options.faults and case.phase in options.phases and case.process in options.processes
    ]
    for number, case in enumerate(chosen, 1):
        try:
            outcome = lab.run(case)
        except CannotMountError:
            print(f"{number}/{len(chosen)}  {', '.join(case)}: left out, because this process may not mount", flush=True)
            continue
        except AssertionError as error:
            outcome = Outcome((), None, str(error), state=FAILED)
        done.append((case, outcome))
        print(f"{number}/{len(chosen)}  {', '.join(as_row(case, outcome))}\n    {outcome.says}", flush=True)
    header = ["fault", "phase", "process", "status", "ends after [s]", "to the next step [s]", "final state"]
    print(f"\n{tabulate([as_row(*pair) for pair in done], header, 'github', disable_numparse=True)}\n")
    print_target([outcome.recovery for case, outcome in done if case.fault == "kill -9" and case.phase != "preparation"])
    is_good = not {DIFFERENT, FAILED} & {outcome.state for _, outcome in done}
    if options.json:
        options.json.write_text(json.dumps([case._asdict() | dataclasses.asdict(outcome) for case, outcome in done], indent=1))
    return is_good


def print_kills(options: argparse.Namespace, folder: Path) -> bool:
    """Kills runs at random moments, and prints what became of them. Returns whether all went on."""
    killed = kill_again_and_again(folder, kills=options.kills, seed=options.seed)
    writing = sum(kill.was_writing for kill in killed.kills)
    print(f"{len(killed.kills)} kills with seed {options.seed}, {writing} of them while a checkpoint was written;")
    print(f"{killed.runs} runs came to their ends; arrays that differ: {', '.join(killed.differing) or 'none'}")
    print_target([kill.recovery for kill in killed.kills])
    if options.json:
        options.json.write_text(json.dumps(killed._asdict() | {"kills": [kill._asdict() for kill in killed.kills]}, indent=1))
    return not killed.differing


def print_target(recoveries: list[float | None]) -> None:
    """Prints how long killed runs took to their next step."""
    seconds = [value for value in recoveries if value is not None]
    if seconds:
        print(
            f"kill -9 to the next step: median {statistics.median(seconds):.1f} s, longest {max(seconds):.1f} s "
            f"(target: {TARGET:g} s with compiled programs in the cache)"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    faults = list(dict.fromkeys(case.fault for case in CASES))
    parser.add_argument("--faults", nargs="+", choices=faults, default=faults, metavar="NAME", help=", ".join(faults))
    parser.add_argument("--phases", nargs="+", choices=PHASES, default=PHASES, metavar="NAME", help=", ".join(PHASES))
    parser.add_argument(
        "--processes", nargs="+", choices=PROCESSES, default=list(PROCESSES), metavar="NAME", help=", ".join(PROCESSES)
    )
    parser.add_argument("--kills", type=int, metavar="N", help="kill at random moments N times, instead of the table")
    parser.add_argument("--seed", type=int, default=0, help="draws the moments of --kills (default: 0)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the results to this file")
    options = parser.parse_args()
    jax.config.update("jax_platforms", "cpu")
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores Ctrl-C, and so would the runs
    print(f"jax {jax.__version__}\n", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        is_good = (print_kills if options.kills else print_matrix)(options, Path(folder))
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
