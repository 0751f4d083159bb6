"""What is written to files: whole or not at all, and as JSON can have it."""

import math
import os
from pathlib import Path
from typing import Any


def replace_text(path: Path, text: str) -> None:
    """Writes a text file whole or not at all."""
    replace_bytes(path, text.encode())


def replace_bytes(path: Path, data: bytes) -> None:
    """Writes a file whole or not at all, also while another process writes the same one."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(data)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def without_infinities(values: dict[str, Any]) -> dict[str, Any]:
    """The values with null for what JSON has no number for: infinities and NaN."""
    return {key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in values.items()}
