"""Spreads one per-device function over many devices, by `jax.pmap` or by `jax.jit(jax.shard_map(...))`.

State and constants are replicated. The items of a dispatch are (steps, examples, ...); their examples are spread.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from sr_jax.errors import InputError
from sr_jax.system import processes
from sr_jax.training.step import AXIS


class Spread:
    """Spreads a dispatch, `(state, constants, items) -> (state, metrics)`, over devices.

    Args:
      kind: `shard_map` is the way that JAX develops; `pmap` is older and only maintained. Both give equal results.
      batch: the number of examples in a global batch.
      devices: all devices (`jax.Device`) of all processes.
      parts: the number of equal parts into which the step divides the batch of a device.

    Raises:
      InputError: if the batch cannot be divided among the devices and the parts.
    """

    def __init__(
        self,
        dispatch: Callable[[Any, Any, Any], tuple[Any, Any]],
        *,
        kind: Literal["pmap", "shard_map"],
        batch: int,
        devices: Sequence[Any],
        parts: int = 1,
    ):
        if batch % (shares := len(devices) * parts):
            below = batch // shares * shares
            choices = [str(b) for b in (below, below + shares) if b]
            among = f"{len(devices)} devices" + (f" with {parts} parts each (accumulate={parts})" if parts > 1 else "")
            raise InputError(f"data.batch={batch} cannot be divided among {among}; use {' or '.join(choices)}")
        self._kind = kind
        self._votes: list[Any] = []
        mesh = Mesh(np.array(devices), (AXIS,), axis_types=(AxisType.Auto,))  # make_mesh could reorder the devices
        self.replicated = NamedSharding(mesh, PartitionSpec())
        self._examples = NamedSharding(mesh, PartitionSpec(None, AXIS))
        self._one_each = NamedSharding(mesh, PartitionSpec(AXIS))
        if kind == "pmap":  # its arrays are those of this process, with an axis for the devices
            self._examples, self._one_each = (
                NamedSharding(mesh.local_mesh, sharding.spec) for sharding in (self._examples, self._one_each)
            )
        self._local = [d for d in devices if d.process_index == jax.process_index()]
        self._is_shared = processes.count() > 1
        if self._is_shared:
            run, votes = _with_votes(dispatch), 1
        else:
            run, votes = dispatch, 0
        if kind == "pmap":
            in_axes = (None, None, 1, *[0] * votes)
            self._run = jax.pmap(run, axis_name=AXIS, in_axes=in_axes, out_axes=None, donate_argnums=0, devices=devices)
        else:
            # With check_vma, JAX would sum the gradients of replicated parameters over the devices, and then the step would
            # average the sums. Under pmap it gets the gradients of each device.
            mapped = jax.shard_map(
                run,
                mesh=mesh,
                in_specs=(PartitionSpec(), PartitionSpec(), PartitionSpec(None, AXIS), *[PartitionSpec(AXIS)] * votes),
                out_specs=PartitionSpec(),
                check_vma=False,
            )
            self._run = jax.jit(mapped, donate_argnums=0)

    def replicate(self, tree: Any) -> Any:
        """Copies arrays to every device. The copy shares no memory with the arrays given here, so a dispatch may consume it."""
        host = jax.tree.map(lambda a: np.array(a) if isinstance(a, jax.Array) else a, tree)
        return jax.device_put(host, self.replicated)

    def put(self, items: Any) -> Any:
        """Sends this process's part of a dispatch's items (steps, examples, ...) to its devices."""
        if self._kind == "pmap":
            n = len(self._local)
            items = jax.tree.map(lambda a: a.reshape(a.shape[0], n, a.shape[1] // n, *a.shape[2:]), items)
            return jax.device_put(items, self._examples)
        return jax.tree.map(lambda a: jax.make_array_from_process_local_data(self._examples, np.asarray(a)), items)

    def __call__(self, state: Any, constants: Any, items: Any, *, stop: bool = False) -> tuple[Any, Any]:
        """Runs a dispatch. It consumes `state`.

        Args:
          stop: whether this process wishes to stop; see `must_stop`.
        """
        state, metrics, *votes = self._run(state, constants, items, *self._vote(stop))
        if self._is_shared and self._kind == "pmap":  # its arrays are those of this process; a checkpoint takes global ones
            state = jax.tree.map(self._as_global, state)
        self._votes = [*self._votes[-1:], *votes]
        return state, metrics

    def lower(self, state: Any, constants: Any, items: Any) -> jax.stages.Lowered:
        """Returns the program of a dispatch, for reading what it computes. It runs nothing.

        Args:
          state, constants, items: what the dispatch takes, or the shapes, types and shardings of that.
        """
        return self._run.lower(state, constants, items, *self._vote(False))

    def must_stop(self, wish: bool) -> bool:
        """Returns whether to stop now. All processes get the same answer at the same step.

        In a run of several processes it is whether one of them wished to stop when it began the dispatch before the last one,
        because the last one may still be running. A run of one process stops when it wishes to.

        Args:
          wish: whether this process wishes to stop.
        """
        if not self._is_shared:
            return wish
        return len(self._votes) == 2 and bool(jax.device_get(self._votes[0]) > 0)

    def _as_global(self, array: jax.Array) -> jax.Array:
        """The array of all processes of which this process has the part `array`. Nothing is copied."""
        shards = [shard.data for shard in array.addressable_shards]
        return jax.make_array_from_single_device_arrays(array.shape, self.replicated, shards)

    def _vote(self, stop: bool) -> list[Any]:
        """What a dispatch takes besides: a wish for each device of this process, if there are several processes."""
        if not self._is_shared:
            return []
        vote = np.full(len(self._local), stop, np.float32)
        if self._kind == "pmap":
            return [jax.device_put(vote, self._one_each)]
        return [jax.make_array_from_process_local_data(self._one_each, vote)]


def _with_votes(dispatch: Callable[[Any, Any, Any], tuple[Any, Any]]) -> Callable[..., tuple[Any, Any, Any]]:
    """Adds up the wishes of all devices beside a dispatch."""

    def run(state: Any, constants: Any, items: Any, vote: Any) -> tuple[Any, Any, Any]:
        state, metrics = dispatch(state, constants, items)
        return state, metrics, lax.psum(jnp.sum(vote), AXIS)

    return run
