"""How long something will go on."""

from tqdm import tqdm


def time_left(seconds: float, *, done: int, rest: int) -> str:
    """Returns the time in which the rest will be done, for people; a question mark as long as it is unknown.

    Args:
      seconds: what the items that are done took.
      done: the number of these items.
      rest: the number of those that are left.
    """
    return tqdm.format_interval(round(seconds / done * rest)) if done else "?"
