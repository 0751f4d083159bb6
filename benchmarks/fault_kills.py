"""Runs that are killed again and again at random moments, and started again until they finish."""

import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from benchmarks.fault_runs import WRITING, Run, check_work_directory, draw_pictures, final_arrays, small_config
from sr_jax.config import Config
from sr_jax.training.checkpoint_folder import complete_steps

STEPS = 300
WORKERS = 2
"""Runs at a time. A start keeps about one core busy."""
MOMENTS = {"at the start": 0.15, "while it trains": 0.45, "while a checkpoint is written": 0.4}
"""Each kind of moment with its share of the kills."""
MOST_REPORTS = 6
"""A run is killed after at most so many reports of its steps, each of which comes with a checkpoint."""
AT_THE_START, BETWEEN_REPORTS, WRITING_TIME = 0.5, 0.2, 0.05
"""The longest time [s] from the line `compiling`, from a report, and from the beginning of a checkpoint to the kill."""


class Kill(NamedTuple):
    """One kill of a run."""

    moment: str
    was_writing: bool
    """Whether a checkpoint was written in part when the run had ended."""
    saved: int
    """The step of the newest checkpoint then."""
    recovery: float | None
    """Seconds from the start of the process to its first step; None if it was killed before."""


class Killed(NamedTuple):
    """What became of the runs that were killed."""

    kills: list[Kill]
    runs: int
    """Runs that came to their end, each in a work directory of its own."""
    differing: list[str]
    """Names of the arrays that differ from those of the run that was not disturbed."""


def kill_again_and_again(folder: Path, *, kills: int, seed: int) -> Killed:
    """Kills runs until there were `kills` kills, lets them finish, and compares them with a run that was not disturbed.

    After each kill it checks the work directory as `check_work_directory` does.

    Args:
      folder: a new folder for everything that is written.
      seed: draws the moments.

    Raises:
      AssertionError: if a work directory is not as it must be, or a run does not come to its end.
    """
    config = small_config(draw_pictures(folder / "pictures"), steps=STEPS, evaluate_every=STEPS // 4)
    _finish(folder / "straight", config, folder / "cache")
    expected = final_arrays(folder / "straight", config)
    shares = [kills // WORKERS + (worker < kills % WORKERS) for worker in range(WORKERS)]
    with ThreadPoolExecutor(WORKERS) as pool:
        done = list(pool.map(lambda worker: _kill(folder, worker, config, shares[worker], seed), range(WORKERS)))
    directories = [directory for _, finished in done for directory in finished]
    differing = set()
    for directory in directories:
        arrays = final_arrays(directory, config)
        differing |= {name for name in expected.keys() | arrays.keys() if expected.get(name) != arrays.get(name)}
    return Killed([kill for killed, _ in done for kill in killed], len(directories), sorted(differing))


def _kill(folder: Path, worker: int, config: Config, kills: int, seed: int) -> tuple[list[Kill], list[Path]]:
    """Returns the kills, and the work directories of the runs, all of which have finished."""
    rng, done, finished = random.Random(f"{seed} {worker}"), [], []
    while len(done) < kills:
        directory = folder / f"killed-{worker}-{len(finished)}"
        while len(done) < kills:
            [moment] = rng.choices(list(MOMENTS), list(MOMENTS.values()))
            with Run(directory, config, folder / "cache") as run:
                recovery = _await(moment, run, directory, rng)
                run.processes[0].kill()
                [end] = run.ends()
            check_work_directory(directory)
            if end.status == 0:  # it was faster than the kill
                break
            assert end.status == -signal.SIGKILL, end
            saved = max(complete_steps(directory / "checkpoints"), default=0)
            done.append(Kill(moment, any((directory / "checkpoints").glob(WRITING)), saved, recovery))
        else:
            _finish(directory, config, folder / "cache")
        check_work_directory(directory, is_finished=True)
        finished.append(directory)
    return done, finished


def _await(moment: str, run: Run, directory: Path, rng: random.Random) -> float | None:
    """Waits for such a moment, or for the end of the run. Returns the seconds to the first step, if there was one."""
    run.wait_until(lambda: run.has_printed("compiling"))
    if moment == "at the start":
        time.sleep(rng.uniform(0, AT_THE_START))
        return None
    has_step = run.wait_until(lambda: run.has_printed("first step"))
    recovery = time.monotonic() - run.began
    reports = rng.randint(0, MOST_REPORTS)
    run.wait_until(lambda: run.count_printed("loss") >= reports)
    time.sleep(rng.uniform(0, BETWEEN_REPORTS))
    if moment == "while a checkpoint is written":
        run.wait_until(lambda: any((directory / "checkpoints").glob(WRITING)))
        time.sleep(rng.uniform(0, WRITING_TIME))
    return recovery if has_step else None


def _finish(directory: Path, config: Config, cache: Path) -> None:
    with Run(directory, config, cache) as run:
        [end] = run.ends(timeout=600)
    assert end.status == 0, end
