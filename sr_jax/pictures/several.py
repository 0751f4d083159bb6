"""Decodes what a job holds: a picture, the frames of an animation, or the pages of a file."""

from collections.abc import Iterator

from sr_jax.errors import InputError
from sr_jax.pictures import metadata, read
from sr_jax.pictures.picture import Picture
from sr_jax.pictures.plan import Job


def decoded(job: Job, content: bytes) -> Iterator[Picture]:
    """Decodes the frames or pages of a job, each when it is asked for. A picture has one.

    Args:
      content: the bytes of the file.

    Raises:
      InputError: if the file is damaged, its colours cannot be converted, or it has other frames than its header said.
    """
    pictures = read.decode_all(content, job.source.label)
    for part in job.parts:
        picture = next(pictures, None)
        if picture is None or picture.pixels.shape[:2] != part.header.shape:
            raise InputError(f"{job.source.label}: changed while it was enlarged, or is damaged")
        yield metadata.to_srgb(picture) if part.to_srgb else picture
