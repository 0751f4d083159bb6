"""Sets of images on disk."""

import dataclasses
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from PIL import Image as PILImage

from sr_jax.data.ahead import ahead
from sr_jax.data.images import FORMATS, Bad, Image, decode_image
from sr_jax.errors import InputError, TrainingError, printable

BUDGET = 2**28
"""Bytes of decoded images that wait to be taken."""


@dataclasses.dataclass(frozen=True)
class ImageSet:
    """A set of images on disk, in order. Iterating over it decodes the images and never holds more than a few.

    An image that cannot be used appears as Bad in its place.
    """

    title: str
    names: tuple[str, ...]
    fingerprint: str
    """sha256 of what identifies the pixels: names, sizes and modification times of the files, why some cannot be read, source,
    split, and the version of the decoder."""
    citation: str
    licence: str
    read: Callable[[], Iterator[Image | Bad]] = dataclasses.field(repr=False, compare=False)
    place: Path | None = dataclasses.field(default=None, compare=False)
    """The folder of the copy of the files; None if there is none."""

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[Image | Bad]:
        return self.read()


@dataclasses.dataclass(frozen=True)
class Files:
    """Image files in order, each of which can be decoded by itself."""

    files: tuple[tuple[str, Path | Bad], ...]
    """The name and the path of each image; Bad in place of a path if the image cannot be read."""

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Image | Bad:
        """Decodes an image.

        Raises:
          TrainingError: if its file, which could be read before, cannot be read any more.
        """
        name, path = self.files[index]
        if isinstance(path, Bad):
            return Bad(printable(name), path.reason)
        try:
            return Image(name, decode_image(path.read_bytes(), name))
        except InputError as error:
            return Bad(name, str(error))
        except OSError as error:
            raise TrainingError(f"{path} cannot be read any more ({error.strerror}); the same command goes on") from error

    def __iter__(self) -> Iterator[Image | Bad]:
        return ahead(self.__getitem__, range(len(self)), weigh=self.size, budget=BUDGET, threads=os.cpu_count() or 1)

    def size(self, index: int) -> int:
        """Returns the bytes that an image takes, decoded, by what its file claims; 0 if it claims nothing."""
        path = self.files[index][1]
        if isinstance(path, Bad):
            return 0
        try:
            with PILImage.open(path, formats=FORMATS) as image:
                return image.width * image.height * 3
        except Exception:  # Pillow's decoders raise exceptions of all kinds; decoding the image says what is wrong
            return 0


@dataclasses.dataclass(frozen=True)
class FileSet(ImageSet):
    """A set whose images are read from their files, wherever these lie."""

    files: Files = dataclasses.field(kw_only=True, repr=False, compare=False)
