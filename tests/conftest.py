"""Strictness for all tests: four CPU devices, no silent rank promotion, warnings are errors (pyproject.toml)."""

import os
from collections.abc import Iterator
from pathlib import Path

import tests.environment  # noqa: F401

# isort: split
import jax
import numpy as np
import pytest
from PIL import Image

from tests import gcs

ROOT = Path(__file__).parent.parent
MOST_MAPS = 30_000


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


def save(folder: Path, name: str, pixels: np.ndarray) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.squeeze()).save(folder / name)


@pytest.fixture(scope="session")
def sets(tmp_path_factory) -> Path:
    """A folder of sets: Set5 with LR beside it, Set14 with a gray image."""
    from sr_jax.ops.resize import imresize_host

    rng = np.random.default_rng(3)
    folder = tmp_path_factory.mktemp("sets")
    shapes = {"Set5": [(48, 60, 3)] * 3, "Set14": [(44, 40, 3), (46, 41, 1)]}
    for name, sizes in shapes.items():
        for i, (h, w, c) in enumerate(sizes):
            coarse = rng.integers(0, 256, (h // 6, w // 6, c), dtype=np.uint8)
            picture = np.asarray(Image.fromarray(coarse.squeeze()).resize((w, h), Image.Resampling.BICUBIC))
            save(folder / name / "HR", f"{i}.png", picture)
            if name == "Set5":
                save(folder / name / "LRbicx2", f"{i}.png", imresize_host(picture, scale=0.5, kernel="bicubic", antialias=True))
    return folder


@pytest.fixture(scope="module", autouse=True)
def few_programs() -> Iterator[None]:
    """Forgets compiled programs when there are very many. Each maps memory, and Linux allows a process 65,530 maps."""
    yield
    maps = Path("/proc/self/maps")
    if maps.exists() and maps.read_bytes().count(b"\n") > MOST_MAPS:
        jax.clear_caches()


@pytest.fixture(scope="session")
def run(sets, tmp_path_factory, cache) -> Path:
    """A work directory, trained for a few steps, evaluated at 3 and 6."""
    from sr_jax.config import Config, DataConfig, EvalConfig, FSRCNNConfig, OptimConfig
    from sr_jax.runs.train import train

    directory = tmp_path_factory.mktemp("runs") / "tiny"
    folder = str(sets / "Set5/HR")
    config = Config(
        steps=6,
        model=FSRCNNConfig(d=8, s=4, m=1),
        data=DataConfig(name="folder", dir=(folder,), batch=8, patch=16, leaks="allow"),
        optim=OptimConfig(lr=1e-2, warmup_steps=1),
        eval=EvalConfig(sets=(str(sets / "Set14/HR"),), every=3),
    )
    train(config, directory, cache=cache)
    return directory


@pytest.fixture(scope="session")
def _google() -> Iterator[gcs.Cloud]:
    with gcs.serving() as cloud:
        yield cloud


@pytest.fixture
def cloud(_google, monkeypatch) -> Iterator[gcs.Cloud]:
    """A stand-in of Google Cloud Storage with an empty bucket, gs://bucket."""
    for name, value in _google.environment.items():
        monkeypatch.setenv(name, value)
    _google.reset()
    yield _google
    _google.reset()


@pytest.fixture(scope="session")
def pictures(tmp_path_factory) -> Path:
    """A folder of smooth random pictures, one of them gray."""
    rng = np.random.default_rng(2)
    folder = tmp_path_factory.mktemp("pictures")
    for name, shape in {"a": (6, 7, 3), "b": (7, 6, 3), "gray": (6, 6, 1)}.items():
        coarse = rng.integers(0, 256, shape, dtype=np.uint8)
        Image.fromarray(coarse.squeeze()).resize((48, 40), Image.Resampling.BICUBIC).save(folder / f"{name}.png")
    return folder
