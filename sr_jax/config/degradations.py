"""How LR is made of HR: stages as plain data, and named chains of them."""

import math
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag

from sr_jax.config.groups import STAGES, group


def _in_order(bounds: tuple[Any, Any]) -> tuple[Any, Any]:
    if bounds[0] > bounds[1]:
        raise ValueError(f"the first bound must not be above the second; did you mean ({bounds[1]}, {bounds[0]})?")
    return bounds


def odd(size: int) -> int:
    if size % 2 == 0:
        raise ValueError(f"a kernel needs a middle tap, so an odd size; use {size - 1} or {size + 1}")
    return size


def _sums_to_one(probabilities: tuple[float, ...]) -> tuple[float, ...]:
    if abs(sum(probabilities) - 1) > 1e-6:
        raise ValueError(f"probabilities must sum to 1, these sum to {sum(probabilities):g}")
    return probabilities


Probability = Annotated[float, Field(ge=0, le=1)]
Level = Annotated[float, Field(ge=0, le=1e4)]
Width = Annotated[float, Field(ge=0.1, le=100)]
KernelSize = Annotated[int, Field(ge=1, le=101), AfterValidator(odd)]
Levels = Annotated[tuple[Level, Level], AfterValidator(_in_order)]
Widths = Annotated[tuple[Width, Width], AfterValidator(_in_order)]
Angles = Annotated[
    tuple[Annotated[float, Field(ge=-360, le=360)], Annotated[float, Field(ge=-360, le=360)]], AfterValidator(_in_order)
]
Quality = Annotated[int, Field(ge=1, le=100)]
Qualities = Annotated[tuple[Quality, Quality], AfterValidator(_in_order)]


@group
class Bicubic:
    """MATLAB's bicubic reduction by the scale."""

    name: Literal["bicubic"] = "bicubic"


@group
class Subsample:
    """Keeps the top left pixel of each scale x scale cell."""

    name: Literal["subsample"] = "subsample"
    aligned: bool = True
    """Whether the kernels of the last blur before it have their middle in the middle of the cell, so that LR lies as after a
    bicubic reduction; they must be large enough for that. Only that blur is moved; if it is a `KernelFile`, none is: its
    kernels are taken as they are. Otherwise the middle lies on the kept pixel, and LR is shifted by half of (scale - 1) HR
    pixels."""


@group
class GaussianBlur:
    """Convolves with a Gaussian."""

    name: Literal["gaussian-blur"] = "gaussian-blur"
    size: KernelSize = 21
    """Taps a side, odd."""
    sigma: Widths = (0.2, 3.0)
    """Least and greatest standard deviation [HR pixels, LR pixels after a reduction]."""
    anisotropic: bool = False
    """Whether two standard deviations are drawn, and an angle."""


@group
class MotionBlur:
    """Convolves with a straight line."""

    name: Literal["motion-blur"] = "motion-blur"
    size: KernelSize = 25
    """Taps a side, odd."""
    length: Levels = (0.0, 20.0)
    """Least and greatest length [pixels]."""
    angle: Angles = (0.0, 180.0)
    """Least and greatest angle [degrees, counter-clockwise from horizontal]."""

    def __post_init__(self) -> None:
        _check_reach("length", self.length[1], self.size - 4)


@group
class ShakeBlur:
    """Convolves with the path of a shaking camera."""

    name: Literal["shake-blur"] = "shake-blur"
    size: KernelSize = 25
    """Taps a side, odd."""
    extent: Widths = (5.0, 20.0)
    """Least and greatest height or width of the path, whichever is larger [pixels]."""

    def __post_init__(self) -> None:
        _check_reach("extent", self.extent[1], self.size - 4)


@group
class DiskBlur:
    """Convolves with a disk: a lens out of focus."""

    name: Literal["disk-blur"] = "disk-blur"
    size: KernelSize = 21
    """Taps a side, odd."""
    radius: Widths = (0.5, 8.0)
    """Least and greatest radius [pixels]."""

    def __post_init__(self) -> None:
        _check_reach("radius", self.radius[1], self.size // 2 - 2)


@group
class ClassicalBlur:
    """Convolves with an anisotropic Gaussian or the path of a shaking camera: USRNet's training kernels (CVPR 2020)."""

    name: Literal["classical-blur"] = "classical-blur"
    size: KernelSize = 25
    """Taps a side, odd."""
    variance: Widths = (0.6, 12.0)
    """Least and greatest variance along the Gaussian's axes [pixels^2]."""
    extent: Widths = (5.0, 20.0)
    """Least and greatest height or width of the path, whichever is larger [pixels]."""
    shake_probability: Probability = 0.5
    """How often the kernel is a path."""

    def __post_init__(self) -> None:
        _check_reach("extent", self.extent[1], self.size - 4)


@group
class KernelFile:
    """Convolves with one of the kernels of a file, as they are: tap (size - 1) / 2 lies on the kept pixel."""

    name: Literal["kernel-file"] = "kernel-file"
    path: str
    """A .npy, .npz, .mat or .png file."""


@group
class GaussianNoise:
    """Adds white Gaussian noise."""

    name: Literal["gaussian-noise"] = "gaussian-noise"
    sigma: Levels = (0.0, 25.0)
    """Least and greatest standard deviation [grey levels of 255]."""
    gray: Probability = 0.0
    """How often the three channels get the same noise."""


@group
class PoissonNoise:
    """Counts photons."""

    name: Literal["poisson-noise"] = "poisson-noise"
    peak: Annotated[
        tuple[Annotated[float, Field(ge=1, le=1e6)], Annotated[float, Field(ge=1, le=1e6)]], AfterValidator(_in_order)
    ] = (50.0, 1000.0)
    """Least and greatest number of photons of a white pixel; few are noisy."""
    gray: Probability = 0.0
    """How often the three channels get the same noise."""


@group
class Jpeg:
    """Saves as JPEG and reads again, byte for byte as libjpeg."""

    name: Literal["jpeg"] = "jpeg"
    quality: Qualities = (30, 95)
    """Least and greatest quality, 1 to 100."""
    subsampling: Literal["4:2:0", "4:4:4"] = "4:2:0"
    """Whether chroma has half the resolution."""


@group
class Order:
    """One pass of blur, resize, noise and JPEG. The defaults are the first pass of Real-ESRGAN."""

    blur: Probability = 1.0
    """How often there is a blur."""
    sinc: Probability = 0.1
    """How often its kernel is a sinc, which rings."""
    kinds: Annotated[
        tuple[Probability, Probability, Probability, Probability, Probability, Probability], AfterValidator(_sums_to_one)
    ] = (0.45, 0.25, 0.12, 0.03, 0.12, 0.03)
    """Probabilities of isotropic and anisotropic Gaussians, generalised ones, and plateaus."""
    sigma: Widths = (0.2, 3.0)
    """Least and greatest standard deviation [pixels]."""
    generalised_beta: Widths = (0.5, 4.0)
    """Least (at most 1) and greatest (at least 1) shape parameter of generalised Gaussians."""
    plateau_beta: Widths = (1.0, 2.0)
    """The same of plateaus."""
    resize: Annotated[tuple[Probability, Probability, Probability], AfterValidator(_sums_to_one)] = (0.2, 0.7, 0.1)
    """Probabilities to enlarge, to reduce, and to keep the size."""
    factor: Annotated[
        tuple[Annotated[float, Field(ge=0.05, le=1)], Annotated[float, Field(ge=1, le=4)]], AfterValidator(_in_order)
    ] = (0.15, 1.5)
    """Strongest reduction (at most 1) and enlargement (at least 1); in the second pass relative to LR."""
    gaussian: Probability = 0.5
    """How often noise is Gaussian, and not shot noise."""
    noise_sigma: Levels = (1.0, 30.0)
    """Least and greatest standard deviation of Gaussian noise [grey levels of 255]."""
    shot_scale: Levels = (0.05, 3.0)
    """Least and greatest multiple of the shot noise that 256 photons of white have."""
    gray: Probability = 0.4
    """How often the three channels get the same noise."""
    quality: Qualities = (30, 95)
    """Least and greatest JPEG quality."""

    def __post_init__(self) -> None:
        for key in ("generalised_beta", "plateau_beta"):
            low, high = getattr(self, key)
            if not low <= 1 <= high:
                raise ValueError(f"{key}=({low}, {high}) must hold 1 between its bounds")


@group
class SecondOrder:
    """The blind chain of Real-ESRGAN (Wang et al., ICCV Workshops 2021), from HR to LR, with its published numbers."""

    name: Literal["second-order"] = "second-order"
    first: Order = Order()
    """The first pass."""
    second: Order = Order(
        blur=0.8,
        sigma=(0.2, 1.5),
        resize=(0.3, 0.4, 0.3),
        factor=(0.3, 1.2),
        noise_sigma=(1.0, 25.0),
        shot_scale=(0.05, 2.5),
    )
    """The second pass."""
    final_sinc: Probability = 0.8
    """How often there is a sinc filter at the end."""


def _check_reach(key: str, value: float, greatest: int) -> None:
    if value > greatest:
        raise ValueError(f"{key}: {value:g} does not fit a kernel of this size; use at most {greatest:g}, or a larger size")


Blur = GaussianBlur | MotionBlur | ShakeBlur | DiskBlur | ClassicalBlur | KernelFile


def check_moved_blur(stages: tuple[Any, ...], scale: int) -> None:
    """Whether the blur that an aligned `Subsample` moves keeps its kernels whole; of Gaussians two standard deviations.

    Raises:
      ValueError: naming the size that would.
    """
    moved = moved_blur(stages)
    if moved is None or scale == 1:
        return
    blur, shift = stages[moved], (scale - 1) / 2
    key, reach = _reach(blur)
    needed = 2 * math.ceil(reach + shift) + 1
    if blur.size < needed:
        raise ValueError(
            f"data.degradation[{moved}].size={blur.size} is too small: its kernels reach {reach:.3g} pixels by "
            f"{key}={getattr(blur, key)}, and an aligned Subsample at scale={scale} moves them by {shift:g}; "
            f"use size={needed}, or Subsample(aligned=False)"
        )


def _reach(blur: Any) -> tuple[str, float]:
    """The key that says how far a blur's kernels reach from their middle, and how far that is [pixels]."""
    match blur:
        case GaussianBlur():
            return "sigma", 2 * blur.sigma[1]
        case MotionBlur():
            return "length", blur.length[1] / 2
        case ShakeBlur():
            return "extent", blur.extent[1] / 2
        case DiskBlur():
            return "radius", blur.radius[1]
        case _:
            reaches = {"variance": 2 * math.sqrt(blur.variance[1]), "extent": blur.extent[1] / 2}
            return max(reaches.items(), key=lambda item: item[1])


AnyStage = Bicubic | Subsample | Blur | GaussianNoise | PoissonNoise | Jpeg | SecondOrder
STAGES.update({get_args(stage.__annotations__["name"])[0]: stage for stage in get_args(AnyStage)})
Stage = Annotated[AnyStage, Field(discriminator="name")]
Preset = Literal["bicubic", "classical", "real-esrgan"]
Stages = tuple[Stage, ...]


def _named_or_stages(value: Any) -> Any:
    """Lists, as of JSON, as tuples.

    Raises:
      ValueError: if it is neither a name nor stages.
    """
    if isinstance(value, str):
        return value
    if not isinstance(value, list | tuple) or not all(isinstance(stage, AnyStage | dict) for stage in value):
        names = ", ".join(get_args(Preset))
        raise ValueError(f"use a name ({names}) or a tuple of stages, such as (Subsample(),)")
    return _tuples(value)


def _tuples(value: Any) -> Any:
    """With tuples for all lists, also those inside of dicts."""
    match value:
        case list() | tuple():
            return tuple(map(_tuples, value))
        case dict():
            return {key: _tuples(inner) for key, inner in value.items()}
        case _:
            return value


Degradation = Annotated[
    Annotated[Preset, Tag("preset")] | Annotated[Stages, Tag("stages")],
    Discriminator(lambda value: "preset" if isinstance(value, str) else "stages"),
    BeforeValidator(_named_or_stages),
]

PRESETS: dict[str, tuple[Any, ...]] = {
    "bicubic": (Bicubic(),),
    "classical": (ClassicalBlur(), Subsample(), GaussianNoise()),
    "real-esrgan": (SecondOrder(),),
}
"""What the named degradations stand for."""


def moved_blur(stages: tuple[Any, ...]) -> int | None:
    """Index of the blur whose kernels an aligned `Subsample` moves to the middle of the cell: the last one before it."""
    blurs: list[int] = []
    for index, stage in enumerate(stages):
        if isinstance(stage, Blur):
            blurs.append(index)
        if isinstance(stage, Subsample) and stage.aligned and blurs and not isinstance(stages[blurs[-1]], KernelFile):
            return blurs[-1]
    return None
