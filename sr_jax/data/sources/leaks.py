"""Training images that are evaluation images: known by their names, by their pixels, or by those of a corner."""

from collections.abc import Mapping
from pathlib import PurePosixPath

from sr_jax.data.sources import checksums
from sr_jax.data.sources.checksums import Sum

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
"""The photograph of Berkeley's of which Set5's `woman` is a part."""


def find(training: Mapping[str, Sum], evaluation: Mapping[str, Mapping[str, Sum]]) -> list[str]:
    """One line for each training image that is an evaluation image.

    Args:
      training: name -> sum of the pixels.
      evaluation: title of each set of the run -> the same of its images. Set5 and Set14 are compared with always.
    """
    known = _known(evaluation)
    whole = {image.sha256: whose for whose, image in known.items()}
    corners = {image.corner: whose for whose, image in known.items() if image.corner}
    found = []
    for name, image in training.items():
        if image.sha256 in whole:
            found.append(f"{name} has the pixels of {whole[image.sha256]}")
        elif image.corner in corners:
            found.append(f"{name} has the top left corner of {corners[image.corner]}")
        elif whose := by_name(name, image):
            found.append(f"{name} is, by its name and size, {whose}")
    return found


def by_name(name: str, image: Sum) -> str | None:
    """Which evaluation image a file with the name and size of a Berkeley photograph is; those have 481x321 pixels."""
    short, long = sorted((image.height, image.width))
    if not (300 <= short <= 321 and 460 <= long <= 481):  # cropped to a multiple of some scale perhaps
        return None
    number = PurePosixPath(name).stem
    if number == WOMAN:
        return "the photograph of woman in Set5"
    return f"image {number} of B100" if number in B100 else None


def _known(evaluation: Mapping[str, Mapping[str, Sum]]) -> dict[str, Sum]:
    """Which evaluation image -> its sum."""
    sets = {title: checksums.published(title) for title in ("Set5", "Set14")}
    return {f"{name} in {title}": image for title, sums in (*sets.items(), *evaluation.items()) for name, image in sums.items()}
