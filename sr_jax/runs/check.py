"""Makes a result again, and compares it with the one that is there."""

import itertools
import json
import re
import tempfile
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sr_jax.errors import InputError, option, printable
from sr_jax.pictures import read
from sr_jax.pictures.formats import FORMATS
from sr_jax.pictures.origin import Origin, from_note, read_origin
from sr_jax.pictures.records import Records
from sr_jax.pictures.report import Report
from sr_jax.system.files import sha256_of
from sr_jax.video.containers import SUFFIXES
from sr_jax.weights import zoo

OPTIONS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("width", "height", "quality", "bits"), (int,)),
    **dict.fromkeys(("outscale", "noise"), (int, float)),
    **dict.fromkeys(("format", "alpha", "kernel"), (str,)),
    **dict.fromkeys(("self_ensemble", "to_srgb", "strip_metadata"), (bool,)),
}
"""The options that a note may hold, with the types of their values."""
CHOICES: dict[str, Collection[Any]] = {"format": FORMATS, "alpha": ("bicubic",), "bits": (8, 16)}
"""The values that some of them may have."""
HASH = r"[0-9a-f]{64}"
DIGITS = 12
"""Digits of a hash in messages."""


class Change(NamedTuple):
    """How a result differs from the one that is made again."""

    greatest: float
    """Greatest difference of a sample [levels of its type, or values of floating point]."""
    share: float
    """Share of the pixels that differ, from 0 to 1."""


def origin_of(result: str, *, kernel: str | None) -> tuple[Origin, dict[str, Any]]:
    """Returns what made a result, and its options.

    Args:
      kernel: the kernel file that the user gives, because a note holds only the hash of such a file.

    Raises:
      InputError: if this is not known, the note has an option or a value that this version does not know, or the kernel file is
        missing.
    """
    if Path(result).suffix.lower() in SUFFIXES:
        raise InputError(f"--check {result}: only pictures are made again, not videos")
    with option("--check"):
        origin = read_origin(Path(result).expanduser())
    options = dict(origin.options)
    for name, value in options.items():
        kinds = OPTIONS.get(name, ())
        is_known = isinstance(value, kinds) and (isinstance(value, bool) == (bool in kinds))
        if not is_known or value not in CHOICES.get(name, (value,)):
            raise InputError(f"--check {result}: its note has {name}={value!r:.40}, which this version does not know")
    if re.fullmatch(HASH, str(options.get("kernel", ""))):
        if kernel is None:
            raise InputError(
                f"--check {result}: it was made with a kernel file (sha256 {options['kernel'][:DIGITS]}); give it with --kernel"
            )
        options["kernel"] = kernel
    return origin, options


def model_of(origin: Origin, *, result: str) -> str:
    """Returns the model that made a result, if it is one of the zoo, or lies where its name says.

    Raises:
      InputError: if it is not found.
    """
    for name, path in zoo.files().items():
        if sha256_of(path) == origin.model_sha256:
            return name
    path = Path(origin.model)
    if path.is_file() and sha256_of(path) == origin.model_sha256:
        return origin.model
    digits = origin.model_sha256[:DIGITS]
    raise InputError(f"--check {result}: it was made by {origin.model} (sha256 {digits}); give this model with --model")


def run(
    result: str,
    source: str,
    *,
    origin: Origin,
    as_json: bool,
    remake: Callable[[Path, Report], int],
) -> int:
    """Makes a result again, and prints what differs. Returns the exit status: 0 for the same pixels, 1 for others.

    Another version of this software that makes the same pixels of the same input by the same model is named, but not counted.

    Args:
      result, source: the files of the result and of its input.
      origin: what made the result.
      remake: makes it again in a folder, and returns the exit status.

    Raises:
      InputError: if it cannot be made again.
    """
    with tempfile.TemporaryDirectory(prefix="sr_jax-") as folder:
        report = Report(as_json=False, to_stderr=False, is_quiet=True)
        if remake(Path(folder), report) or report.bad:
            raise InputError(f"--check {result}: it cannot be made again: {printable(next(iter(report.bad.values()), source))}")
        (record,) = Records(Path(folder)).all()
        again = Path(folder) / record.output
        now = from_note({**record.made_by, "input_sha256": record.input_sha256})
        lines = dict(_others(origin, now, source))
        if sha256_of(again) == sha256_of(Path(result)):
            change = Change(0, 0)
        else:
            change, sizes, unit = _compare(Path(result), again)
            if sizes:
                lines["size"] = sizes
            elif change.greatest:
                lines["pixels"] = _describe(change, unit, is_only={*lines} <= {"version"})
    is_same = not {*lines} - {"version"}
    if as_json:
        values = {"input": source, "result": result, "status": "same" if is_same else "different", "differs": lines}
        print(json.dumps(values if "size" in lines else {**values, **change._asdict()}))
        return 0 if is_same else 1
    for what, line in lines.items():
        print(f"{printable(result)}: other {what}: {printable(line)}")
    if not change.greatest and "size" not in lines:
        print(f"{printable(result)}: the same pixels are made again of {printable(source)}")
    return 0 if is_same else 1


def _others(then: Origin, now: Origin, source: str) -> Iterator[tuple[str, str]]:
    """What else than the pixels differs, and how."""
    if then.input_sha256 != now.input_sha256:
        was, given = then.input_sha256[:DIGITS], now.input_sha256[:DIGITS]
        yield "input", f"it was made of a file with sha256 {was}, and {source} has {given}"
    if then.model_sha256 != now.model_sha256:
        was, given = f"{then.model} with sha256 {then.model_sha256[:DIGITS]}", f"{now.model} has {now.model_sha256[:DIGITS]}"
        yield "model", f"it was made by {was}, and {given}"
    if then.software != now.software:
        yield "version", f"it was made by {then.software}, and this is {now.software}"
    if then.options.get("kernel") != now.options.get("kernel"):
        was, given = (str(options.get("kernel"))[:DIGITS] for options in (then.options, now.options))
        yield "kernel", f"it was made with sha256 {was}, and the file that is given has {given}"


def _compare(result: Path, again: Path) -> tuple[Change, str, str]:
    """The change of the pixels, how sizes or types differ, and the unit of the change."""
    greatest, differing, total, unit = 0.0, 0, 0, ""
    for ours, theirs in itertools.zip_longest(*(read.decode_all(path, str(path)) for path in (result, again))):
        if ours is None or theirs is None:
            counts = [sum(1 for _ in read.decode_all(path, str(path))) for path in (result, again)]
            return Change(0, 0), f"it has {counts[0]} frames or pages; made again, it has {counts[1]}", ""
        a, b = ours.to_array(), theirs.to_array()
        if (a.shape, a.dtype) != (b.shape, b.dtype):
            size, other = (f"{x.shape[1]}x{x.shape[0]} pixels, {x.shape[2]} channels, {x.dtype}" for x in (a, b))
            return Change(0, 0), f"it has {size}; made again, it has {other}", ""
        difference = np.abs(a.astype(np.float64) - b.astype(np.float64)).max(-1)
        greatest, total = max(greatest, float(difference.max())), total + difference.size
        differing += int((difference > 0).sum())
        unit = f" levels of {np.iinfo(a.dtype).max}" if a.dtype.kind == "u" else ""
    return Change(greatest, differing / total), "", unit


def _describe(change: Change, unit: str, *, is_only: bool) -> str:
    text = f"the greatest difference is {change.greatest:g}{unit}, and {100 * change.share:.3g}% of the pixels differ"
    is_rounding = is_only and unit and change.greatest <= 1
    return f"{text}; another device, or another version of JAX, may round so" if is_rounding else text
