import base64
import html.parser
import io
import re

import numpy as np
import pytest
from PIL import Image

from sr_jax.pictures.compare import page
from sr_jax.pictures.compare.page import Page, Score, View
from tests.pictures import corpus

RGB = corpus.of_type(corpus.smooth(3), "uint8")
OTHER = 255 - RGB


class Parsed(html.parser.HTMLParser):
    """The elements of a page with their attributes, and its text."""

    def __init__(self, data: bytes):
        super().__init__()
        self.elements: list[tuple[str, dict]] = []
        self.text = ""
        self.feed(data.decode())

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def pixels_of(attributes):
    head, _, data = attributes["src"].partition(",")
    assert head == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


@pytest.fixture
def example():
    views = [
        View("bicubic", "bicubic", "30.00 dB", page.png(RGB, icc=corpus.profile())),
        View("sr", "net <x2>", "", page.png(OTHER, icc=None)),
        View("difference", "net − bicubic", "", page.png(OTHER, icc=None), is_error=True),
    ]
    scores = [Score("bicubic", (30, 0.9, 28, 0.8)), Score("net", (31, 0.95, 29, 0.85))]
    legend = page.difference_legend(20, method="net")
    title = '<script>alert("1")</script>&amp;.png'
    return Page(title, "sub", RGB.shape[:2], views, scores, "Scores by the protocol.", legend, ["One & two."])


def test_a_page_holds_its_pictures_pixel_for_pixel(example):
    parsed = Parsed(page.to_html(example))
    images = [attributes for tag, attributes in parsed.elements if tag == "img"]
    for attributes, pixels in zip(images, (RGB, OTHER, OTHER), strict=True):
        np.testing.assert_array_equal(pixels_of(attributes), pixels)
        assert (attributes["width"], attributes["height"]) == ("40", "36")
        assert attributes["alt"]
    assert Image.open(io.BytesIO(example.views[0].png)).info["icc_profile"] == corpus.profile()


def test_a_page_refers_to_nothing_outside(example):
    data = page.to_html(example)
    parsed = Parsed(data)
    places = [value for _, attributes in parsed.elements for name, value in attributes.items() if name in ("src", "href")]
    assert len(places) == 4
    assert all(place.startswith("data:") for place in places)
    assert {*re.findall(rb"https?://[^\"'\s]*", data)} == {b"http://www.w3.org/2000/svg"}  # the name of a vocabulary
    policy = next(attributes["content"] for _, attributes in parsed.elements if "http-equiv" in attributes)
    assert policy.startswith("default-src 'none'")
    assert b"sourceMappingURL" not in data
    assert b"{{" not in data


def test_text_of_users_is_text(example):
    parsed = Parsed(page.to_html(example))
    assert parsed.text.count('<script>alert("1")</script>&amp;.png') == 2
    assert sum(tag == "script" for tag, _ in parsed.elements) == 2
    labels = [attributes["data-label"] for tag, attributes in parsed.elements if tag == "figure"]
    assert labels == ["bicubic · 30.00 dB", "net <x2>", "net − bicubic"]
    assert "One & two." in parsed.text


def test_the_component_is_whole_and_has_its_licence(example):
    script = (page.FOLDER / "img-comparison-slider.js").read_text()
    assert 'window.customElements.define("img-comparison-slider"' in script
    assert script.partition("//#")[0].encode() in page.to_html(example)
    licence = (page.FOLDER / "img-comparison-slider.LICENSE").read_text()
    assert "MIT License" in licence
    assert "8.0.7" in licence


def test_colours_of_maps():
    """The greatest error is brightest, the same colours stand for the same values, and no difference is light gray."""
    error = np.array([[[0.0], [10.0], [20.0], [99.0]]])
    shown = page.coloured(error, page.ERROR, low=0.0, high=20.0)[0].astype(int).sum(-1)
    assert shown[0] < 10 < shown[1] < shown[2] == shown[3]
    shown = page.coloured(np.array([[[-9.0], [0.0], [9.0]]]), page.DIFFERENCE, low=-9.0, high=9.0).astype(int)[0]
    assert shown[0, 2] > shown[0, 0]
    assert shown[2, 0] > shown[2, 2]
    assert np.ptp(shown[1]) <= 2
    assert shown[1].min() > 230


@pytest.mark.parametrize(("greatest", "top"), [(0, 2), (2, 2), (2.1, 5), (60, 100), (101, 255)])
def test_the_scale_of_colours_reaches_the_errors(greatest, top):
    assert page.top([np.zeros((2, 2, 1)), np.full((2, 2, 1), -float(greatest))]) == top
