"""From a config to its optimiser."""

import optax

from sr_jax.config import Config
from sr_jax.models import MODELS
from sr_jax.training import optim


def make_learning_rate(config: Config) -> optax.Schedule:
    """Returns the learning rate as a function of the step."""
    chosen = config.optim
    if chosen.schedule == "cosine":
        return optim.cosine(lr=chosen.lr, warmup_steps=chosen.warmup_steps, final_lr=chosen.final_lr, steps=config.steps)
    return optim.drops(lr=chosen.lr, warmup_steps=chosen.warmup_steps, every=chosen.drop_every, factor=chosen.drop_to)


def make_optimizer(config: Config) -> optax.GradientTransformation:
    """Returns the optimiser of all parameters."""
    chosen = config.optim
    return optim.make(
        make_learning_rate(config),
        method=chosen.method,
        b1=chosen.b1,
        b2=chosen.b2,
        weight_decay=chosen.weight_decay,
        clip_norm=chosen.clip_norm,
        clip_value=chosen.clip_value,
        last=MODELS[config.model.name].about.last,
        last_lr=chosen.last_lr,
    )
