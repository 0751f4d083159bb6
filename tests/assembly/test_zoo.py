"""What the zoo says of its networks, and the page that is made of it."""

import pytest

from benchmarks import zoo as page
from sr_jax.assembly import zoo
from sr_jax.config import Config, DataConfig, GaussianBlur, GaussianNoise, Jpeg, Subsample
from sr_jax.weights.card import Card, Converted

BLUR, NOISE = GaussianBlur(sigma=(0.6, 2.4)), GaussianNoise(sigma=(0.0, 2.55))


def card(degradation="bicubic", **changes) -> Card:
    return Card(Config(data=DataConfig(degradation=degradation)), 7, "abc", [])._replace(**changes)


@pytest.mark.parametrize(
    ("degradation", "purpose"),
    [
        ("bicubic", "clean"),
        ((BLUR, Subsample(), NOISE), "blurred, noisy"),
        ((BLUR, Subsample()), "blurred"),
        ((BLUR, Subsample(), NOISE, Jpeg()), "blurred, noisy, JPEG"),
        ((Subsample(),), "subsample"),
    ],
)
def test_what_a_network_is_for(degradation, purpose):
    assert zoo.purpose(card(degradation)) == purpose
    assert zoo.purpose(card(degradation, converted=Converted("a.pth", "12", "x/y"))) == "unknown"


def test_scores_stand_beside_those_of_bicubic():
    row = {"image": "mean", "protocol": "papers", "lr_source": "computed"}
    rows = [
        {"set": "Set5", "method": "bicubic", "psnr_y": 33.66, "ssim_y": 0.9299, **row},
        {"set": "Set5", "method": "fsrcnn", "psnr_y": 37.0, "ssim_y": 0.9558, **row},
        {"set": "Set5", "method": "fsrcnn", "psnr_y": 38.0, "ssim_y": 0.96, **row, "image": "baby.png"},
        {"set": "Set14", "method": "fsrcnn", "psnr_y": 32.63, "ssim_y": 0.9088, **row},
    ]
    five, fourteen = zoo.scores(card(table=rows))
    assert zoo.describe_score(five) == "33.66 → 37.00 dB, 0.9299 → 0.9558"
    assert zoo.describe_score(fourteen) == "32.63 dB, 0.9088"


def test_costs_of_other_weights_do_not_count(tmp_path, monkeypatch):
    [entry] = [entry for entry in zoo.entries() if entry.name == "fsrcnn-x2"]
    assert (entry.parameters, entry.colour) == (12_809, "Y")  # 12,464 weights, 173 biases and 172 slopes
    for path in (entry.file, entry.file.with_suffix(".json")):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(zoo.zoo, "FOLDER", tmp_path)
    assert zoo.entries()[0].cost is None
    for sha256, cost in (("other", None), (str(entry.card.sha256), zoo.Cost(1.5, 2**30))):
        zoo.write_measured("a machine", {"fsrcnn-x2": (sha256, zoo.Cost(1.5, 2**30))})
        assert zoo.entries()[0].cost == cost
    assert zoo.machine() == "a machine"
    assert "| 1.50 s | 1,024 MiB |" in " ".join(zoo.table(zoo.entries()).split())


def test_the_page_is_current():
    """If it is not, `python benchmarks/zoo.py` writes it."""
    assert page.PAGE.read_text() == page.page()


def test_every_network_has_what_the_page_says():
    for entry in zoo.entries():
        assert (page.PICTURES / f"{entry.name}.png").is_file()
        assert (page.ROOT / f"configs/{entry.file.stem}.py").is_file()
        assert entry.card.licence == "Apache-2.0"
        assert all(score.bicubic for score in zoo.scores(entry.card))
        assert {score.set for score in zoo.scores(entry.card)} == {"Set5", "Set14"}
