from PIL import Image

from sr_jax.training.curve import training_curve


def test_curve(tmp_path):
    history = [{"step": 1, "loss": 0.5}, {"step": 2, "loss": 0.25}, {"step": 2, "psnr_y": 30.0}, {"step": 3, "loss": "damaged"}]
    training_curve(history, tmp_path / "curve.png", bicubic=29.0, method="net")
    with Image.open(tmp_path / "curve.png") as image:
        assert image.size == (1080, 432)
