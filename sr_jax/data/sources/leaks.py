"""Finds training images that are also evaluation images, by their pixels, by those of a corner, or by their names."""

from collections.abc import Mapping
from pathlib import PurePosixPath

from sr_jax.data.sources import checksums
from sr_jax.data.sources.checksums import Sum
from sr_jax.errors import printable

# The validation images of BSDS500, which are the test images of BSDS300, are B100.
B100 = frozenset(
    """
    3096 8023 12084 14037 16077 19021 21077 24077 33039 37073 38082 38092 41033 41069 42012 42049 43074 45096 54082 55073
    58060 62096 65033 66053 69015 69020 69040 76053 78004 85048 86000 86016 86068 87046 89072 97033 101085 101087 102061
    103070 105025 106024 108005 108070 108082 109053 119082 123074 126007 130026 134035 143090 145086 147091 148026 148089
    156065 157055 159008 160068 163085 167062 167083 170057 175032 175043 182053 189080 196073 197017 208001 210088 216081
    219090 220075 223061 227092 229036 236037 241004 241048 253027 253055 260058 271035 285079 291000 295087 296007 296059
    299086 300091 302008 304034 304074 306005 351093 361010 376043 385039
    """.split()  # noqa: SIM905
)
WOMAN = "302003"
"""The Berkeley photograph from which Set5's `woman` was cut."""


def find(training: Mapping[str, Sum], evaluation: Mapping[str, Mapping[str, Sum]]) -> list[str]:
    """Returns a line for each training image that is also an evaluation image.

    Args:
      training: maps the name of each training image to its checksum.
      evaluation: maps the title of each evaluation set to the same for its images. Set5 and Set14 are always included.
    """
    known = _known(evaluation)
    whole = {image.sha256: title for title, image in known.items()}
    corners = {image.corner: title for title, image in known.items() if image.corner}
    lines = []
    for name, image in training.items():
        if image.sha256 in whole:
            lines.append(f"{name} has the pixels of {whole[image.sha256]}")
        elif image.corner in corners:
            lines.append(f"{name} has the top left corner of {corners[image.corner]}")
        elif title := by_name(name, image):
            lines.append(f"{name} is, by its name and size, {title}")
    return [printable(line) for line in lines]


def by_name(name: str, image: Sum) -> str | None:
    """Describes the evaluation image with the name and size of this image; None if there is none.

    Only Berkeley photographs are recognised. They have 481x321 pixels.
    """
    short, long = sorted((image.height, image.width))
    if not (300 <= short <= 321 and 460 <= long <= 481):  # it may be cropped to multiples of a scale
        return None
    number = PurePosixPath(name).stem
    if number == WOMAN:
        return "the photograph of woman in Set5"
    return f"image {number} of B100" if number in B100 else None


def _known(evaluation: Mapping[str, Mapping[str, Sum]]) -> dict[str, Sum]:
    """Maps descriptions of the evaluation images to their checksums."""
    sets = {title: checksums.published(title) for title in ("Set5", "Set14")}
    return {f"{name} in {title}": image for title, sums in (*sets.items(), *evaluation.items()) for name, image in sums.items()}
