"""Strictness for all tests: four CPU devices, no silent rank promotion, warnings are errors (pyproject.toml)."""

import os
from pathlib import Path

os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["JAX_NUM_CPU_DEVICES"] = "4"
os.environ["JAX_NUMPY_RANK_PROMOTION"] = "raise"

import jax
import numpy as np
import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def research_images() -> Path:
    """The folder of research images (Set5 and so on) that the environment variable SR_JAX_DATA names."""
    folder = os.environ.get("SR_JAX_DATA")
    if not folder:
        pytest.skip("SR_JAX_DATA does not name the folder of research images")
    path = Path(folder)
    assert path.is_dir(), f"SR_JAX_DATA={folder} is no folder"
    return path


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder that the tests of one session share."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _four_devices() -> None:
    assert jax.device_count() == 4
