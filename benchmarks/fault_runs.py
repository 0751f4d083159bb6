"""Training runs as processes, which are started, harmed and compared, for `benchmarks/faults.py` and for `tests/faults`."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, NamedTuple

import jax
import numpy as np
from PIL import Image

from sr_jax.assembly.network import make_network
from sr_jax.assembly.optimizer import make_optimizer
from sr_jax.config import Config, DataConfig, EvalConfig, FSRCNNConfig, OptimConfig, to_json
from sr_jax.system.paths import AnyPath
from sr_jax.training import checkpoint_folder, state
from sr_jax.training.checkpoint import Checkpoints

ROOT = Path(__file__).parent.parent
POLL = 0.002
"""Seconds between two looks at a folder."""
WRITING = "*.orbax-checkpoint-tmp*"
"""Checkpoints that are being written."""
PARTIAL = (WRITING, "*.partial")


class CannotMountError(Exception):
    """This process may not mount file systems."""


class End(NamedTuple):
    """How a process ended."""

    status: int
    """Negative if a signal ended it."""
    out: str
    err: str

    @property
    def error(self) -> str:
        """The last line on standard error, without `error: `."""
        lines = [line for line in self.err.splitlines() if line.strip()]
        return lines[-1].removeprefix("error: ") if lines else ""


class Run:
    """The processes of one run, started as a launcher starts them. Leaving it kills those that are alive.

    Args:
      directory: the work directory; the config lies beside it.
      count: number of processes.
      devices: number of devices of each process.
      elsewhere: the work directory of all processes but the first, if it is another one.
      start: what Python runs.
    """

    def __init__(
        self,
        directory: AnyPath,
        config: Config,
        cache: Path,
        *,
        count: int = 1,
        devices: int = 1,
        elsewhere: Path | None = None,
        start: Sequence[str] = ("-m", "sr_jax.train"),
        heartbeat_timeout: int = 30,
    ):
        directory.parent.mkdir(exist_ok=True, parents=True)
        file = directory.with_suffix(".json")
        file.write_text(to_json(config))
        port = _free_port()
        environment = os.environ | {"JAX_NUM_CPU_DEVICES": str(devices), "PYTHONUNBUFFERED": "1", "JAX_PLATFORMS": "cpu"}
        self.began = time.monotonic()
        self.processes: list[subprocess.Popen[str]] = []
        self._lines: list[list[str]] = []
        self._readers: list[threading.Thread] = []
        for index in range(count):
            argv = ["--config", str(file), "--cache_dir", str(cache)]
            argv += ["--workdir", str(elsewhere if index and elsewhere else directory)]
            if count > 1:
                argv += [f"--coordinator=127.0.0.1:{port}", f"--processes={count}", f"--process={index}"]
                argv += [f"--heartbeat_timeout={heartbeat_timeout}"]
            process = subprocess.Popen(
                [sys.executable, *start, *argv],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                cwd=ROOT,
                env=environment,
            )
            self.processes.append(process)
            for stream in (process.stdout, process.stderr):
                lines: list[str] = []
                self._lines.append(lines)
                self._readers.append(threading.Thread(target=_read, args=(stream, lines), daemon=True))
                self._readers[-1].start()

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, *error: object) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
        for reader in self._readers:
            reader.join()
        for process in self.processes:
            for stream in (process.stdout, process.stderr):
                if stream:
                    stream.close()

    def count_printed(self, text: str) -> int:
        """Returns how many lines with this text the first process has printed on standard output."""
        return sum(text in line for line in list(self._lines[0]))

    def has_printed(self, text: str) -> bool:
        """Returns whether the first process has printed this on standard output."""
        return self.count_printed(text) > 0

    def wait_for(self, text: str, *, timeout: float = 180) -> float:
        """Waits until the first process has printed this, and returns the seconds since the start.

        Raises:
          AssertionError: if it ended before, or does not print it in time.
        """
        if not self.wait_until(lambda: self.has_printed(text), timeout=timeout):
            raise AssertionError(f"{text!r} was not printed:\n{''.join(self._lines[0] + self._lines[1])}")
        return time.monotonic() - self.began

    def wait_until(self, condition: Callable[[], bool], *, timeout: float = 180) -> bool:
        """Waits for a condition, and returns whether it came true before the first process ended."""
        until = time.monotonic() + timeout
        while time.monotonic() < until:
            has_ended = self.processes[0].poll() is not None
            if has_ended:
                self._readers[0].join(timeout=5)
            if condition():
                return True
            if has_ended:
                return False
            time.sleep(POLL)
        return False

    def ends(self, *, timeout: float = 180, without: Sequence[int] = ()) -> list[End]:
        """Waits for the ends of all processes, except those that are frozen, and returns them.

        Raises:
          AssertionError: if one of them does not end in time.
        """
        until, ends = time.monotonic() + timeout, []
        for index, process in enumerate(self.processes):
            if index not in without:
                try:
                    process.wait(timeout=max(1.0, until - time.monotonic()))
                except subprocess.TimeoutExpired:
                    raise AssertionError(f"process {index} does not end: {self._lines[2 * index + 1]}") from None
                for reader in self._readers[2 * index : 2 * index + 2]:
                    reader.join(timeout=5)
                ends.append(End(process.returncode, *("".join(lines) for lines in self._lines[2 * index : 2 * index + 2])))
        return ends


def _read(stream: IO[str], lines: list[str]) -> None:
    for line in stream:
        lines.append(line)  # one by one, so that others see each line when it comes


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def draw_pictures(folder: Path, *, count: int = 3, size: tuple[int, int] = (48, 40)) -> Path:
    """Writes smooth random pictures into a new folder, and returns it."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(2)
    for index in range(count):
        coarse = rng.integers(0, 256, (6, 7, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).save(folder / f"{index}.png")
    return folder


def small_config(
    pictures: Path, *, steps: int, evaluate_on: Path | None = None, evaluate_every: int | None = None, checkpoint_every: int = 5
) -> Config:
    """A run of a tiny network, which writes checkpoints often. By default it is evaluated only at its end."""
    return Config(
        steps=steps,
        model=FSRCNNConfig(d=4, s=2, m=1),
        data=DataConfig(name="folder", dir=(str(pictures),), leaks="allow", batch=8, patch=16, threads=1),
        optim=OptimConfig(lr=1e-3, warmup_steps=2),
        eval=EvalConfig(sets=(str(evaluate_on or pictures),), every=evaluate_every or steps),
        log_every=checkpoint_every,
        checkpoint_every=checkpoint_every,
        keep=3,
    )


def final_arrays(directory: Path, config: Config) -> dict[str, bytes]:
    """The bytes of every array of the state after the last step, by name: parameters, their average, and the optimizer's.

    Raises:
      AssertionError: if the last step is not saved.
    """
    params = make_network(config).params
    with Checkpoints(directory / "checkpoints", keep=3, read_only=True) as checkpoints:
        assert checkpoints.latest() == config.steps, f"{directory}: the newest checkpoint is that of {checkpoints.latest()}"
        restored = checkpoints.restore(state.create(params, make_optimizer(config, params)))
    leaves, _ = jax.tree_util.tree_flatten_with_path(restored)
    return {jax.tree_util.keystr(path): np.asarray(leaf).tobytes() for path, leaf in leaves}


def check_work_directory(directory: Path, *, is_finished: bool = False) -> None:
    """Checks what must hold at every moment, also right after a kill: no step is logged twice, and no checkpoint is damaged.

    Args:
      is_finished: whether nothing that was written in part may be left, because the run has come to its end.

    Raises:
      AssertionError: naming what does not hold.
    """
    file = directory / "metrics.jsonl"
    lines = file.read_text().splitlines() if file.exists() else []
    rows = [json.loads(line) for line in lines[: len(lines) if is_finished else -1]]  # a kill may cut the last line
    steps = [(row["step"], "psnr_y" in row) for row in rows]
    assert len(steps) == len(set(steps)), f"{file} has a step twice: {steps}"
    folder = directory / "checkpoints"
    for step in checkpoint_folder.complete_steps(folder):
        assert checkpoint_folder.has_manifest(folder / str(step)), f"checkpoint {step} has no manifest"
        damage = checkpoint_folder.find_damage(folder, step)
        assert damage is None, f"checkpoint {step} is damaged: {damage}"
    if is_finished:
        left = [str(path) for pattern in PARTIAL for path in directory.rglob(pattern)]
        assert not left, f"written in part: {left}"
        assert not list(folder.glob("*.damaged*")), "a checkpoint was set aside"


def flip_a_bit(checkpoint: Path) -> None:
    """Flips one bit in the largest file of a checkpoint's arrays."""
    file = max((checkpoint / "default").rglob("d/*"), key=lambda path: path.stat().st_size)
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


@contextlib.contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Makes a folder read-only for everybody, root too, by a mount over it. Files that are open can still be written.

    Raises:
      CannotMountError: if this process may not mount.
    """
    with tempfile.TemporaryDirectory() as aside:
        try:
            _run("mount", "--bind", folder, aside)
        except (OSError, subprocess.CalledProcessError) as error:
            raise CannotMountError from error
        try:
            _run("mount", "-o", "remount,ro,bind", aside)  # in place, it would fail while a file is open there
            _run("mount", "--bind", aside, folder)
            try:
                yield
            finally:
                _run("umount", "--lazy", folder)
        finally:
            _run("umount", "--lazy", aside)


@contextlib.contextmanager
def small_disk(folder: Path, *, megabytes: int = 16) -> Iterator[Callable[[], contextlib.AbstractContextManager[None]]]:
    """Mounts a small disk in memory on a folder. It yields a context manager, within which this disk is full.

    Raises:
      CannotMountError: if this process may not mount.
    """

    @contextlib.contextmanager
    def full() -> Iterator[None]:
        with contextlib.suppress(OSError), (folder / "filler").open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        yield
        (folder / "filler").unlink()

    try:
        _run("mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", folder)
    except (OSError, subprocess.CalledProcessError) as error:
        raise CannotMountError from error
    try:
        yield full
    finally:
        _run("umount", "--lazy", folder)


def _run(*arguments: str | Path) -> None:
    subprocess.run([*map(str, arguments)], check=True, capture_output=True)
