from sr_jax.data.images import Image
from sr_jax.data.sources import ImageSet, split_usable


def read(image_set: ImageSet) -> list[Image]:
    """All images of a set, none of which may be bad."""
    images, reasons = split_usable(image_set)
    assert not reasons
    return images
