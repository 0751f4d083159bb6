"""The networks: one paper, one file, and one line here."""

from sr_jax.models.fsrcnn import FSRCNN

MODELS = {"fsrcnn": FSRCNN}
