"""Draws what training will see: `python -m sr_jax.data preview --config configs/x2.py --out preview.png`.

A contact sheet of one step's pairs: LR, its pixels enlarged by repetition, beside HR, and below them what was drawn.
"""

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sr_jax.config import Config
from sr_jax.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

GAP = 8
LINE = 15
SIDE = 192
"""Height and width of a patch on the sheet, at least [pixels]."""
INSET = 3
"""The share of a patch's side that a kernel's picture takes: a third."""


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
    lr, hr, drawn = batch_of_step(config, step, cache)
    picture = sheet(lr[:count], hr[:count], {name: values[:count] for name, values in drawn.items()})
    try:
        picture.save(out)
    except OSError as error:
        raise InputError(f"--out {out} cannot be written ({error.strerror or error})") from None
    print(f"{out}: {count} of the {config.data.batch} pairs of step {step}, LR beside HR")


def batch_of_step(config: Config, step: int, cache: Path) -> "tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]":
    """LR and HR patches (uint8) and what was drawn, as the training step gets them."""
    import jax  # slow to import: --help and wrong options are answered without them
    import numpy as np

    from sr_jax.build import network as build
    from sr_jax.build import training_images as inputs

    build.use_compilation_cache(cache)
    degrade = build.make_degrade(config)
    images = inputs.load_training_images(config, cache)
    plan = inputs.make_sampler(config, images).plan(step)
    on_host, on_device, resident = inputs.make_pipeline(config, images.packs)
    pairs = jax.device_get(jax.jit(lambda images, item: degrade(on_device(images, item)))(resident, on_host(plan)))
    return np.asarray(pairs.lr), np.asarray(pairs.hr), pairs.drawn


def sheet(lr: "np.ndarray", hr: "np.ndarray", drawn: "dict[str, np.ndarray]") -> "Image":
    """The contact sheet: pairs in rows, as many as make it about square."""
    import numpy as np
    from PIL import Image, ImageDraw, ImageFont

    zoom = max(1, -(-SIDE // hr.shape[1]))
    side = zoom * hr.shape[1]
    font = ImageFont.load_default(size=12)
    captions = [caption({name: values[i] for name, values in drawn.items()}, width=side // 3) for i in range(len(lr))]
    height = side + LINE * max(len(lines) for lines in captions) + 2 * GAP
    width = 2 * side + 3 * GAP
    columns = min(len(lr), max(1, round((len(lr) * height / width) ** 0.5)))
    rows = -(-len(lr) // columns)
    picture = Image.new("RGB", (columns * width, rows * height + GAP), "white")
    draw = ImageDraw.Draw(picture)
    for i, lines in enumerate(captions):
        left, top = (i % columns) * width + GAP, (i // columns) * height + GAP
        for x, patch in ((left, lr[i]), (left + side + GAP, hr[i])):
            factor = side // patch.shape[0]
            picture.paste(Image.fromarray(np.repeat(np.repeat(patch, factor, 0), factor, 1)), (x, top))
        kernels = [values[i] for values in drawn.values() if values.ndim == 3]
        for place, kernel in enumerate(kernels):
            inset = kernel_picture(kernel, side // INSET - GAP)
            picture.paste(inset, (left + place * (inset.width + 2), top + side - inset.height))
        for number, line in enumerate(lines):
            draw.text((left, top + side + 2 + number * LINE), line, fill="black", font=font)
    return picture


def kernel_picture(kernel: "np.ndarray", side: int) -> "Image":
    """A kernel in grey, its largest tap white, its negative ones blue; about `side` pixels wide, with a red frame."""
    import numpy as np
    from PIL import Image, ImageOps

    level = kernel / np.abs(kernel).max()
    colours = np.stack([level.clip(0), level.clip(0), np.maximum(level.clip(0), (-level).clip(0) ** 0.5)], -1)
    pixels = np.round(colours * 255).astype(np.uint8)
    factor = max(1, side // len(kernel))
    return ImageOps.expand(Image.fromarray(np.repeat(np.repeat(pixels, factor, 0), factor, 1)), 1, "red")


def caption(drawn: dict[str, Any], *, width: int) -> list[str]:
    """What was drawn of one example, but its kernels, in lines of about `width` characters.

    What is zero or false is left out: it was not applied, or does not apply to the kind that was drawn.
    """
    parts = [_part(name, value) for name, value in sorted(drawn.items()) if value.ndim < 2 and _tells(name, value)]
    return textwrap.wrap(",  ".join(parts) or "(nothing is drawn)", width)


def _tells(name: str, value: Any) -> bool:
    return _is_index(name) or bool(value.any())


def _is_index(name: str) -> bool:
    """Whether a number says which, and zero is the first."""
    return "resize_mode" in name or "kernel_index" in name


def _part(name: str, value: Any) -> str:
    if value.dtype == bool:
        return name
    if "resize_mode" in name:
        from sr_jax.data.degrade.resample import MODES  # slow to import

        return f"{name}={MODES[int(value)]}"
    return f"{name}={_number(value)}"


def _number(value: Any) -> str:
    if value.ndim:
        return "x".join(map(_number, value))
    return f"{value:.3g}" if value.dtype.kind == "f" else str(value)
