import pytest

from sr_jax.config import experiment
from sr_jax.data.sources import catalog
from sr_jax.errors import InputError


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("Set5", "Set5"),
        ("set5", "Set5"),
        ("BSDS100", "B100"),
        ("bsd100", "B100"),
        ("general100", "General-100"),
        ("291", "291"),
    ],
)
def test_names_in_any_case_and_aliases(name, title):
    assert catalog.find(name) == title


@pytest.mark.parametrize(
    ("name", "near"), [("Set6", "Set5"), ("DIVK2", "DIV2K"), ("urban10", "Urban100"), ("General-10", "General-100")]
)
def test_an_unknown_name_gets_the_nearest_as_a_hint(name, near):
    with pytest.raises(InputError, match=rf"unknown set '{name}'; did you mean {near}\? known: photographs, Set5, Set14, B100"):
        catalog.find(name)


def test_a_name_without_similar_ones():
    with pytest.raises(InputError, match="unknown set 'xyzzy'; known: photographs"):
        catalog.find("xyzzy")


def test_all_have_a_citation_and_a_licence():
    for title, entry in catalog.SETS.items():
        assert entry.citation, title
        assert entry.licence, title


def test_unions_are_the_papers():
    assert catalog.parts("91") == ("T91",)
    assert catalog.parts("291") == ("T91", "BSDS200")
    assert catalog.parts("91+General-100") == ("T91", "General-100")
    assert catalog.parts("DF2K") == ("DIV2K", "Flickr2K")
    for title in ("291", "91+General-100"):
        assert catalog.SETS[title].images == sum(catalog.SETS[part].images for part in catalog.parts(title))
    assert catalog.SETS["DF2K"].images == sum(catalog.expected(part, "train") for part in catalog.parts("DF2K"))


def test_the_config_knows_the_training_sets():
    evaluation = {"Set5", "Set14", "B100", "Urban100", "Manga109"}
    assert set(experiment.TrainingSet.__args__) - {"folder"} == set(catalog.SETS) - evaluation


def test_archives_are_those_that_tfds_publishes():
    """TFDS contains the address, size, sha256 and name of each of DIV2K's archives."""
    from importlib.resources import files

    lines = files("tensorflow_datasets").joinpath("datasets/div2k/checksums.tsv").read_text().splitlines()
    published = {url: (int(size), f"sha256:{sha256}") for url, size, sha256, _ in (line.split("\t") for line in lines)}
    for archive in catalog.SETS["DIV2K"].archives.values():
        assert published[archive.url] == (archive.size, archive.checksum)
