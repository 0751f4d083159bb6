"""The optimiser and its schedule."""

import optax


def schedule(*, lr: float, warmup_steps: int, final_lr: float, steps: int) -> optax.Schedule:
    """From 0 to `lr` linearly over `warmup_steps`, then to `final_lr` along half a cosine at `steps`."""
    return optax.warmup_cosine_decay_schedule(0.0, lr, warmup_steps, steps, final_lr)


def adam(learning_rate: optax.Schedule, *, b1: float, b2: float) -> optax.GradientTransformation:
    """Adam (Kingma & Ba 2015)."""
    return optax.adam(learning_rate, b1=b1, b2=b2)
