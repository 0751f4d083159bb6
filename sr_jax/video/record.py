"""The folders in which unfinished videos keep their segments."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

from sr_jax.system.files import parse_json, replace_text

FOLDER, ABOUT = "videos", "about.json"


def prepare(records: Path, output: str, *, input_sha256: str, made_by: dict[str, Any]) -> Path:
    """Returns the folder for the segments of a result. Those of the same result that were made of something else are removed.

    Args:
      records: the folder of the records.
      output: the name of the result.
      made_by: all that changes the result.

    Raises:
      OSError: if the folder cannot be written.
    """
    about = {"output": output, "input_sha256": input_sha256, "made_by": made_by}
    text = json.dumps(about, sort_keys=True)
    folder = records / FOLDER / hashlib.sha256(text.encode()).hexdigest()[:16]
    for other in (records / FOLDER).glob(f"*/{ABOUT}"):
        if other.parent != folder and _output(other) == output:
            shutil.rmtree(other.parent)
    folder.mkdir(parents=True, exist_ok=True)
    replace_text(folder / ABOUT, text)
    return folder


def remove(folder: Path) -> None:
    """Removes the segments of a result that is done."""
    shutil.rmtree(folder)
    if not any(folder.parent.iterdir()):
        folder.parent.rmdir()


def _output(about: Path) -> str | None:
    try:
        return parse_json(about.read_bytes(), str(about)).get("output")
    except (OSError, ValueError):
        return None
