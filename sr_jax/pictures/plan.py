"""Plans the results of all pictures before any is computed: formats, sizes, names, and what cannot work."""

import math
from collections.abc import Sequence
from pathlib import PurePath
from typing import NamedTuple

from sr_jax.errors import InputError
from sr_jax.pictures import names, read
from sr_jax.pictures.formats import FORMATS, problem, target
from sr_jax.pictures.names import Source
from sr_jax.pictures.picture import CMYK, RGB, Header

Size = tuple[int, int]


class Wishes(NamedTuple):
    """What the user wants of the results. None stands for what follows from the input."""

    format: str | None = None
    bits: int | None = None
    """Those of a sample. Pictures have 8 or 16, videos 8 or 10; the other number changes nothing."""
    outscale: float | None = None
    width: int | None = None
    height: int | None = None
    to_srgb: bool = False


class Job(NamedTuple):
    """A picture that is to be enlarged."""

    source: Source
    header: Header
    format: str
    dtype: str
    """Type of the samples of the result."""
    size: Size
    """Height and width of the result [pixels]."""
    to_srgb: bool
    output: PurePath
    """Name of the result in the folder of the results."""
    in_strips: bool = False
    """Whether the picture is never held as a whole, because the memory does not suffice."""
    rows: int = 0
    """Rows of its file that are decoded at once, if it is read in strips."""
    pages: tuple["Job", ...] = ()
    """The pages, if there are several. The other fields describe the first one."""

    @property
    def parts(self) -> tuple["Job", ...]:
        """The frames or pages. A picture has one."""
        return self.pages or (self,) * self.header.frames

    @property
    def raw_bytes(self) -> int:
        """Bytes of the samples of the result, with all its frames or pages."""
        return sum(page.raw_bytes for page in self.pages) if self.pages else self.header.frames * self._raw_bytes

    @property
    def _raw_bytes(self) -> int:
        return math.prod(self.size) * self._samples * BYTES[self.dtype]

    @property
    def file_bytes(self) -> int:
        """Typical size of the file of the result."""
        return round(self.raw_bytes * FORMATS[self.format].bytes_per_sample)

    @property
    def _samples(self) -> int:
        return self.header.channels + self.header.has_alpha

    def memory(self, *, scale: int, self_ensemble: bool) -> int:
        """Returns about how many bytes of memory the picture and its result take while it is enlarged.

        Frames and pages are decoded and enlarged one after another. The results of frames are held until the file is written;
        pages are written one by one, and the first is held.
        """
        if self.pages:
            return self._raw_bytes + max(page.memory(scale=scale, self_ensemble=self_ensemble) for page in self.pages)
        pixels = math.prod(self.header.shape) * self._samples
        given = pixels * (BYTES[self.header.dtype] + 2 * BYTES["float32"])
        is_resized = self_ensemble or self.size != (scale * self.header.height, scale * self.header.width)
        floats = 3 * BYTES["float32"] * pixels * scale**2 + 8 * math.prod(self.size) * self._samples if is_resized else 0
        if self.header.is_animation:
            return given + floats + 3 * self._raw_bytes + 2 * self.raw_bytes
        return given + floats + 3 * self.raw_bytes


class Jobs(NamedTuple):
    """What can be done, and the reasons why the rest cannot."""

    jobs: list[Job]
    bad: dict[str, str]
    """By the label of the picture; the reason contains it."""


BYTES = {"uint8": 1, "uint16": 2, "float32": 4}


def make_jobs(sources: Sequence[Source], wishes: Wishes, *, label: str, scale: int, data: dict[Source, bytes]) -> Jobs:
    """Reads the headers of all pictures, and plans their results.

    Args:
      label: the name of the model in names of files.
      scale: the factor of the network.
      data: the bytes of pictures that are not files.

    Raises:
      InputError: if two results would have one name.
    """
    drafts: list[Job] = []
    bad: dict[str, str] = {}
    for source in sources:
        try:
            drafts.append(_draft(source, wishes, scale=scale, data=data))
        except (InputError, OSError) as error:
            strerror = getattr(error, "strerror", None)
            bad[source.label] = f"{source.label}: cannot be read ({strerror})" if strerror else str(error)
    suffixes = [names.result_suffix(job.source, job.format) for job in drafts]
    endings = [ending(job.size, wishes, label=label, scale=scale) for job in drafts]
    outputs = names.settle([job.source for job in drafts], endings, suffixes)
    return Jobs([job._replace(output=output) for job, output in zip(drafts, outputs, strict=True)], bad)


def result_size(shape: Size, wishes: Wishes, *, scale: int) -> Size:
    """Returns height and width of a result, rounded to whole pixels. If only one of them is given, the shape is kept."""
    height, width = shape
    if wishes.height and wishes.width:
        return wishes.height, wishes.width
    if wishes.height or wishes.width:
        factor = wishes.height / height if wishes.height else (wishes.width or 0) / width
        return wishes.height or _rounded(height * factor), wishes.width or _rounded(width * factor)
    factor = wishes.outscale or float(scale)
    return _rounded(height * factor), _rounded(width * factor)


def _draft(source: Source, wishes: Wishes, *, scale: int, data: dict[Source, bytes]) -> Job:
    header = read.read_header(source.path or data[source], source.label)
    name = target(header, wishes.format)
    job = _part(source, header, name, wishes, scale=scale, page="")
    count = len(header.pages)
    pages = [
        _part(source, one, name, wishes, scale=scale, page=f"page {i} of {count}: ") for i, one in enumerate(header.pages, 1)
    ]
    return job._replace(pages=tuple(pages))


def _part(source: Source, header: Header, name: str, wishes: Wishes, *, scale: int, page: str) -> Job:
    """The job of a picture, or of a page."""
    to_srgb = wishes.to_srgb or (header.space == CMYK and CMYK not in FORMATS[name].spaces)
    to_srgb = to_srgb or (name == "gif" and header.dtype == "uint8")  # GIF holds no profile
    if to_srgb and header.space == CMYK:
        header = header._replace(space=RGB, channels=3)
    dtype = f"uint{wishes.bits}" if wishes.bits in (8, 16) else header.dtype
    size = result_size(header.shape, wishes, scale=scale)
    if reason := problem(header, name, size=size, dtype=dtype):
        raise InputError(f"{source.label}: {page}{reason}")
    return Job(source, header, name, dtype, size, to_srgb, source.name)


def ending(size: Size, wishes: Wishes, *, label: str, scale: int) -> str:
    """Returns what follows the stem in the name of a result.

    Args:
      size: height and width of the result.
      label: the name of the model.
    """
    if wishes.width or wishes.height:
        return f"_{label}_{size[1]}x{size[0]}"
    return f"_{label}_x{wishes.outscale or scale:g}"


def _rounded(value: float) -> int:
    return max(1, math.floor(value + 0.5))
