import io
import json
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from sr_jax.errors import InputError
from sr_jax.pictures import exif, metadata, read, segments, write
from sr_jax.pictures.picture import Metadata, Picture
from tests.pictures import corpus
from tests.pictures.test_write import picture

XMP = b"""<?xpacket begin='' id='x'?><x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>
<rdf:Description rdf:about='' xmlns:tiff='http://ns.adobe.com/tiff/1.0/' tiff:Orientation="6" tiff:ImageWidth='40'>
<tiff:ImageLength>36</tiff:ImageLength><dc:rights xmlns:dc='http://purl.org/dc/elements/1.1/'>mine &amp; only mine</dc:rights>
</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end='w'?>"""
MADE_BY = {"software": "x", "options": {"kernel": "a<b>'\"&c"}}
SIZE = (72, 80)


def described(name):
    """A picture of a format, with a profile, EXIF and XMP as that format has them."""
    data = write.encode(
        picture("rgb")._replace(metadata=Metadata(corpus.profile(), corpus.exif_of(6), XMP, (300.0, 300.0))), name, quality=98
    )
    return read.decode(data, name)


def result_of(given, name, *, strip=False):
    about = metadata.of_result(given.metadata, size=SIZE, made_by=MADE_BY, strip=strip)
    return read.decode(write.encode(given._replace(metadata=about), name, quality=None), name)


@pytest.mark.parametrize("target", ["png", "jpeg", "webp", "tiff", "avif", "heif"])
@pytest.mark.parametrize("source", ["png", "jpeg", "webp", "tiff", "avif", "heif"])
def test_metadata_pass_from_every_format_to_every_other(source, target):
    given = described(source)
    assert given.metadata.icc == corpus.profile()
    result = result_of(given, target)
    assert result.metadata.icc == corpus.profile()
    parsed = Image.Exif()
    parsed.load(exif.PREFIX + result.metadata.exif)
    assert parsed.get(exif.ORIENTATION, 1) == 1
    assert parsed.get_ifd(exif.EXIF_IFD)[exif.PIXEL_WIDTH] == 80
    text = result.metadata.xmp.decode()
    assert "mine &amp; only mine" in text
    assert 'tiff:Orientation="1"' in text
    assert "tiff:ImageWidth='80'" in text
    assert "<tiff:ImageLength>72<" in text
    assert metadata.read_stamp(result.metadata.xmp) == MADE_BY
    if {source, target} <= {"png", "jpeg"}:
        np.testing.assert_allclose(result.metadata.dpi, (300, 300), rtol=1e-3)


def test_what_an_earlier_enlargement_wrote_is_replaced():
    once = result_of(described("png"), "png")
    other = metadata.of_result(once.metadata, size=SIZE, made_by={"software": "y"}, strip=False)
    assert other.xmp.count(b"sr_jax:made_by") == 1
    assert metadata.read_stamp(other.xmp) == {"software": "y"}


def test_pictures_without_xmp_get_a_packet_that_others_read():
    result = metadata.of_result(Metadata(), size=SIZE, made_by=MADE_BY, strip=False)
    data = write.encode(picture("rgb")._replace(metadata=result), "png", quality=None)
    with Image.open(io.BytesIO(data)) as image:
        packet = ElementTree.fromstring(image.info["xmp"])
    (description,) = packet.iter("{http://www.w3.org/1999/02/22-rdf-syntax-ns#}Description")
    assert json.loads(description.attrib[f"{{{metadata.NAMESPACE}}}made_by"]) == MADE_BY
    assert metadata.read_stamp(b"<x/>") is None


@pytest.mark.parametrize("name", ["png", "jpeg", "webp", "tiff", "avif", "heif"])
def test_only_the_profile_is_kept_on_request(name):
    result = result_of(described("jpeg"), name, strip=True)
    assert result.metadata.icc == corpus.profile()
    assert (result.metadata.exif, result.metadata.xmp, result.metadata.rest) == (None, None, ())


def test_other_parts_stay_in_the_same_format():
    rgb = corpus.of_type(corpus.smooth(3), "uint8")
    text = ("tEXt", b"Author\0me")
    png = segments.with_chunks(corpus.pillow(rgb, "PNG"), [text, ("gAMA", (45455).to_bytes(4, "big")), ("tIME", bytes(7))])
    again = result_of(read.decode(png, "png"), "png")
    assert {"tEXt", "gAMA", "tIME"} <= {name for name, _ in again.metadata.rest}
    assert text in again.metadata.rest
    jpeg = segments.with_segments(corpus.pillow(rgb, "JPEG", comment=b"hello"), [(0xED, b"Photoshop 3.0\0" + bytes(40))])
    again = result_of(read.decode(jpeg, "jpeg"), "jpeg")
    assert again.metadata.rest == (("ed", b"Photoshop 3.0\0" + bytes(40)), ("fe", b"hello"))
    tiff = corpus.tiff(rgb, photometric="rgb", description="a field", extratags=[(315, 2, 0, "me", True)])
    again = result_of(read.decode(tiff, "tiff"), "tiff")
    assert (("270", b"a field") in again.metadata.rest, ("315", b"me") in again.metadata.rest) == (True, True)


def test_a_long_profile_fits_into_several_segments_of_jpeg(rng):
    profile = corpus.profile() + rng.bytes(200_000)
    given = picture("rgb")._replace(metadata=Metadata(icc=profile))
    assert read.decode(write.encode(given, "jpeg", quality=None), "jpeg").metadata.icc == profile


def test_colours_are_converted_to_srgb():
    given = picture("rgb")._replace(metadata=Metadata(icc=corpus.profile()))
    result = metadata.to_srgb(given)
    assert result.metadata.icc is None
    assert np.abs(result.pixels.astype(int) - given.pixels).max() <= 1
    assert metadata.to_srgb(picture("rgb")).metadata.icc is None
    for wrong, message in (
        (picture("cmyk"), "without a profile"),
        (given._replace(metadata=Metadata(icc=b"nonsense")), "cannot be applied"),
        (given._replace(pixels=given.pixels.astype(np.uint16)), "8-bit colours only"),
    ):
        assert isinstance(wrong, Picture)
        with pytest.raises(InputError, match=message):
            metadata.to_srgb(wrong)
