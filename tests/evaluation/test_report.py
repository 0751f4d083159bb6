import csv
import io
import json
import math

import numpy as np
import pytest

from sr_jax.evaluation import report
from sr_jax.evaluation.rows import Row, Stamp, mean_rows

STAMP = Stamp("papers", "computed", "float32", "", "abc")


def rows(method, psnrs, set="s"):
    images = [Row(set, f"{i}.png", 2, method, p, 0.9 + i / 100, p - 1, 0.8, 2, *STAMP) for i, p in enumerate(psnrs)]
    return images + mean_rows(images)


def cells(text):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]


def test_table():
    lines = cells(report.table([rows("bicubic", [30.0, 31.0]), rows("net", [32.344, 30.5])]))
    assert lines[0] == ["set", "image", "bicubic [dB]", "net [dB]", "gain [dB]", "bicubic SSIM", "net SSIM"]
    assert lines[2] == ["s", "0.png", "30.00", "32.34", "+2.34", "0.9000", "0.9000"]
    assert lines[3] == ["s", "1.png", "31.00", "30.50", "-0.50", "0.9100", "0.9100"]
    assert lines[4] == ["s", "**mean**", "30.50", "31.42", "+0.92", "0.9050", "0.9050"]


def test_table_of_one():
    assert cells(report.table([rows("bicubic", [30.0])]))[2] == ["s", "0.png", "30.00", "0.9000"]


def test_means_show_y_and_rgb():
    lines = cells(report.means([rows("bicubic", [30.0, 31.0]), rows("net", [32.0, 33.0])]))
    assert lines[2:] == [
        ["s", "bicubic", "30.50", "0.9050", "29.50", "0.8000"],
        ["s", "net", "32.50", "0.9050", "31.50", "0.8000"],
    ]


def test_paired_comparison_by_hand():
    """Differences 1, 2, 3: mean 2, standard error 1/sqrt(3), t(0.975, 2) = 4.3027; of 2^3 signs 2 are as extreme: p = 0.25."""
    paired = report.compare(rows("a", [30.0, 30.0, 30.0]), rows("b", [31.0, 32.0, 33.0]))
    assert (paired.n, paired.better) == (3, 3)
    assert paired.mean == pytest.approx(2)
    assert (paired.low, paired.high) == pytest.approx((2 - 4.3027 / math.sqrt(3), 2 + 4.3027 / math.sqrt(3)), abs=1e-4)
    assert paired.p == pytest.approx(0.25)


def test_exact_images_are_left_out_of_a_comparison():
    paired = report.compare(rows("a", [30.0, math.inf, 31.0]), rows("b", [32.0, 40.0, 34.0]))
    assert (paired.n, paired.mean) == (2, 2.5)
    nothing = report.compare(rows("a", [math.inf]), rows("b", [30.0]))
    assert (nothing.n, math.isnan(nothing.mean)) == (0, True)


def test_other_images_cannot_be_compared():
    a, b = rows("a", [30.0, 35.0], "one"), rows("b", [31.0, 36.0], "two")
    with pytest.raises(AssertionError):
        report.compare(a, b)


def test_comparison_of_equals_and_of_one_image():
    same = report.compare(rows("a", [30.0, 31.0]), rows("b", [30.0, 31.0]))
    assert (same.mean, same.better, math.isnan(same.p)) == (0, 0, True)
    one = report.compare(rows("a", [30.0]), rows("b", [31.0]))
    assert (one.n, one.mean, math.isnan(one.low)) == (1, 1, True)


def test_comparisons_over_each_set_and_all():
    a = [*rows("a", [30.0, 31.0, 32.0], "one"), *rows("a", [20.0, 21.0], "two")]
    b = [*rows("b", [30.5, 31.25, 32.125], "one"), *rows("b", [19.0, 20.0], "two")]
    lines = cells(report.comparisons([a, b]))
    assert [line[:3] for line in lines[2:]] == [
        ["b - a", "one", "+0.292"], ["b - a", "two", "-1.000"], ["b - a", "all", "-0.225"],
    ]  # fmt: skip
    assert [line[-1] for line in lines[2:]] == ["3 of 3", "0 of 2", "3 of 5"]


def test_files(tmp_path):
    given = rows("net", [30.0, np.inf])
    report.write(tmp_path, given, "# text\n")
    stored = json.loads((tmp_path / "results.json").read_text())
    assert [row["psnr_y"] for row in stored] == [30.0, None, None]
    assert stored[0]["protocol"] == "papers"
    assert stored[0]["commit"] == "abc"
    table = list(csv.DictReader(io.StringIO((tmp_path / "results.csv").read_text())))
    assert table[0]["image"] == "0.png"
    assert float(table[0]["psnr_y"]) == 30.0
    assert tuple(table[0]) == Row._fields
    assert (tmp_path / "results.md").read_text() == "# text\n"
