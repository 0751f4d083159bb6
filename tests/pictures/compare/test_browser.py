"""The page in a headless Chromium: a script that is added to a copy of the page operates it, and writes down what it sees."""

import html
import io
import json
import re
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

from sr_jax.pictures.compare import page
from sr_jax.pictures.compare.page import Page, View

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--hide-scrollbars", "--force-device-scale-factor=1"),
    "--virtual-time-budget=10000",
]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium"),
]

SCRIPT = """
<script>
addEventListener("load", () => setTimeout(() => {
  const seen = {};
  const look = (name) => {
    const panes = [...document.querySelectorAll("#stage .pane")];
    seen[name] = {
      labels: panes.map((pane) => pane.textContent),
      places: panes.map((pane) => {
        const box = pane.getBoundingClientRect(), image = pane.querySelector("img").getBoundingClientRect();
        return [image.left - box.left, image.top - box.top, image.width, image.height].map(Math.round);
      }),
      rendering: getComputedStyle(panes[0].querySelector("img")).imageRendering,
      factor: document.getElementById("factor").value,
      divider: document.querySelector("img-comparison-slider")?.value,
      wide: document.documentElement.scrollWidth - innerWidth,
    };
  };
  const key = (key, options = {}) => {
    const target = document.activeElement ?? document.body;
    for (const kind of ["keydown", "keyup"]) target.dispatchEvent(new KeyboardEvent(kind, { key, bubbles: true, ...options }));
  };
  const stage = document.getElementById("stage");
  const point = (dx, dy) => { const r = stage.getBoundingClientRect(); return { clientX: r.left + dx, clientY: r.top + dy }; };
  const pointer = (kind, id, dx, dy) =>
    stage.dispatchEvent(new PointerEvent(kind, { pointerId: id, bubbles: true, ...point(dx, dy) }));
  look("start");
  key("2", { code: "Digit2", shiftKey: true }); key("3", { code: "Digit3" }); look("chosen");
  key("s"); look("swapped");
  key("v"); for (let i = 0; i < 40; i++) key("+"); look("greatest");
  key("0"); look("fitted");
  document.getElementById("one").click(); for (let i = 0; i < 4; i++) key("+"); look("zoomed");
  document.activeElement.blur(); stage.querySelector(".pane").focus();
  for (let i = 0; i < 4; i++) key("+"); look("deep");
  key("ArrowRight"); look("panned");
  pointer("pointerdown", 1, 40, 40); pointer("pointermove", 1, 30, 45); pointer("pointerup", 1, 30, 45); look("dragged");
  pointer("pointerdown", 1, 40, 40); pointer("pointerdown", 2, 60, 40); pointer("pointermove", 2, 80, 40); look("pinched");
  key("v"); look("all");
  document.querySelector("#mode input[value=slider]").click(); look("back");
  const text = JSON.stringify(seen).replaceAll("<", "\\\\u003c");
  document.body.insertAdjacentHTML("beforeend", `<pre id="seen">${text}</pre>`);
}, 100));
addEventListener("securitypolicyviolation", (event) => { document.title = `blocked ${event.blockedURI}`; });
addEventListener("error", (event) => { document.title = `error ${event.message}`; });
</script>
"""


def run(path, tmp_path, *words, size=(1000, 700)):
    words = [f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={size[0]},{size[1]}", *words]
    done = subprocess.run([str(CHROMIUM), *FLAGS, *words, path.as_uri()], capture_output=True, timeout=60, check=True)
    return done.stdout.decode()


@pytest.fixture
def written(tmp_path):
    """A page of pictures in which each pixel is black or white, like a chess board."""
    board = np.indices((40, 60)).sum(0) % 2 * 255
    pixels = board.astype(np.uint8)[..., None]
    names = ("input", "bicubic", "sr", "hr")
    views = [View(name, name, "", page.png(pixels if name != "hr" else 255 - pixels, icc=None)) for name in names]
    views.append(View("error-sr", "error of sr", "", page.png(pixels, icc=None), is_error=True))
    example = Page("a.png", "sub", (40, 60), views, [], "", page.error_legend(10), ["A note."])
    path = tmp_path / "ä page.html"
    path.write_bytes(page.to_html(example))
    return path


def seen_in(path, tmp_path, **options):
    path.write_bytes(path.read_bytes().replace(b"</body>", SCRIPT.encode() + b"</body>"))
    dom = run(path, tmp_path, "--dump-dom", **options)
    assert "<title>a.png</title>" in dom, re.findall("<title>.*?</title>", dom)
    written, _, _ = dom.rpartition('<pre id="seen">')[2].partition("</pre>")
    assert written.startswith("{"), "the script did not come to its end"
    return json.loads(html.unescape(written))


@pytest.mark.parametrize("size", [(1000, 700), (500, 800)])
def test_a_user_operates_the_page(size, written, tmp_path):
    seen = seen_in(written, tmp_path, size=size)
    assert seen["start"]["labels"] == ["bicubic", "sr"]
    assert seen["start"]["divider"] == 50
    assert seen["chosen"]["labels"] == ["bicubic", "sr"]
    assert seen["swapped"]["labels"] == ["sr", "bicubic"]
    assert seen["back"]["labels"] == ["sr", "bicubic"]
    assert seen["all"]["labels"] == ["input", "bicubic", "sr", "hr", "error of sr"]
    for name, state in seen.items():
        assert len({tuple(place) for place in state["places"]}) == 1, f"{name}: all panes show the same part"
        assert state["rendering"] == "pixelated"
        assert state["wide"] <= 0, f"{name}: the page is wider than the window"
    assert seen["greatest"]["factor"] == "6400%"
    assert seen["greatest"]["places"][0][2:] == [3840, 2560]
    assert seen["zoomed"]["factor"] == "600%"
    assert seen["zoomed"]["places"][0][2:] == [360, 240]
    _, top, _, height = seen["fitted"]["places"][0]
    assert height % 40 == 0, "all squares are equal"
    assert top >= 0
    for state in seen.values():
        _, _, width, height = state["places"][0]
        assert width * 40 == pytest.approx(height * 60, abs=60)
    deep, panned, dragged = (seen[name]["places"][0] for name in ("deep", "panned", "dragged"))
    assert (panned[0] - deep[0], panned[1] - deep[1]) == (-60, 0)
    assert (dragged[0] - panned[0], dragged[1] - panned[1]) == (-10, 5)
    assert dragged[2] == 60 * 24
    assert seen["pinched"]["places"][0][2] == 60 * 48


def test_pixels_are_squares(written, tmp_path):
    """At 8 screen pixels for each of the picture, there are only black and white, in squares of 8x8."""
    data = written.read_text().replace("build();\n  const rest", "build(); zoomTo(8);\n  const rest")
    written.write_text(data)
    shot = tmp_path / "shot.png"
    run(written, tmp_path, f"--screenshot={shot}")
    pixels = np.asarray(Image.open(io.BytesIO(shot.read_bytes())).convert("L"))
    rows = pixels[350:420, 300:460]
    assert {*np.unique(rows)} == {0, 255}
    edges = np.flatnonzero(np.diff(rows[0].astype(int)))
    assert {*np.diff(edges)} == {8}
