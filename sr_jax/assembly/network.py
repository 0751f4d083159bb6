"""From a config to its network, and to what that network minimises."""

import contextlib
import functools
import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array

from sr_jax import models
from sr_jax.assembly.degradation import Degradation
from sr_jax.config import Config, OwnLoss, own_code, title
from sr_jax.config.losses import short_name, terms
from sr_jax.config.network_registry import own_module, own_source
from sr_jax.errors import InputError
from sr_jax.evaluation.protocol import KNOWN_BLUR
from sr_jax.models import About, Known
from sr_jax.system.memory import device_memory
from sr_jax.training.losses import LOSSES
from sr_jax.training.step import Metrics, Objective

Loss = Callable[[Array, Array], Array]
"""`(SR, HR) -> loss`, both b h w c in [0, 1]."""


class Network(NamedTuple):
    """A network in functional form."""

    about: About
    graph: Any
    """The module without its parameters."""
    params: Any
    """A nested dict named by attribute. It holds arrays, or their shapes and types."""

    def apply(self, params: Any, lr: Array, known: Known | None = None) -> Array:
        """Returns SR for LR, b h w c in [0, 1]; `about` says how many channels, and whether the network is told the blur."""
        module = nnx.merge(self.graph, params)
        return module(lr) if known is None else module(lr, known)


def make_module(config: Config) -> Any:
    """Returns the network of a config as a Flax module, freshly initialised.

    Raises:
      InputError: if the network does not have this scale, or one of the user's own cannot be made.
    """
    with _own_network(config):
        return models.make(config.model, scale=config.scale, seed=config.seed)


def make_network(config: Config) -> Network:
    """Returns the network of a config, freshly initialised.

    Raises:
      InputError: if the network does not have this scale, is too large for the memory, or is one of the user's own that cannot
        be made.
    """
    _check_memory(config, memory=device_memory())
    return _split(make_module(config))


def abstract_network(config: Config) -> Network:
    """Returns the network of a config with shapes and types in place of parameters. Nothing is initialised.

    Raises:
      InputError: if the network does not have this scale, or one of the user's own cannot be made.
    """
    return _split(nnx.eval_shape(lambda: make_module(config)))


def _check_memory(config: Config, *, memory: int) -> None:
    """Refuses a network that cannot be trained: beside each parameter, memory holds its gradient and its moving average."""
    parameters = sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(abstract_network(config).params))
    size = 3 * 4 * parameters
    if size > memory:
        raise InputError(
            f"model: {title(config.model)} has {parameters:,} parameters. Training takes at least {size / 2**30:,.0f} GiB for "
            f"them, and a device has {memory / 2**30:.0f} GiB; use a smaller network"
        )


def make_objective(config: Config, network: Network, degradation: Degradation) -> Objective:
    """Returns what training minimises: the loss of the config, or the network's own way of using it.

    Its metrics are the losses of a weighted sum, each without its weight, as `loss_NAME`.

    Raises:
      InputError: if the network, or its loss, must be told a blur that the degradation does not tell, if patches are too small
        for a loss, or if a network or a loss of the user's own cannot be used.
    """
    if network.about.is_told:
        degradation.require_blur(config.model.name)
    weight = getattr(config.model, "kernel_loss", 0)
    if weight and not degradation.tells_blur:
        raise InputError(
            f"model.kernel_loss={weight:g} compares with the blur kernel, which the degradation ({degradation.title}) does not "
            f"say; {KNOWN_BLUR}; or model.kernel_loss=0"
        )
    functions = {short_name(loss): _function(loss) for _, loss in terms(config.loss)}
    weights = [weight for weight, _ in terms(config.loss)]
    is_sum = not isinstance(config.loss, str)

    def total(sr: Array, hr: Array) -> Array:
        values = [function(sr, hr) for function in functions.values()]
        return sum((w * value for w, value in zip(weights, values, strict=True)), jnp.zeros(())) if is_sum else values[0]

    def evaluate(params: Any, lr: Array, hr: Array, known: Known | None) -> tuple[Array, Metrics]:
        module = nnx.merge(network.graph, params)
        if hasattr(module, "objective"):
            value_of = functools.partial(_call_objective, config, module, lr, hr, known)
        else:
            with _own_network(config):
                sr = (module(lr, known) if network.about.is_told else module(lr)).astype(jnp.float32)
            value_of = functools.partial(_call, sr, hr)
        return value_of(total), {f"loss_{name}": value_of(one) for name, one in functions.items()} if is_sum else {}

    def objective(params: Any, lr: Array, hr: Array, drawn: dict[str, Array], constants: Any) -> tuple[Array, Metrics]:
        del constants  # none of the losses has any yet
        return evaluate(params, lr, hr, degradation.known(drawn, examples=lr.shape[0]))

    _check(config, network, evaluate, tells_blur=degradation.tells_blur)
    return objective


def _call_objective(config: Config, module: Any, lr: Array, hr: Array, known: Known | None, loss: Loss) -> Array:
    with _own_network(config):
        return module.objective(lr, hr, known, loss=loss)


def _call(sr: Array, hr: Array, loss: Loss) -> Array:
    return loss(sr, hr)


def _function(loss: str) -> Loss:
    """The function of a loss. One of the user's own is checked whenever it is called, because no size is known before."""
    if not isinstance(loss, OwnLoss):
        return LOSSES[loss]

    def checked(sr: Array, hr: Array) -> Array:
        with own_code.refusing(f"loss={loss}", loss.source.code if loss.source else None):
            value = jnp.asarray(loss.function(sr, hr))
        if value.shape or not jnp.issubdtype(value.dtype, jnp.floating):
            raise InputError(f"loss={loss} must return one real number, but returns {_describe(value)}; take the mean")
        return value

    return checked


def _check(config: Config, network: Network, evaluate: Any, *, tells_blur: bool) -> None:
    """Tries what the user chose or wrote on the shapes of a patch, before images are read. Nothing is computed.

    Raises:
      InputError: if patches are too small for a loss, or if a network or a loss of the user's own cannot be used.
    """
    about, patch = network.about, config.data.patch
    make: Any = functools.partial(jax.ShapeDtypeStruct, dtype=jnp.float32)
    lr, hr = (make((1, side, side, about.channels)) for side in (patch // config.scale, patch))
    known = Known(make((1, 9, 9)), make((1,))) if tells_blur else None
    if own_module(config.model):
        with _own_network(config):
            sr = jax.eval_shape(network.apply, network.params, lr, *([known] if about.is_told else []))
            if sr.shape != hr.shape or not jnp.issubdtype(sr.dtype, jnp.floating):
                raise InputError(
                    f"for LR of {_describe(lr)} it must return SR of {_describe(hr)}, but it returns {_describe(sr)}"
                )
    elif config.loss in ("l1", "mse", "charbonnier"):
        return  # these work for patches of any size
    jax.eval_shape(evaluate, network.params, lr, hr, known)


def _own_network(config: Config) -> AbstractContextManager[None]:
    """Turns whatever a network of the user's own raises into an InputError."""
    if not own_module(config.model):
        return contextlib.nullcontext()
    source = own_source(config.model)
    return own_code.refusing(f"model={config.model.name}", source.code if source else None)


def _describe(array: Any) -> str:
    return f"shape {tuple(array.shape)} and type {array.dtype}"


def _split(module: Any) -> Network:
    graph, variables, others = nnx.split(module, nnx.Param, ...)
    if names := [".".join(map(str, path)) for path, _ in nnx.to_flat_state(others)]:
        raise InputError(
            f"{module.about.name} has variables that are not parameters: {', '.join(names)}; training changes only parameters, "
            "so leave out layers with a state, such as BatchNorm and Dropout"
        )
    return Network(module.about, graph, nnx.to_pure_dict(variables))
