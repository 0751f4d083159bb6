"""The configuration of an experiment: every key, its type, its meaning and its default.

A config file holds one `config = Config(...)` that states what differs from the defaults here. Values are checked when a
config is made, so a wrong one is found in the file or the flag that gives it. Nothing heavy is imported: `--help` is quick.
"""

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
from sr_jax.config.experiment import Config, DataConfig, EvalConfig, FSRCNNConfig, OptimConfig
from sr_jax.config.files import differences, flat, from_json, load, to_json

__all__ = [
    "PRESETS",
    "Bicubic",
    "ClassicalBlur",
    "Config",
    "DataConfig",
    "Degradation",
    "DiskBlur",
    "EvalConfig",
    "FSRCNNConfig",
    "GaussianBlur",
    "GaussianNoise",
    "Jpeg",
    "KernelFile",
    "MotionBlur",
    "OptimConfig",
    "Order",
    "PoissonNoise",
    "SecondOrder",
    "ShakeBlur",
    "Subsample",
    "differences",
    "flat",
    "from_json",
    "load",
    "moved_blur",
    "to_json",
]
