"""The processes of a run: how they find each other, wait for each other with a bound, and share small data.

A run of one process needs none of it, so then every function here returns at once.
"""

import contextlib
import functools
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
from jax._src import clusters, distributed  # JAX has no public way to detect a cluster, or to share data without devices

from sr_jax.errors import InputError, Interrupted, TrainingError, exit_status
from sr_jax.system.presence import ADVICE, MARGIN, Presence, abort_without_stack, listed

TIMEOUT = 300.0
"""Seconds that a process waits for the others, unless a caller knows better."""
LEAVING = 5.0
"""Seconds that a process waits for the others after an error. They may have none, and then they do not come."""
LEAVING_LAST = 10.0
"""The same for the first process. JAX's service runs in it, and aborts the others if they have not left before."""
STOPPING = 60.0
"""Seconds that a process which a signal stopped waits for the others, which learn of it when they next wait."""
POLL = 0.05
"""Seconds between two looks at who is here."""
STOPPED = "a process was stopped by a signal"
STOPPED_ELSEWHERE = "another process was stopped by a signal; nothing is lost, and the same command goes on"


class Cluster(NamedTuple):
    """How the processes of a run find each other. By default JAX detects the cluster."""

    coordinator: str | None = None
    """HOST:PORT of process 0."""
    processes: int | None = None
    """Number of processes."""
    process: int | None = None
    """Index of this process."""
    is_required: bool = False
    """Whether a cluster must be detected, so that no process runs by itself by mistake."""
    join_timeout: float = TIMEOUT
    """Seconds to wait for the other processes at the beginning."""
    heartbeat_timeout: float = 100.0
    """Seconds without a sign of life after which a process counts as dead."""


@contextlib.contextmanager
def joined(cluster: Cluster) -> Iterator[None]:
    """Makes this process one of a run. It does nothing for a run of one process. No device may have been used before.

    Processes that end in the same way leave together. Where only one of them fails, it leaves without the others, and they end
    with a line that names it. So they do when one is killed or frozen, or its host is lost.

    Raises:
      InputError: if the options contradict each other, or no cluster is detected although one is required.
    """
    if not _joins(cluster):
        yield
        return
    jax.config.update("jax_enable_preemption_service", False)  # it would take SIGTERM away from `StopSignals`
    with (
        _ended_after(
            cluster.join_timeout,
            f"the processes of this run did not find each other within {cluster.join_timeout:g} s; "
            "check --coordinator, and that all processes were started",
        ),
        abort_without_stack(),
    ):
        jax.distributed.initialize(
            cluster.coordinator,
            cluster.processes,
            cluster.process,
            cluster_detection_method="deactivate" if cluster.coordinator else None,  # it would choose devices, too
            initialization_timeout=round(cluster.join_timeout) + 60,  # JAX aborts then, and does not say why
            heartbeat_timeout_seconds=round(cluster.heartbeat_timeout + MARGIN),
            shutdown_timeout_seconds=round(TIMEOUT),
        )
    presence = Presence(
        index=index(),
        count=count(),
        coordinator=distributed.global_state.coordinator_address or "",
        timeout=cluster.heartbeat_timeout,
    )
    with presence:
        try:
            yield
            barrier("the end", can_stop=False)
        except BaseException as error:
            _leave(error, presence)
            raise
    jax.distributed.shutdown()


@contextlib.contextmanager
def _ended_after(seconds: float, message: str) -> Iterator[None]:
    """Ends this process with a message unless the body is left in time."""

    def end() -> None:
        print(f"error: {message}", file=sys.stderr, flush=True)
        os._exit(TrainingError.status)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _leave(error: BaseException, presence: Presence) -> None:
    """Leaves together with the others, if they end as well. Otherwise this process ends here: JAX would wait for them."""
    if _may_be_lost_connection(error):
        presence.explain_lost_connection()
    presence.end_alone()  # another one that ends earlier must not hide this error
    expected, is_stopped = isinstance(error, InputError | TrainingError | Interrupted), isinstance(error, Interrupted)
    if expected:
        with contextlib.suppress(TrainingError, jax.errors.JaxRuntimeError):
            if is_stopped:
                tell(STOPPED)
            patience = LEAVING_LAST if is_first() else LEAVING
            barrier("the end after an error", timeout=STOPPING + patience if is_stopped else patience, can_stop=False)
            presence.__exit__()
            jax.distributed.shutdown()
            return
    status = exit_status(functools.partial(_throw, error)) if expected else 1
    if not expected:
        traceback.print_exception(error)
    sys.stdout.flush()
    sys.stderr.flush()
    if is_stopped:  # they were busy with something that may be done again, such as compiling
        presence.end_others(STOPPED_ELSEWHERE, status=Interrupted.status)
    else:
        presence.end_others(f"process {index()} has ended with an error, which it printed itself. {ADVICE}")
    os._exit(status)


def _may_be_lost_connection(error: BaseException) -> bool:
    """Whether an error goes back to one that is not of this package. Those of connections come in several types."""
    if isinstance(error, InputError | Interrupted):
        return False
    while error.__cause__:
        error = error.__cause__
    return not isinstance(error, InputError | TrainingError | Interrupted)


def _throw(error: BaseException) -> None:
    raise error


def index() -> int:
    """Returns the index of this process."""
    return jax.process_index()


def count() -> int:
    """Returns the number of processes."""
    return jax.process_count()


def is_first() -> bool:
    """Returns whether this process prints, writes, draws and holds the lock."""
    return index() == 0


@contextlib.contextmanager
def quiet_unless_first() -> Iterator[None]:
    """Discards what the other processes print on standard output."""
    if is_first():
        yield
        return
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        yield


def barrier(
    name: str, *, timeout: float = TIMEOUT, can_stop: bool = True, on_wait: Callable[[], object] = lambda: None
) -> None:
    """Waits until all processes are here. Signals are handled while it waits.

    Args:
      name: what they wait for. It must be the same in all processes, and may be used only once in a run.
      timeout: seconds.
      can_stop: whether to give up when a process has left because of a signal.
      on_wait: is called again and again while this process waits.

    Raises:
      TrainingError: naming the processes that did not come in time.
      Interrupted: if `can_stop` and a process has left because of a signal.
    """
    if count() == 1:
        return
    client, until = _client(), time.monotonic() + timeout
    client.key_value_set(f"here/{name}/{index()}", "")
    while True:
        here = {int(key.rsplit("/", 1)[1]) for key, _ in client.key_value_dir_get(f"here/{name}/")}
        missing = sorted({*range(count())} - here)
        if not missing:
            return
        if can_stop and was_told(STOPPED):
            raise Interrupted(STOPPED_ELSEWHERE)
        if time.monotonic() > until:
            raise TrainingError(f"waited {timeout:g} s for {name}, but {listed(missing)} did not come")
        on_wait()
        time.sleep(POLL)


def check_equal(name: str, value: str) -> None:
    """Checks that all processes have the same value.

    Raises:
      InputError: naming the processes that have another value than the first one.
      Interrupted: if a process has left because of a signal.
    """
    values = [data.decode() for data in share(name, value.encode())]
    others = [i for i, other in enumerate(values) if other != values[0]]
    if others:
        raise InputError(f"{name}: process 0 has {values[0]}, but {listed(others)} has {values[others[0]]}")


def share(
    name: str,
    data: bytes,
    *,
    timeout: float = TIMEOUT,
    only_first: bool = False,
    on_wait: Callable[[], object] = lambda: None,
) -> list[bytes]:
    """Returns the data of all processes, in their order.

    Args:
      name: what is shared. It must be the same in all processes, and may be used only once in a run.
      only_first: whether only the first process reads the data; the others get nothing then.
      timeout: seconds to wait for the others.
      on_wait: is called again and again while this process waits for the data of the others.

    Raises:
      TrainingError: naming the processes that did not come in time.
      Interrupted: if a process has left because of a signal.
    """
    if count() == 1:
        return [data]
    client = _client()
    client.key_value_set_bytes(f"{name}/{index()}", data)
    barrier(name, timeout=timeout, on_wait=on_wait)
    sources = [] if only_first and not is_first() else range(count())
    parts = [client.blocking_key_value_get_bytes(f"{name}/{i}", round(1000 * timeout)) for i in sources]
    barrier(f"{name}, read", timeout=timeout)
    client.key_value_delete(f"{name}/{index()}")
    return parts


def tell(name: str) -> None:
    """Tells all processes something that `was_told` answers."""
    if count() > 1:
        _client().key_value_set(f"told/{name}", "", allow_overwrite=True)


def was_told(name: str) -> bool:
    """Returns whether any process has told this."""
    if count() == 1:
        return False
    try:
        _client().key_value_try_get(f"told/{name}")
    except jax.errors.JaxRuntimeError:  # there is no such key
        return False
    return True


def _joins(cluster: Cluster) -> bool:
    """Whether there are other processes to join."""
    given = {"--coordinator": cluster.coordinator, "--processes": cluster.processes, "--process": cluster.process}
    if cluster.processes == 1:
        return False
    if any(value is not None for value in given.values()):
        lacking = [name for name, value in given.items() if value is None]
        if lacking:
            raise InputError(f"{' and '.join(set(given) - set(lacking))} needs {' and '.join(lacking)}, too")
        if not 0 <= (cluster.process or 0) < (cluster.processes or 0):
            raise InputError(
                f"--process {cluster.process} of --processes {cluster.processes}: the processes are numbered from 0 to "
                f"{(cluster.processes or 0) - 1}"
            )
        return True
    detected = _detected()
    if detected is None and cluster.is_required:
        raise InputError(
            "--distributed: no cluster is detected here (Cloud TPU, GKE, SLURM's srun, Open MPI); "
            "give --coordinator, --processes and --process"
        )
    return detected is not None and detected.get_process_count() > 1


def _detected() -> Any:
    """The kind of cluster that JAX detects from environment variables and files, or None."""
    kinds = (kind for kind in clusters.ClusterEnv._cluster_types if not kind.opt_in_only_method)
    return next((kind for kind in kinds if kind.is_env_present()), None)


def detected_name() -> str | None:
    """Returns the kind of cluster that JAX detects, such as SlurmCluster; None if there is none."""
    detected = _detected()
    return detected.__name__ if detected else None


def _client() -> Any:
    return distributed.global_state.client
