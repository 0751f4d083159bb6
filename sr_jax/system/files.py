"""Writes files whole or not at all, and makes values fit for JSON."""

import math
import os
from pathlib import Path
from typing import Any


def replace_text(path: Path, text: str) -> None:
    """Writes a text file whole or not at all."""
    replace_bytes(path, text.encode())


def replace_bytes(path: Path, data: bytes) -> None:
    """Writes a file whole or not at all, even while another process writes the same file."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(data)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def without_infinities(values: dict[str, Any]) -> dict[str, Any]:
    """Returns the values with None in place of infinities and NaN, because JSON has no such numbers."""
    return {key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in values.items()}
