"""After its first dispatch, evaluation and checkpoint, a run compiles nothing and moves no array implicitly."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax._src.lib import guard_lib
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from sr_jax.config import EvalConfig
from sr_jax.runs import train as run
from sr_jax.system.compilation import CompileClock
from sr_jax.training.watchdog import Watchdog
from tests.runs.short_runs import logged, make_config

pytestmark = pytest.mark.slow

ARRAY = type(jnp.zeros(()))


class Guard:
    """From `set` to `lift`, implicit transfers are errors in all threads, and compiled programs are counted.

    JAX's guard lets arrays go from a CPU device to the host, which shares its memory, so these are also caught in Python.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch):
        self.clock = CompileClock()
        self.is_set = False
        self.compiled: int | None = None
        value = ARRAY._value.fget

        def guarded(array: Any) -> np.ndarray:
            is_explicit = guard_lib.thread_local_state().explicit_device_get
            if self.is_set and not is_explicit and threading.current_thread() is threading.main_thread():
                raise RuntimeError(f"Disallowed device-to-host transfer: {array.shape} {array.dtype}")
            return value(array)

        monkeypatch.setattr(ARRAY, "_value", property(guarded))

    def set(self) -> None:
        self.is_set = True
        self.before = self.clock.programs
        jax.config.update("jax_transfer_guard", "disallow")

    def lift(self) -> None:
        jax.config.update("jax_transfer_guard", None)
        if self.is_set:
            self.compiled = self.clock.programs - self.before
        self.is_set = False


@pytest.fixture
def guard(monkeypatch):
    guard = Guard(monkeypatch)
    with guard.clock:
        yield guard
    guard.lift()


def train_guarded(guard: Guard, monkeypatch: pytest.MonkeyPatch, config: Any, directory: Path, cache: Path) -> None:
    """Trains with the guard set from the first beat of the watchdog after an evaluation to the end of the loop."""

    class Setting(Watchdog):
        def beat(self, step: int) -> None:
            super().beat(step)
            if step > config.eval.every and not guard.is_set:
                guard.set()

        def __exit__(self, *error: object) -> None:
            guard.lift()
            super().__exit__(*error)

    monkeypatch.setattr(run, "Watchdog", Setting)
    run.train(config, directory, cache=cache)


@pytest.mark.parametrize(("parallel", "pipeline"), [("shard_map", "resident"), ("pmap", "host")])
def test_nothing_is_compiled_or_moved_implicitly(pictures, cache, tmp_path, monkeypatch, guard, parallel, pipeline):
    evaluation = EvalConfig(sets=(str(pictures),), every=4)
    config = make_config(pictures, parallel=parallel, data={"pipeline": pipeline}, eval=evaluation, log_every=1)
    train_guarded(guard, monkeypatch, config, tmp_path / "run", cache)
    assert guard.compiled == 0
    rows = logged(tmp_path / "run")
    assert len([row for row in rows if "psnr_y" in row]) == 3
    assert len([row for row in rows if "lr" in row]) == 12


def on_all_devices(value: Any) -> Any:
    return jax.device_put(value, NamedSharding(Mesh(np.array(jax.devices()), ("device",)), PartitionSpec()))


@pytest.mark.parametrize(
    ("careless", "complaint"),
    [
        (lambda: jax.jit(jnp.negative)(np.ones(5)), "host-to-device"),
        (lambda: float(on_all_devices(1.5)), "device-to-host"),
        (lambda: np.asarray(on_all_devices(np.ones(3))), "device-to-host"),
    ],
)
def test_the_guard_complains(guard, careless: Callable[[], Any], complaint):
    guard.set()
    with pytest.raises(Exception, match=f"Disallowed {complaint} transfer"):
        careless()
    guard.lift()
    careless()
    guard.set()
    jax.jit(lambda x: x + 3)(jax.device_put(np.ones(7)))
    guard.lift()
    assert guard.compiled == 1
