"""Outputs of other software in small files, beside the script that makes them (`make.py`)."""

from pathlib import Path
from typing import Any

import numpy as np


def load(name: str) -> list[dict[str, Any]]:
    """Reads the cases of `NAME.npz`: dicts of arrays, with the name of the case under `name`."""
    with np.load(Path(__file__).parent / f"{name}.npz") as arrays:
        cases: dict[str, dict[str, Any]] = {}
        for key in arrays.files:
            case, _, field = key.partition("/")
            cases.setdefault(case, {"name": case})[field] = arrays[key]
    return list(cases.values())


def network(name: str) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Reads what PyTorch computed for a case of `tests/models/cases.py`: SR and the state dict."""
    with np.load(Path(__file__).parent / "networks" / f"{name}.npz") as arrays:
        state = {key.removeprefix("state/"): arrays[key] for key in arrays.files if key != "sr"}
        return arrays["sr"], state
