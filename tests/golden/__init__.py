"""Outputs of other software, kept in small files beside the script that made them (`make.py`)."""

from pathlib import Path
from typing import Any

import numpy as np


def load(name: str) -> list[dict[str, Any]]:
    """The cases of `name.npz`: dicts of arrays, with their name under `name`."""
    with np.load(Path(__file__).parent / f"{name}.npz") as arrays:
        cases: dict[str, dict[str, Any]] = {}
        for key in arrays.files:
            case, _, field = key.partition("/")
            cases.setdefault(case, {"name": case})[field] = arrays[key]
    return list(cases.values())


def network(name: str) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """SR that PyTorch computed of a case of `tests/models/cases.py`, and its state dict."""
    with np.load(Path(__file__).parent / "networks" / f"{name}.npz") as arrays:
        state = {key.removeprefix("state/"): arrays[key] for key in arrays.files if key != "sr"}
        return arrays["sr"], state
