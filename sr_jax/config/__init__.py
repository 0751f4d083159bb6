"""The configuration of an experiment: every key with its type, its meaning and its default.

A config file holds one `config = Config(...)` that states what differs from the defaults. Values are checked when a config is
made, so a wrong value is reported for the file or the flag that gives it. Nothing here is slow to import, so `--help` is quick.
"""

from sr_jax.config import networks
from sr_jax.config.degradations import (
    PRESETS,
    Bicubic,
    ClassicalBlur,
    Degradation,
    DiskBlur,
    GaussianBlur,
    GaussianNoise,
    Jpeg,
    KernelFile,
    MotionBlur,
    Order,
    PoissonNoise,
    SecondOrder,
    ShakeBlur,
    Subsample,
    moved_blur,
)
from sr_jax.config.experiment import Config, DataConfig, EvalConfig, OptimConfig
from sr_jax.config.files import code_of, differences, flat, from_json, keep_code, load, to_json
from sr_jax.config.losses import OwnLoss
from sr_jax.config.names import no_such
from sr_jax.config.network_registry import keys_of
from sr_jax.config.networks import *  # noqa: F403  (one group for each network)
from sr_jax.config.synonyms import find_key

__all__ = [  # pyright: ignore[reportUnsupportedDunderAll]
    "PRESETS",
    "Bicubic",
    "ClassicalBlur",
    "Config",
    "DataConfig",
    "Degradation",
    "DiskBlur",
    "EvalConfig",
    "GaussianBlur",
    "GaussianNoise",
    "Jpeg",
    "KernelFile",
    "MotionBlur",
    "OptimConfig",
    "Order",
    "OwnLoss",
    "PoissonNoise",
    "SecondOrder",
    "ShakeBlur",
    "Subsample",
    "code_of",
    "differences",
    "find_key",
    "flat",
    "from_json",
    "keep_code",
    "keys_of",
    "load",
    "moved_blur",
    "no_such",
    "to_json",
    *networks.__all__,
]
