"""The zoo: trained networks that come with the package, each under a name.

The name `fsrcnn-x2` stands for the weights file `fsrcnn_x2.safetensors` in the folder of the zoo, with its card.
"""

from collections.abc import Sequence
from pathlib import Path

from sr_jax.config.names import nearest
from sr_jax.weights.files import SUFFIX

FOLDER = Path(__file__).parents[1] / "zoo"


def files() -> dict[str, Path]:
    """Returns the weights files of the zoo by name. If the package was installed without them, there are none."""
    return {path.stem.replace("_", "-"): path for path in sorted(FOLDER.glob(f"*{SUFFIX}"))}


def unknown(name: str, *, others: Sequence[str]) -> str:
    """Returns what to say about a name that is not in the zoo: which names are like it, and which ones exist.

    Args:
      others: words that may have been meant beside names.
    """
    names = list(files())
    if not names:
        return missing()
    near = nearest(name, [*names, *others], cutoff=0.6)
    return f"{f'did you mean {near!r}? The' if near else 'the'} zoo has {', '.join(names)}"


def missing() -> str:
    """Returns what to say if the package was installed without its weights."""
    return f"the zoo is missing, because {FOLDER} holds no weights; install the package again"
