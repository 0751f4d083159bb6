"""Spreads one per-device function over many devices, by `jax.pmap` or by `jax.jit(jax.shard_map(...))`.

State and constants are replicated. The items of a dispatch are (steps, examples, ...); their examples are spread.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from sr_jax.errors import InputError
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
        mesh = Mesh(np.array(devices), (AXIS,), axis_types=(AxisType.Auto,))  # make_mesh could reorder the devices
        self.replicated = NamedSharding(mesh, PartitionSpec())
        self._examples = NamedSharding(mesh, PartitionSpec(None, AXIS))
        self._local = [d for d in devices if d.process_index == jax.process_index()]
        if kind == "pmap":
            self._run = jax.pmap(
                dispatch, axis_name=AXIS, in_axes=(None, None, 1), out_axes=None, donate_argnums=0, devices=devices
            )
        else:
            # With check_vma, JAX would sum the gradients of replicated parameters over the devices, and then the step would
            # average the sums. Under pmap it gets the gradients of each device.
            mapped = jax.shard_map(
                dispatch,
                mesh=mesh,
                in_specs=(PartitionSpec(), PartitionSpec(), PartitionSpec(None, AXIS)),
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
            return jax.tree.map(lambda a: a.reshape(a.shape[0], n, a.shape[1] // n, *a.shape[2:]), items)
        return jax.tree.map(lambda a: jax.make_array_from_process_local_data(self._examples, np.asarray(a)), items)

    def __call__(self, state: Any, constants: Any, items: Any) -> tuple[Any, Any]:
        """Runs a dispatch. It consumes `state`."""
        return self._run(state, constants, items)
