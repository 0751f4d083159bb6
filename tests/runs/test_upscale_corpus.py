"""Files of every kind go through one command, with bicubic interpolation as the network, whose results are known."""

import json
from fractions import Fraction

import numpy as np
import pytest

from sr_jax.pictures import read
from sr_jax.pictures.frames import in_units
from sr_jax.system.memory import used_memory
from tests.pictures import corpus, further, moving
from tests.pictures.mutations import mutated
from tests.runs.test_upscale import bicubic

LOSSY = {"jpeg": 3, "webp": 4, "avif": 4, "gif": 6, "heif": 6}
"""Greatest mean difference [levels of 255]."""
ROUNDING = {255: 0.51 / 255, 65535: 0.52 / 65535, 1: 1e-5}


@pytest.mark.slow
def test_a_corpus_goes_through_one_command(tmp_path, enlarge):
    """Every good file is right, every bad one is named."""
    folder, stills, moved = tmp_path / "in", [*corpus.good(), *further.good()], moving.all_kinds()
    bad = [*corpus.bad(), *further.bad(), *further.hostile()]
    assert len(stills) + len(moved) + len(bad) > 120
    folder.mkdir()
    for file in (*stills, *moved, *bad):
        (folder / file.name).write_bytes(file.data)
    (folder / "notes.txt").write_text("not a picture")
    status, out, err = enlarge(folder)
    assert status == 1
    assert "notes.txt" in out
    for file in bad:
        lines = [line for line in err.splitlines() if line.startswith("not enlarged") and f"/{file.name}: " in line]
        assert len(lines) == 1, file.name
        assert any(reason in lines[0] for reason in file.reason.split("|")), lines
    written = {path.name: path for path in (tmp_path / "out").iterdir() if path.is_file()}
    assert len(written) == len(stills) + len(moved)
    for file in (*stills, *moved):
        stem, _, end = file.name.rpartition(".")
        names = [f"{stem}_bicubic-net_x2.{end}", f"{stem}_{end}_bicubic-net_x2.{end}", f"{stem}_bicubic-net_x2.png"]
        names.append(f"{stem}_{end}_bicubic-net_x2.png")
        path = next(written[name] for name in names if name in written)
        results = list(read.decode_all(path, path.name))
        for given, result in zip(read.decode_all(file.data, file.name), results, strict=True):
            check(file.name, given, result)
        if isinstance(file, moving.Moving):
            check_times(file, read.read_header(path, path.name), results)


def check(name, given, result):
    h, w, c = given.pixels.shape
    space = "rgb" if result.format in ("webp", "avif", "gif") else given.space
    assert (result.pixels.shape, result.space) == ((2 * h, 2 * w, 3 if space == "rgb" else c), space), name
    assert result.pixels.dtype == given.pixels.dtype
    full = 1.0 if given.pixels.dtype.kind == "f" else np.iinfo(given.pixels.dtype).max
    span = float(np.ptp(given.pixels)) if full == 1 else full
    limits = (-np.inf, np.inf) if full == 1 else (0, full)
    tolerance = LOSSY.get(result.format, 0) / 255 + ROUNDING[full]
    if given.alpha is None or given.alpha.min() == full:
        difference = np.abs(result.pixels - bicubic(given.pixels).clip(*limits)) / span
        assert difference.mean() <= tolerance, name
        if result.format not in LOSSY:
            assert difference.max() <= tolerance, name
    elif result.format != "gif":
        assert np.abs(result.alpha - bicubic(given.alpha).clip(0, full)).mean() / full < 0.02, name
    if given.metadata.icc:
        assert result.metadata.icc == given.metadata.icc, name
    assert result.format == "bmp" or b"sr_jax:made_by" in (result.metadata.xmp or b""), name


def check_times(file, header, results):
    assert header.plays == file.plays, file.name
    if file.plays is not None:
        assert [picture.duration for picture in results] == file.durations, file.name
    else:
        assert len(header.pages) == len(file.frames)


@pytest.mark.slow
def test_2000_mutated_files_go_through_one_command(tmp_path, enlarge, rng):
    """Each of them ends as a result that can be read, or as a line that names it."""
    folder = tmp_path / "in"
    folder.mkdir()
    files = [*corpus.good(), *further.good(), *moving.all_kinds()]
    for i in range(2000):
        file = files[rng.integers(len(files))]
        (folder / f"{i}_{file.name}").write_bytes(mutated(file.data, rng))
    status, out, _ = enlarge(folder, "--json", "--memory", f"{used_memory() // 2**20 + 300}MiB")
    assert status == 1
    lines = [json.loads(line) for line in out.splitlines()]
    assert len(lines) == len({line["input"] for line in lines}) == 2000
    failed = {line["input"]: line["reason"] for line in lines if line["status"] == "failed"}
    assert 200 < len(failed) < 1800
    assert all(reason.startswith(f"{name}: ") and "\n" not in reason for name, reason in failed.items())
    for line in lines:
        if line["status"] == "enlarged":
            header = read.read_header(tmp_path / "out" / line["output"], line["output"])
            assert header.shape == (line["height"], line["width"])


@pytest.mark.slow
def test_an_animation_is_converted_and_its_first_frame_verified(tmp_path, enlarge):
    """From WebP to GIF, whose durations are hundredths of a second, and to JPEG, which holds none."""
    file = next(file for file in moving.all_kinds() if file.name == "moving.webp")
    (tmp_path / file.name).write_bytes(file.data)
    status, out, err = enlarge(tmp_path / file.name, "--format", "gif", "--verify")
    assert (status, err) == (0, "")
    assert "80x72, 4 frames, greatest difference from windows without tiles in the first frame" in out
    result = tmp_path / "out/moving_bicubic-net_x2.gif"
    times = [Fraction(n, 100) for n in in_units([d or Fraction(0) for d in file.durations], 100, most=65_535, least=2)]
    assert [picture.duration for picture in read.decode_all(result, "x")] == times
    status, _, err = enlarge(tmp_path / file.name, "--format", "jpeg", "--overwrite")
    assert (status, "jpeg cannot hold an animation; give --format png or webp" in err) == (2, True)
