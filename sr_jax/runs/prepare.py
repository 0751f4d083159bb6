"""Prepares the images of a config, by the code with which training prepares them, and prints where they are."""

from collections.abc import Iterable
from pathlib import Path

from sr_jax.assembly import degradation as degradations
from sr_jax.assembly.evaluator import open_evaluation_sets
from sr_jax.assembly.pipeline import make_sampler
from sr_jax.assembly.training_images import load_training_images
from sr_jax.config import Config
from sr_jax.errors import Interrupted
from sr_jax.training.signals import StopSignals


def prepare(config: Config, *, cache: Path) -> None:
    """Prepares the evaluation and training images of a config, unless the cache folder holds them.

    Args:
      cache: the folder for prepared images.

    Raises:
      InputError: if something that the config names cannot be used.
      TrainingError: if the disk becomes full, or prepared images are damaged.
      Interrupted: after SIGTERM or SIGINT.
    """
    with StopSignals() as stop:
        try:
            degradation = degradations.of_training(config)
            _ = degradation.margin  # reads files of kernels, so that a missing one is found now
            held_out = open_evaluation_sets(config, cache)
            images = load_training_images(config, degradation, held_out, cache)
            make_sampler(config, images)  # finds images that are smaller than a patch
        except Interrupted:
            assert stop.received
            raise Interrupted(
                f"stopped by {stop.received.name}; what is finished stays, and the same command goes on"
            ) from None
    evaluation = [held.hr.place for held in held_out if held.hr.place]
    counts = ", ".join(f"{held.title} ({len(held.hr)} images)" for held in held_out)
    pixels = sum(height * width for height, width in images.sizes)
    print(f"evaluation  {counts}")
    print_places(evaluation)
    print(f"training    {len(images.names)} images ({pixels / 1e6:.1f} megapixels), data.pipeline={config.data.pipeline}")
    print_places(images.places)
    print("all is prepared; training with this config, cache folder and pipeline starts at once")


def print_places(places: Iterable[Path]) -> None:
    """Prints folders and their sizes."""
    for place in dict.fromkeys(places):
        size = sum(path.stat().st_size for path in place.rglob("*") if path.is_file())
        print(f"            {size / 2**20:,.1f} MiB in {place}")
