import csv
import io
import json
import math
import re

import numpy as np
import pytest

from sr_jax.evaluation import report
from sr_jax.evaluation.report import Method
from sr_jax.evaluation.rows import Row, Stamp, mean_rows

STAMP = Stamp("papers", "computed", "float32", "", "abc")


def rows(method, psnrs, set="s"):
    images = [Row(set, f"{i}.png", 2, method, p, 0.9 + i / 100, p - 1, 0.8, 2, *STAMP) for i, p in enumerate(psnrs)]
    return images + mean_rows(images)


def cells(text):
    """The cells of a table in GitHub's Markdown, where a bar within a cell stands behind a backslash."""
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in text.splitlines()]
    return [[cell.strip().replace("\\|", "|") for cell in row] for row in rows]


def test_table():
    lines = cells(report.table([rows("bicubic", [30.0, 31.0]), rows("net", [32.344, 30.5])]))
    assert lines[0] == ["set", "image", "bicubic [dB]", "net [dB]", "gain [dB]", "bicubic SSIM", "net SSIM"]
    assert lines[2] == ["s", "0.png", "30.00", "32.34", "+2.34", "0.9000", "0.9000"]
    assert lines[3] == ["s", "1.png", "31.00", "30.50", "-0.50", "0.9100", "0.9100"]
    assert lines[4] == ["s", "**mean**", "30.50", "31.42", "+0.92", "0.9050", "0.9050"]


def test_table_of_one():
    assert cells(report.table([rows("bicubic", [30.0])]))[2] == ["s", "0.png", "30.00", "0.9000"]


def test_means_show_y_and_rgb():
    lines = cells(report.means([Method("bicubic", [rows("bicubic", [30.0, 31.0])]), Method("net", [rows("n", [32.0, 33.0])])]))
    assert lines[0] == ["set", "mean", "bicubic", "net"]
    assert lines[2:] == [
        ["s", "Y-PSNR [dB]", "30.50", "32.50"],
        ["s", "Y-SSIM", "0.9050", "0.9050"],
        ["s", "RGB-PSNR [dB]", "29.50", "31.50"],
        ["s", "RGB-SSIM", "0.8000", "0.8000"],
    ]


def test_several_runs_have_their_mean_and_spread():
    """Set means 31, 32 and 36: mean 33, and with n - 1 the standard deviation is the root of (4 + 1 + 9) / 2."""
    seeds = [rows("net", psnrs) for psnrs in ([30.0, 32.0], [31.0, 33.0], [36.0, 36.0])]
    method = Method("net", seeds)
    lines = cells(report.means([Method("bicubic", [rows("bicubic", [30.0, 31.0])]), method]))
    assert lines[0] == ["set", "mean", "bicubic", "net"]
    assert lines[2] == ["s", "Y-PSNR [dB]", "30.50", "33.00 ± 2.65"]
    assert [row.psnr_y for row in method.rows] == [pytest.approx(97 / 3), pytest.approx(101 / 3), pytest.approx(33)]
    assert {row.method for row in method.rows} == {"net"}


def test_several_methods_have_a_column_each():
    methods = [rows(name, [30.0 + i, 31.0]) for i, name in enumerate(["bicubic", "a", "b"])]
    lines = cells(report.table(methods))
    assert lines[0] == ["set", "image", "bicubic", "a", "b"]
    assert lines[2] == ["s", "0.png", "30.00", "31.00", "32.00"]
    assert lines[4] == ["s", "**mean**", "30.50", "31.00", "31.50"]


def test_six_methods_fit_into_100_columns():
    """With short names as they are, and with long ones by number. Two methods keep their names."""
    for length, is_numbered in ((3, False), (30, True)):
        names = [f"{i}".rjust(length, "n") for i in range(6)]
        methods = [Method(name, [rows(name, [30.0, 31.0 + i], "photographs")]) for i, name in enumerate(names)]
        texts = report.tables(methods, compare=True)
        assert ("\n".join(f"- ({i}) {name}" for i, name in enumerate(names, 1)) in texts) == is_numbered
        assert max(len(line) for text in texts for line in text.splitlines()) <= 100
        (heads,) = [line for text in texts for line in cells(text) if line[:2] == ["set", "mean"]]
        assert heads[2:] == ([f"({i})" for i in range(1, 7)] if is_numbered else names)
        assert cells(report.tables(methods[:2], compare=True)[0])[0][2] == f"{names[0]} [dB]"


def test_names_are_text_and_stay_in_their_cells():
    """Whatever a name is: a number, a bar, line ends, a byte that is not UTF-8."""
    names = ["1e-3", "1e3", "0x10", "nan", "a|b.png", "a\\|b", "a\nb.png", "a\r\nb", "a\u2028b", "\udcff.png"]
    expected = [*names[:5], "a\\|b", r"a\nb.png", r"a\r\nb", r"a\u2028b", r"\udcff.png"]
    for name, text in zip(names, expected, strict=True):
        images = [
            Row(name, name, 2, name, 30.0, 0.9, 29.0, 0.8, 2, *STAMP),
            Row(name, "z", 2, name, 31.0, 0.9, 29.0, 0.8, 2, *STAMP),
        ]
        given = [*images, *mean_rows(images)]
        table = cells(report.table([given, given]))
        assert table[2][:3] == [text, text, "30.00"], name
        assert table[0][2] == f"{text} [dB]"
        assert len(table) == 2 + 3
        assert cells(report.means([Method(name, [given])]))[2] == [text, "Y-PSNR [dB]", "30.50"]
        assert cells(report.comparisons([given, given]))[2][:2] == [f"{text} - {text}", text]
        report.table([given]).encode()


def test_csv_returns_every_name(tmp_path):
    names = ["1e-3", "a,b", 'a"b', "a\nb", "a\rb", "a\r\nb", "a|b", "", " a "]
    given = [Row("s", name, 2, "m", 30.0, 0.9, 29.0, 0.8, 2, *STAMP) for name in names]
    report.write(tmp_path, given, "")
    with (tmp_path / "results.csv").open(newline="") as file:
        assert [row["image"] for row in csv.DictReader(file)] == names
    report.write(tmp_path, [given[0]._replace(image="\udcff.png")], "")
    assert r"\udcff.png" in (tmp_path / "results.csv").read_text()


def test_paired_comparison_by_hand():
    """Differences 1, 2, 3: mean 2, standard error 1/sqrt(3), t(0.975, 2) = 4.3027; of 2^3 signs 2 are as extreme: p = 0.25."""
    paired = report.compare(rows("a", [30.0, 30.0, 30.0]), rows("b", [31.0, 32.0, 33.0]))
    assert (paired.n, paired.better) == (3, 3)
    assert paired.mean == pytest.approx(2)
    assert (paired.low, paired.high) == pytest.approx((2 - 4.3027 / math.sqrt(3), 2 + 4.3027 / math.sqrt(3)), abs=1e-4)
    assert paired.p == pytest.approx(0.25)


def without(left_out, given):
    """The rows, where the image with this index does not count."""
    images = [row._replace(counted=int(index != left_out)) for index, row in enumerate(given) if row.image != "mean"]
    return images + mean_rows(images)


def test_exact_images_are_left_out_of_a_comparison():
    """Those that bicubic reproduces. One that only a network reproduces counts as 100 dB, as in the means."""
    a, b = without(1, rows("a", [30.0, math.inf, 31.0])), without(1, rows("b", [32.0, 40.0, 34.0]))
    paired = report.compare(a, b)
    assert (paired.n, paired.mean) == (2, 2.5)
    nothing = report.compare(without(0, rows("a", [math.inf])), without(0, rows("b", [30.0])))
    assert (nothing.n, math.isnan(nothing.mean)) == (0, True)
    exact = report.compare(rows("a", [90.0, 30.0]), rows("b", [math.inf, 31.0]))
    assert (exact.n, exact.mean) == (2, (10 + 1) / 2)
    (line,) = cells(report.comparisons([a, b]))[2:]
    assert line[2] == "+2.500"


def test_infinite_scores_are_marked():
    a, b = without(1, rows("a", [30.0, math.inf, 31.0])), without(1, rows("b", [32.0, 40.0, math.inf]))
    text = report.table([a, b])
    lines = cells(text)
    assert lines[3][:5] == ["s", "1.png", "inf", "40.00", "-inf"]
    assert lines[5][:5] == ["s", "**mean of 2**", "30.50", "66.00", "+35.50"]
    assert cells(report.table([a, a]))[3][4] == "+0.00"
    _, left_out, high = text.split("\n\n")
    assert left_out.startswith("All means leave out 1.png (s), because bicubic interpolation reproduces HR exactly there")
    assert high == "The means count a PSNR above 100 dB, which is infinite where SR equals HR, as 100 dB: b on 2.png (s)."
    assert report.notes([rows("a", [30.0, 99.0])]) == []


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
    assert [row["psnr_y"] for row in stored] == [30.0, None, 65.0]
    assert stored[0]["protocol"] == "papers"
    assert stored[0]["commit"] == "abc"
    table = list(csv.DictReader(io.StringIO((tmp_path / "results.csv").read_text())))
    assert table[0]["image"] == "0.png"
    assert float(table[0]["psnr_y"]) == 30.0
    assert tuple(table[0]) == Row._fields
    assert (tmp_path / "results.md").read_text() == "# text\n"
