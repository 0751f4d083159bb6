"""What training minimises: a loss by name, a function of one's own, or a weighted sum of several."""

import math
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import PlainValidator

from sr_jax.config import own_code
from sr_jax.config.names import no_such
from sr_jax.config.own_code import Source

LOSSES = ("l1", "mse", "charbonnier", "ssim", "fft")
"""The losses that have a name."""

SPELLING = 'write for example "l1", or ((1.0, "l1"), (0.1, "fft")) for a weighted sum'


class OwnLoss(str):
    """A loss of one's own: `FILE:NAME`, with the function itself."""

    function: Callable[..., Any]
    """`(sr, hr) -> loss`."""
    source: Source | None
    """Where it is defined; None if that is not a file that a config file imports."""

    def __new__(cls, name: str, function: Callable[..., Any], source: Source | None) -> "OwnLoss":
        """Gives a function a name, which is the one in its file."""
        self = super().__new__(cls, f"{source.file}:{name}" if source else name)
        self.function, self.source = function, source
        return self

    def __deepcopy__(self, memo: Any) -> "OwnLoss":
        """Keeps the function: `dataclasses.asdict` copies values."""
        return self


def short_name(loss: str) -> str:
    """Returns the name of a loss as logs have it: without its file."""
    return loss.rpartition(":")[2]


def terms(loss: Any) -> tuple[tuple[float, str], ...]:
    """Returns the weights and the losses of a config's loss, also if it is a single one."""
    return ((1.0, loss),) if isinstance(loss, str) else loss


def own_losses(loss: Any) -> list[OwnLoss]:
    """Returns those of a config's losses that are the user's own."""
    return [one for _, one in terms(loss) if isinstance(one, OwnLoss)]


def check_loss(value: Any) -> Any:
    """Returns a loss as configs hold it: a name, an OwnLoss, or a tuple of (weight, name or OwnLoss).

    Raises:
      ValueError: if the value is none of these.
    """
    if isinstance(value, str) or callable(value):
        return _check_one(value)
    if not isinstance(value, tuple | list) or not value:
        raise ValueError(f"it is not a loss; {SPELLING}")
    pairs = []
    for item in value:
        if not isinstance(item, tuple | list) or len(item) != 2:
            raise ValueError(f"{item!r} is not a pair of a weight and a loss; {SPELLING}")
        pairs.append((_check_weight(item[0]), _check_one(item[1])))
    names = [short_name(loss) for _, loss in pairs]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ValueError(f"{twice} is there twice; add up its weights")
    return tuple(pairs)


Loss = Annotated[str | tuple[tuple[float, str | Callable[..., Any]], ...] | Callable[..., Any], PlainValidator(check_loss)]
"""The type of `Config.loss`."""


def _check_weight(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not (0 < value < math.inf):
        raise ValueError(f"the weight {value!r} must be a positive number; {SPELLING}")
    return float(value)


def _check_one(value: Any) -> str:
    if isinstance(value, OwnLoss) or (isinstance(value, str) and value in LOSSES):
        return value
    if isinstance(value, str):
        raise ValueError(no_such("loss", value, list(LOSSES)))
    if not callable(value):
        raise ValueError(f"{value!r} is not a loss; {SPELLING}")
    if found := own_code.find_name(value):
        return OwnLoss(found[0], value, found[1])
    name = getattr(value, "__name__", "")
    if own_code.is_importing() or not name.isidentifier():
        raise ValueError("a loss of your own needs a name at the top of a file: def NAME(sr, hr)")
    return OwnLoss(name, value, None)
