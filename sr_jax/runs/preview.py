"""Draws what a training step sees: a contact sheet of its pairs of LR and HR patches.

LR is enlarged by repeating its pixels. The caption of a pair has the values that its degradation drew.
"""

import textwrap
from pathlib import Path
from typing import Any

import jax
import numpy as np
from PIL import Image as PILImage
from PIL import ImageDraw, ImageFont, ImageOps

from sr_jax.assembly import degradation as degradations
from sr_jax.assembly.evaluator import open_evaluation_sets
from sr_jax.assembly.pipeline import make_pipeline, make_sampler
from sr_jax.assembly.training_images import load_training_images
from sr_jax.config import Config
from sr_jax.data.degrade import Pairs
from sr_jax.data.degrade.resample import MODES
from sr_jax.errors import InputError
from sr_jax.system.compilation import use_compilation_cache

GAP = 8
LINE = 15
SIDE = 192
"""Minimum height and width of a patch on the sheet [pixels]."""
INSET = 3
"""The side of a patch is this many times the side of a kernel's picture."""


def preview(config: Config, out: Path, *, count: int, step: int, cache: Path) -> None:
    """Writes the contact sheet of a step.

    Raises:
      InputError: if the config names something that cannot be used, or an option is out of range.
    """
    if count < 1:
        raise InputError(f"--count={count}: give at least 1")
    count = min(count, config.data.batch)
    if not 0 <= step < config.steps:
        raise InputError(f"--step={step}: training has the steps 0 to {config.steps - 1}")
    if out.suffix.lower() != ".png":
        raise InputError(f"--out {out}: give a name that ends in .png")
    if not out.parent.is_dir():
        raise InputError(f"--out {out}: there is no folder {out.parent}")
    pairs = pairs_of_step(config, step, cache)
    picture = sheet(pairs.lr[:count], pairs.hr[:count], {name: values[:count] for name, values in pairs.drawn.items()})
    try:
        picture.save(out)
    except OSError as error:
        raise InputError(f"--out {out} cannot be written ({error.strerror or error})") from None
    print(f"{out}: {count} of the {config.data.batch} pairs of step {step}, LR beside HR")


def pairs_of_step(config: Config, step: int, cache: Path) -> Pairs:
    """Returns the LR and HR patches of a training step (uint8) and the values drawn for them, on the host."""
    use_compilation_cache(cache)
    degradation = degradations.of_training(config)
    margin = degradation.margin  # reads files of kernels, so that a missing one is found before the images are opened
    images = load_training_images(config, degradation, open_evaluation_sets(config, cache), cache)
    plan = make_sampler(config, images).plan(step)
    pipeline = make_pipeline(config, images, margin=margin)
    make_pairs = jax.jit(lambda images, item: degradation.degrade(pipeline.on_device(images, item)))
    return jax.device_get(make_pairs(pipeline.images, pipeline.on_host(plan)))


def sheet(lr: np.ndarray, hr: np.ndarray, drawn: dict[str, np.ndarray]) -> PILImage.Image:
    """Returns the contact sheet, which is about square."""
    zoom = max(1, -(-SIDE // hr.shape[1]))
    side = zoom * hr.shape[1]
    font = ImageFont.load_default(size=12)
    captions = [caption({name: values[i] for name, values in drawn.items()}, width=side // 3) for i in range(len(lr))]
    height = side + LINE * max(len(lines) for lines in captions) + 2 * GAP
    width = 2 * side + 3 * GAP
    columns = min(len(lr), max(1, round((len(lr) * height / width) ** 0.5)))
    rows = -(-len(lr) // columns)
    picture = PILImage.new("RGB", (columns * width, rows * height + GAP), "white")
    draw = ImageDraw.Draw(picture)
    for i, lines in enumerate(captions):
        left, top = (i % columns) * width + GAP, (i // columns) * height + GAP
        for x, patch in ((left, lr[i]), (left + side + GAP, hr[i])):
            factor = side // patch.shape[0]
            picture.paste(PILImage.fromarray(np.repeat(np.repeat(patch, factor, 0), factor, 1)), (x, top))
        kernels = [values[i] for values in drawn.values() if values.ndim == 3]
        for place, kernel in enumerate(kernels):
            inset = kernel_picture(kernel, side // INSET - GAP)
            picture.paste(inset, (left + place * (inset.width + 2), top + side - inset.height))
        for number, line in enumerate(lines):
            draw.text((left, top + side + 2 + number * LINE), line, fill="black", font=font)
    return picture


def kernel_picture(kernel: np.ndarray, side: int) -> PILImage.Image:
    """Draws a kernel, about `side` pixels wide. The largest tap is white, negative taps are blue, and the frame is red."""
    level = kernel / np.abs(kernel).max()
    colours = np.stack([level.clip(0), level.clip(0), np.maximum(level.clip(0), (-level).clip(0) ** 0.5)], -1)
    pixels = np.round(colours * 255).astype(np.uint8)
    factor = max(1, side // len(kernel))
    return ImageOps.expand(PILImage.fromarray(np.repeat(np.repeat(pixels, factor, 0), factor, 1)), 1, "red")


def caption(drawn: dict[str, Any], *, width: int) -> list[str]:
    """Returns the values drawn for one example, without its kernels, in lines of about `width` characters.

    Zeros and False are left out, because what they stand for was not applied.
    """
    parts = [_part(name, value) for name, value in sorted(drawn.items()) if value.ndim < 2 and _tells(name, value)]
    return textwrap.wrap(",  ".join(parts) or "(nothing is drawn)", width)


def _tells(name: str, value: Any) -> bool:
    return _is_index(name) or bool(value.any())


def _is_index(name: str) -> bool:
    """Returns whether a value is an index, where zero means the first."""
    return "resize_mode" in name or "kernel_index" in name


def _part(name: str, value: Any) -> str:
    if value.dtype == bool:
        return name
    if "resize_mode" in name:
        return f"{name}={MODES[int(value)]}"
    return f"{name}={_number(value)}"


def _number(value: Any) -> str:
    if value.ndim:
        return "x".join(map(_number, value))
    return f"{value:.3g}" if value.dtype.kind == "f" else str(value)
