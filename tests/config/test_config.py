import pytest

from sr_jax import config as configs
from sr_jax.config import Config, DataConfig
from sr_jax.errors import InputError
from tests.config.writing import write


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("config = Config(optim=OptimConfig(lrr=1e-3))", "OptimConfig has no key 'lrr'; did you mean 'lr'"),
        ("config = Config(setps=3)", "Config has no key 'setps'; did you mean 'steps'"),
        ("config = Config(optim=OptimConfig(lr='fast'))", "lr='fast': input should be a valid number"),
        ("config = Config(steps=10.5)", r"steps=10\.5: input should be a valid integer"),
        ("config = Config(parallel='pmpa')", "parallel='pmpa': input should be 'pmap' or 'shard_map'"),
        ("config = Config(data=DataConfig(batch=0))", "batch=0: input should be greater than 0"),
        ("config = Config(scale=3, data=DataConfig(patch=50))", r"data\.patch=50 is not a multiple of scale=3; use 48 or 51"),
        ("config = Config(scale=4, data=DataConfig(patch=4))", r"data\.patch=4 is too small for scale=4; use at least 8"),
        ("config = Config(data=DataConfig(name='folder'))", r"data\.name=folder needs data\.dir"),
        ("config = Config(data=DataConfig(dir='/x'))", r"data\.dir=/x is for data\.name=folder, but data\.name is photographs"),
        ("config = Config(data=DataConfig(name='folder', dir=3))", r"dir=3: input should be a valid tuple"),
        ("config = Config(data=DataConfig(name='T19'))", r"name='T19': input should be 'photographs', 'folder', 'T91'"),
        ("config = Config(data=DataConfig(leaks='yes'))", r"leaks='yes': input should be 'refuse' or 'allow'"),
        ("config = Config(steps=50, optim=OptimConfig(warmup_steps=100))", r"optim\.warmup_steps=100 must be below steps=50"),
        ("config = Config(steps_per_dispatch=30)", "steps=1000 is not a multiple of steps_per_dispatch=30"),
        ("config = Config(seed=2**32)", "seed=4294967296: input should be less than 4294967296"),
        ("config = Config(optim=OptimConfig(lr=float('inf')))", "lr=inf: input should be a finite number"),
        ("config = Config(optim=OptimConfig(lr=1e-6))", r"optim\.final_lr=1e-05 must not be above optim\.lr=1e-06"),
        ("config = 1 / 0", "ZeroDivisionError"),
        ("config = 3", "must define `config = Config"),
        ("confg = Config()", "must define `config = Config"),
        ("config = Config(", "SyntaxError"),
        ("config = Config(data=DataConfig(degradation='clasical'))", "degradation='clasical': input should be 'bicubic', 'cl"),
        *(
            (
                f"config = Config(data=DataConfig(degradation={value}))",
                r"degradation=.*: use a name \(bicubic, classical, real-esrgan\) or a tuple of stages, such as \(Subsample\(",
            )
            for value in ("None", "Subsample()", "(3,)", "[Subsample]", "3")
        ),
        ("config = Config(data=DataConfig(degradation=(Jpeg(),)))", "no stage that reduces by scale=2; add Bicubic"),
        ("config = Config(data=DataConfig(degradation=(Bicubic(), Subsample())))", "reduces more than once, by bicubic and su"),
        ("config = GaussianBlur(sgima=(1, 2))", "GaussianBlur has no key 'sgima'; did you mean 'sigma'"),
        ("config = GaussianBlur(sigma=(-1, 2))", r"sigma\[0\]=-1: input should be greater than or equal to 0.1"),
        ("config = GaussianBlur(sigma=(2, 1))", r"must not be above the second; did you mean \(1.0, 2.0\)"),
        ("config = GaussianBlur(size=8)", "size=8: a kernel needs a middle tap, so its size must be odd; use 7 or 9"),
        ("config = DiskBlur(radius=(1, 20))", "radius: 20 does not fit into a kernel of this size; use at most 8"),
        ("config = Jpeg(quality=(0, 50))", r"quality\[0\]=0: input should be greater than or equal to 1"),
        ("config = Jpeg(quality=(50, 101))", r"quality\[1\]=101: input should be less than or equal to 100"),
        ("config = KernelFile()", "KernelFile needs 'path'"),
        ("config = Order(resize=(0.5, 0.6, 0.0))", "probabilities must sum to 1, but these sum to 1.1"),
        ("config = Order(plateau_beta=(1.5, 2))", r"plateau_beta=\(1\.5, 2\.0\) must include 1"),
        ("config = DeconvSRConfig(lam_start=(0,))", r"lam_start\[0\]=0: input should be greater than or equal to 0.000001$"),
        ("config = DeconvSRConfig(lam_start=())", r"lam_start=\(\): tuple should have at least 1 item"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        configs.load(write(tmp_path, text))


@pytest.mark.parametrize(
    ("scale", "stage", "message"),
    [
        (
            4,
            "GaussianBlur(size=3, sigma=(0.5, 0.5))",
            r"\[0\]\.size=3 is too small: with sigma=.* reach 1 pixels.* use size=7,",
        ),
        (4, "GaussianBlur(size=1, sigma=(0.2, 0.2))", r"size=1 is too small: .* scale=4 moves them by 1.5; use size=5,"),
        (8, "MotionBlur(size=5, length=(1, 1))", r"size=5 is too small: with length=\(1.0, 1.0\).* use size=9,"),
        (8, "ShakeBlur(size=25)", r"size=25 is too small: with extent=.* reach 10 pixels.* use size=29,"),
        (8, "DiskBlur(size=21)", r"size=21 is too small: with radius=.* reach 8 pixels.* use size=25,"),
        (
            2,
            "ClassicalBlur(size=25, variance=(1, 49))",
            r"size=25 is too small: with variance=.* reach 14 pixels.* use size=31,",
        ),
    ],
)
def test_kernels_too_small_to_be_moved_are_named(tmp_path, scale, stage, message):
    text = f"config = Config(scale={scale}, data=DataConfig(degradation=({stage}, Subsample())))"
    with pytest.raises(InputError, match=message):
        configs.load(write(tmp_path, text))


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_default_kernels_hold_their_blurs_when_moved(scale):
    blurs = (configs.GaussianBlur, configs.MotionBlur, configs.ShakeBlur, configs.DiskBlur, configs.ClassicalBlur)
    for blur in blurs:
        Config(scale=scale, data=DataConfig(degradation=(blur(), configs.Subsample())))
    small = configs.GaussianBlur(size=1)  # not moved
    Config(scale=scale, data=DataConfig(degradation=(small, configs.Subsample(aligned=False))))
    Config(scale=scale, data=DataConfig(degradation=(small, configs.GaussianBlur(), configs.Subsample(), small)))


STAGES = (
    configs.GaussianBlur(sigma=(0.6, 2.4), anisotropic=True),
    configs.KernelFile(path="k.npy"),
    configs.Subsample(),
    configs.PoissonNoise(),
    configs.Jpeg(quality=(30, 95)),
)


@pytest.mark.parametrize("degradation", ["classical", STAGES, (configs.SecondOrder(final_sinc=0.5),)])
def test_degradations_survive_json(degradation):
    config = Config(data=DataConfig(degradation=degradation))
    assert configs.from_json(configs.to_json(config)) == config
    assert len(configs.differences(config, Config())) == 1


def test_a_list_of_stages_is_a_tuple():
    assert DataConfig(degradation=list(STAGES)) == DataConfig(degradation=STAGES)


def test_presets_are_valid_degradations():
    for name, stages in configs.PRESETS.items():
        assert Config(data=DataConfig(degradation=name)).stages == Config(data=DataConfig(degradation=stages)).stages
