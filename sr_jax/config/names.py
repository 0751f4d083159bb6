"""The nearest known name to one that a user wrote."""

import difflib
from collections.abc import Sequence


def nearest(name: str, names: Sequence[str], *, cutoff: float = 0.3) -> str | None:
    """Returns the known name that is most like an unknown one, ignoring case, or None if none is like it.

    A known name that the unknown one begins with is preferred to one that only looks similar, but not to a small misspelling.
    """
    wanted, known = name.lower(), {known.lower(): known for known in names}
    misspelt = difflib.get_close_matches(wanted, known, n=1, cutoff=max(0.8, cutoff))
    extended = [folded for folded in known if wanted.startswith(folded)]
    similar = difflib.get_close_matches(wanted, known, n=1, cutoff=cutoff)
    matches = misspelt or extended or similar
    return known[matches[0]] if matches else None


def no_such(kind: str, name: str, names: Sequence[str]) -> str:
    """Returns a message about an unknown name: what it should be the name of, and the nearest known one."""
    near = nearest(name, names)
    hint = f"did you mean {near!r}?" if near else f"there are {', '.join(names)}"
    return f"there is no {kind} {name!r}; {hint}"
