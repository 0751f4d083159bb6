"""Enlarges pictures and videos: `python -m sr_jax.upscale INPUT... --model WEIGHTS --out DIR`.

This file reads the command line; `runs/upscale.py` enlarges, and `docs/using.md` shows examples.
"""

import dataclasses
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from sr_jax.cli.options import MODEL, CacheDir, Switch
from sr_jax.cli.parsing import parse
from sr_jax.errors import InputError, exit_status
from sr_jax.system.places import cache_folder

SUMMARY = "Enlarge pictures and videos with a trained network."

UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".avif", ".heic", ".heif")
SUFFIXES = (*PICTURES, ".mp4", ".mov", ".mkv", ".webm")
FORMATS = Literal["png", "jpeg", "webp", "tiff", "bmp", "gif", "avif", "heif"]
CODECS = Literal["h264", "h265", "vp9", "av1"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arguments:
    """The options of this command."""

    inputs: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="INPUT ...")]
    """Pictures, videos, folders of them (their subfolders are kept), or - for a picture on standard input."""
    model: Annotated[str | None, tyro.conf.arg(metavar=MODEL, help_behavior_hint="(required)")] = None
    """Trained network: a name of the zoo such as fsrcnn-x2 (`python -m sr_jax.networks` lists them), the work directory of
    a run, a .safetensors file with its card, or a repository of the Hugging Face Hub (hf://USER/REPOSITORY@REVISION)."""
    out: Annotated[str | None, tyro.conf.arg(metavar="DIR|-", help_behavior_hint="(required)")] = None
    """Folder of the results, which are called STEM_MODEL_x2.EXT. -: standard output, for a single picture."""
    checkpoint: Literal["latest", "best"] = "latest"
    """Which checkpoint of a work directory."""
    scale: Annotated[int | None, tyro.conf.arg(metavar="INT", help_behavior_hint="")] = None
    """Stop unless the network enlarges by this factor."""
    outscale: Annotated[float | None, tyro.conf.arg(metavar="FLOAT", help_behavior_hint="")] = None
    """Enlarge by this factor: the network's result is resized by bicubic interpolation before it is rounded to 8 or 16 bits."""
    width: Annotated[int | None, tyro.conf.arg(metavar="PIXELS", help_behavior_hint="")] = None
    """Width of the results. Without --height, their shape is kept."""
    height: Annotated[int | None, tyro.conf.arg(metavar="PIXELS", help_behavior_hint="")] = None
    """Height of the results. Without --width, their shape is kept."""
    format: Annotated[FORMATS | None, tyro.conf.arg(help_behavior_hint="(default: that of each input)")] = None
    """Format of the results. Animations become GIF, PNG, WebP or AVIF, and several pages TIFF. Videos keep their container."""
    quality: Annotated[int | None, tyro.conf.arg(metavar="INT", help_behavior_hint="(default: 95 for JPEG, else 90)")] = None
    """Quality of JPEG, WebP, AVIF, HEIF and videos, from 1 to 100. JPEG keeps the full resolution of colours (4:4:4).
    For videos, 80 is the default of their encoder, and 10 less raise its CRF by 5 (h264, h265) or 7 (vp9, av1)."""
    codec: Annotated[
        CODECS | None, tyro.conf.arg(help_behavior_hint="(default: h264, h265 for 10 bits; in WebM vp9 and av1)")
    ] = None
    """Codec of videos."""
    bits: Annotated[Literal["8", "10", "16"] | None, tyro.conf.arg(help_behavior_hint="(default: those of each input)")] = None
    """Bits of a sample of the results: 8 or 16 for pictures, 8 or 10 for videos."""
    alpha: Literal["network", "bicubic"] = "network"
    """What enlarges transparency."""
    self_ensemble: Annotated[Switch, tyro.conf.arg(help_behavior_hint="")] = False
    """Take the mean over the eight turns and reflections of each picture. It takes eight times as long, for about 0.1 dB."""
    kernel: Annotated[str | None, tyro.conf.arg(metavar="gaussian:SIGMA|FILE", help_behavior_hint="")] = None
    """Blur of the pictures, for networks that must be told it: a Gaussian [pixels of the result], or a kernel file
    (.npy, .npz, .mat or .png)."""
    noise: Annotated[float | None, tyro.conf.arg(metavar="FLOAT", help_behavior_hint="")] = None
    """Standard deviation of the noise in the pictures [grey levels of 255], for networks that must be told it."""
    to_srgb: Annotated[Switch, tyro.conf.arg(help_behavior_hint="")] = False
    """Convert colours to sRGB with each picture's profile, which is kept otherwise."""
    strip_metadata: Annotated[Switch, tyro.conf.arg(help_behavior_hint="")] = False
    """Keep nothing of the metadata but the colour profile, and do not write what made the picture into it."""
    memory: Annotated[str | None, tyro.conf.arg(metavar="SIZE", help_behavior_hint="(default: what is free)")] = None
    """Memory that this process may use, such as 2GiB."""
    verify: Annotated[Switch, tyro.conf.arg(help_behavior_hint="")] = False
    """Compute random windows of each picture also without tiles, and print the greatest difference."""
    compare: Annotated[Switch, tyro.conf.arg(help_behavior_hint="")] = False
    """Write a page RESULT.html beside each result, which compares it with bicubic interpolation, and with HR of --hr."""
    hr: Annotated[str | None, tyro.conf.arg(metavar="FOLDER|FILE", help_behavior_hint="")] = None
    """HR pictures with the same names as the inputs, for the pages of --compare."""
    check: Annotated[str | None, tyro.conf.arg(metavar="RESULT", help_behavior_hint="")] = None
    """Write nothing, but make this result again of INPUT, with the options that its file notes, and compare the two."""
    overwrite: Annotated[Switch, tyro.conf.arg(help_behavior_hint="")] = False
    """Replace files that this command did not write. An input is never replaced."""
    dry_run: Annotated[Switch, tyro.conf.arg(help_behavior_hint="")] = False
    """Print what would be done, and write nothing."""
    json: Annotated[Switch, tyro.conf.arg(help_behavior_hint="")] = False
    """Print one line of JSON for each picture."""
    cache_dir: CacheDir = None


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit status: 0 all pictures are enlarged, 1 some could not be, 2 bad input, 130 interrupted."""
    return exit_status(lambda: _upscale(argv))


def _upscale(argv: Sequence[str] | None) -> int:
    arguments = parse(Arguments, argv, prog="python -m sr_jax.upscale", description=SUMMARY)
    _check_places(arguments)
    if arguments.check:
        return _make_again(arguments, arguments.check)
    memory = _check(arguments)
    from sr_jax.runs import upscale  # slow to import, so --help and wrong options are answered first

    return upscale.run(upscale.Settings(**_settings(arguments, memory)))


def _settings(arguments: Arguments, memory: int | None) -> dict[str, Any]:
    names = [field.name for field in dataclasses.fields(arguments) if field.name != "check"]
    values: dict[str, Any] = {name: getattr(arguments, name) for name in names}
    return values | {
        "out": None if arguments.out in (None, "-") else Path(arguments.out).expanduser(),
        "bits": int(arguments.bits) if arguments.bits else None,
        "memory": memory,
        "cache": cache_folder(values.pop("cache_dir")),
    }


def _make_again(arguments: Arguments, result: str) -> int:
    """Makes a result again with the options that its note holds, and compares the two."""
    from sr_jax.runs import check, upscale

    for name in check.OPTIONS.keys() - {"kernel"}:
        if getattr(arguments, name) != getattr(Arguments, name):
            raise InputError(f"--{name}: --check takes this option from the note of the result; leave it out")
    origin, options = check.origin_of(result, kernel=arguments.kernel)
    options |= {"bits": str(options["bits"])} if "bits" in options else {}
    model = arguments.model or check.model_of(origin, result=result)
    noted = dataclasses.replace(arguments, model=model, **options)
    settings = upscale.Settings(**_settings(noted, _check(noted)))

    def remake(folder: Path, report: Any) -> int:
        return upscale.run(settings._replace(out=folder), report)

    return check.run(result, arguments.inputs[0], origin=origin, as_json=arguments.json, remake=remake)


def _check_places(arguments: Arguments) -> None:
    """Checks which options go together."""
    if not arguments.inputs:
        raise InputError("name at least one picture or folder, or - for standard input")
    if arguments.check:
        if len(arguments.inputs) != 1 or "-" in arguments.inputs or Path(arguments.inputs[0]).expanduser().is_dir():
            raise InputError("--check: give the result and its one input, as in --check large.png photo.png")
        for name in ("out", "compare", "hr", "overwrite", "dry_run"):
            if getattr(arguments, name):
                raise InputError(f"--{name}: cannot be used with --check, which writes nothing")
        return
    if arguments.model is None:
        raise InputError("--model: give a trained network, such as fsrcnn-x2 or the work directory of a run")
    if arguments.out is None:
        raise InputError("--out: give a folder for the results, or - for standard output")
    for name in ("dry_run", "json", "compare"):
        if arguments.out == "-" and getattr(arguments, name):
            raise InputError(f"--out - cannot be used with --{name}; give a folder")
    if Path(arguments.out).suffix.lower() in SUFFIXES and not Path(arguments.out).expanduser().is_dir():
        raise InputError(f"--out {arguments.out}: give a folder; the results are called STEM_MODEL_x2.EXT in it")
    if arguments.hr is not None and not arguments.compare:
        raise InputError("--hr: give --compare, too; HR is only shown on its pages")


def _check(arguments: Arguments) -> int | None:
    """Checks values without reading a file. Returns the memory in bytes, if it is given."""
    if arguments.outscale is not None and (arguments.width or arguments.height):
        raise InputError("give either --outscale, or --width and --height")
    for name, value, greatest in (
        ("width", arguments.width, 2**31 - 1),
        ("height", arguments.height, 2**31 - 1),
        ("quality", arguments.quality, 100),
    ):
        if value is not None and not 1 <= value <= greatest:
            raise InputError(f"--{name} {value}: give a number from 1 to {greatest:,}")
    if arguments.outscale is not None and not 0.01 <= arguments.outscale <= 100:
        raise InputError(f"--outscale {arguments.outscale:g}: give a factor from 0.01 to 100")
    if arguments.noise is not None and not 0 <= arguments.noise <= 255:
        raise InputError(f"--noise {arguments.noise:g}: give grey levels from 0 to 255")
    return _bytes(arguments.memory) if arguments.memory else None


def _bytes(text: str) -> int:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(i?B)?", text, re.IGNORECASE)
    if not match or float(match[1]) == 0:
        raise InputError(f"--memory {text}: give a size, such as 2GiB or 500MiB")
    return int(float(match[1]) * UNITS[match[2].upper()])


if __name__ == "__main__":
    sys.exit(main())
