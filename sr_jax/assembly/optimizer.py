"""From a config to its optimiser."""

import fnmatch
from collections.abc import Collection
from typing import Any

import optax

from sr_jax.config import Config
from sr_jax.errors import InputError
from sr_jax.models import class_of
from sr_jax.training import optim
from sr_jax.training.state import by_name


def make_learning_rate(config: Config, *, start: int = 0) -> optax.Schedule:
    """Returns the learning rate as a function of the step.

    Args:
      start: the step at which the schedule begins.
    """
    chosen, warmup_steps = config.optim, config.warmup_steps
    if chosen.schedule == "cosine":
        rate = optim.cosine(lr=chosen.lr, warmup_steps=warmup_steps, final_lr=chosen.final_lr, steps=config.steps - start)
    else:
        rate = optim.drops(lr=chosen.lr, warmup_steps=warmup_steps, every=chosen.drop_every, factor=chosen.drop_to)
    return optim.begin_at(start, rate) if start else rate


def make_optimizer(config: Config, params: Any, *, start: int = 0, taken: Collection[str] = ()) -> optax.GradientTransformation:
    """Returns the optimiser of all parameters.

    Args:
      params: the parameters, or their shapes and types.
      start: the step at which the schedule of the learning rate begins.
      taken: the names of the parameters that were taken from `config.init`.

    Raises:
      InputError: if `optim.frozen` names no parameter, or all of them.
    """
    chosen = config.optim
    return optim.make(
        make_learning_rate(config, start=start),
        method=chosen.method,
        b1=chosen.b1,
        b2=chosen.b2,
        weight_decay=chosen.weight_decay,
        clip_norm=chosen.clip_norm,
        clip_value=chosen.clip_value,
        factors=learning_rate_factors(config, list(by_name(params)), taken),
    )


def learning_rate_factors(config: Config, names: list[str], taken: Collection[str]) -> dict[str, float]:
    """Returns the factors on the learning rate of the parameters whose factor is not 1.

    Raises:
      InputError: if `optim.frozen` names no parameter, or nothing is left to train.
    """
    chosen, last = config.optim, class_of(config.model).about.last
    if chosen.last_lr != 1 and not last:
        raise InputError(f"optim.last_lr={chosen.last_lr:g}: {config.model.name} does not say which layer is its last; use 1")
    for pattern in chosen.frozen:
        if not any(_is_frozen(name, (pattern,)) for name in names):
            layers = ", ".join(dict.fromkeys(name.split(".")[0] for name in names))
            raise InputError(f"optim.frozen: no parameter is called {pattern}; the layers of the network are {layers}")
    factors = {}
    for name in names:
        factor = chosen.last_lr if name.startswith(f"{last}.") or name == last else 1.0
        factor *= chosen.init_lr if name in taken else 1.0
        factor *= not _is_frozen(name, chosen.frozen)
        if factor != 1:
            factors[name] = factor
    if len(factors) == len(names) and not any(factors.values()):
        cause = "optim.frozen" if chosen.init_lr else "optim.init_lr=0"
        raise InputError(f"{cause}: no parameter is left to train; use optim.frozen to name only those that shall stay")
    return factors


def _is_frozen(name: str, patterns: Collection[str]) -> bool:
    """Whether a pattern matches a parameter, or a layer that it belongs to."""
    return any(fnmatch.fnmatchcase(name, pattern) or fnmatch.fnmatchcase(name, f"{pattern}.*") for pattern in patterns)
