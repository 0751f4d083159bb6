"""From a config to the evaluator of its run."""

from collections.abc import Sequence
from pathlib import Path

from sr_jax.assembly import evaluation_sets
from sr_jax.assembly.degradation import Degradation
from sr_jax.assembly.evaluation_sets import OpenSet
from sr_jax.config import Config
from sr_jax.data import sources
from sr_jax.errors import InputError, option
from sr_jax.evaluation.evaluator import Evaluator
from sr_jax.evaluation.protocol import choose
from sr_jax.evaluation.rows import Stamp
from sr_jax.evaluation.tiles import PRECISION
from sr_jax.models import About
from sr_jax.system import provenance
from sr_jax.system.places import data_root


def open_evaluation_sets(config: Config, cache: Path) -> list[OpenSet]:
    """Opens the run's evaluation sets.

    Raises:
      InputError: if a set cannot be had, or two sets have the same title.
    """
    with option("eval.sets"):
        root = data_root(config.data.root, cache)
        return evaluation_sets.open_sets(config.eval.sets, scale=config.scale, root=root, cache=cache)


def make_evaluator(config: Config, about: About, degradation: Degradation, held_out: Sequence[OpenSet]) -> Evaluator:
    """Loads the evaluation sets, makes their LR, and scores bicubic on them.

    Args:
      degradation: that of the training images.

    Raises:
      InputError: if a set or the protocol cannot be used.
    """
    degradation = degradation.for_evaluation(config.eval.degradation)
    protocol = choose(config.eval.protocol, channels=[about.channels], rgb_lr=degradation.why_rgb, option="eval.protocol=")
    tasks = []
    for opened in held_out:
        loaded = evaluation_sets.load_set(opened, scale=config.scale)
        with option("data.bad_images"):
            sources.handle_bad_images(loaded.reasons, config.data.bad_images)
        if not loaded.images:
            raise InputError(f"eval.sets: {loaded.title} holds no image that can be scored")
        tasks += evaluation_sets.make_tasks(protocol, loaded, degradation)
    stamp = Stamp(protocol.name, degradation.lr_source, PRECISION, "", provenance.commit())
    with option("eval.sets"):
        return Evaluator(protocol, tasks, stamp=stamp)
