"""How LR is made of HR: stages as plain data, and chains of stages that have names."""

import math
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag

from sr_jax.config.groups import Kind, Name, group


def _check_order(bounds: tuple[Any, Any]) -> tuple[Any, Any]:
    if bounds[0] > bounds[1]:
        raise ValueError(f"the first bound must not be above the second; did you mean ({bounds[1]}, {bounds[0]})?")
    return bounds


def odd(size: int) -> int:
    """Checks the size of a kernel.

    Raises:
      ValueError: if it is even.
    """
    if size % 2 == 0:
        raise ValueError(f"a kernel needs a middle tap, so its size must be odd; use {size - 1} or {size + 1}")
    return size


def _check_sum(probabilities: tuple[float, ...]) -> tuple[float, ...]:
    if abs(sum(probabilities) - 1) > 1e-6:
        raise ValueError(f"probabilities must sum to 1, but these sum to {sum(probabilities):g}")
    return probabilities


Probability = Annotated[float, Field(ge=0, le=1)]
Level = Annotated[float, Field(ge=0, le=1e4)]
Width = Annotated[float, Field(ge=0.1, le=100)]
KernelSize = Annotated[int, Field(ge=1, le=101), AfterValidator(odd)]
Levels = Annotated[tuple[Level, Level], AfterValidator(_check_order)]
Widths = Annotated[tuple[Width, Width], AfterValidator(_check_order)]
Angles = Annotated[
    tuple[Annotated[float, Field(ge=-360, le=360)], Annotated[float, Field(ge=-360, le=360)]], AfterValidator(_check_order)
]
Quality = Annotated[int, Field(ge=1, le=100)]
Qualities = Annotated[tuple[Quality, Quality], AfterValidator(_check_order)]


@group
class Bicubic:
    """MATLAB's bicubic reduction by the scale."""

    name: Literal["bicubic"] = "bicubic"


@group
class Subsample:
    """Keeps the top left pixel of each scale x scale cell."""

    name: Literal["subsample"] = "subsample"
    aligned: bool = True
    """True: the kernels of the last blur before this stage are moved to the middle of the cell, so that LR is aligned as after
    a bicubic reduction. They must be large enough for that. Kernels of a `KernelFile` are never moved, and neither is a blur
    before it. False: the middle of the kernels lies on the kept pixel, and LR is shifted by (scale - 1) / 2 HR pixels."""


@group
class GaussianBlur:
    """Convolves with a Gaussian."""

    name: Literal["gaussian-blur"] = "gaussian-blur"
    size: KernelSize = 21
    """Height and width of the kernel [taps], odd."""
    sigma: Widths = (0.2, 3.0)
    """Smallest and largest standard deviation [HR pixels; LR pixels after a reduction]."""
    anisotropic: bool = False
    """Draws two standard deviations and an angle."""


@group
class MotionBlur:
    """Convolves with a straight line."""

    name: Literal["motion-blur"] = "motion-blur"
    size: KernelSize = 25
    """Height and width of the kernel [taps], odd."""
    length: Levels = (0.0, 20.0)
    """Smallest and largest length [pixels]."""
    angle: Angles = (0.0, 180.0)
    """Smallest and largest angle [degrees, counter-clockwise from horizontal]."""

    def __post_init__(self) -> None:
        _check_reach("length", self.length[1], self.size - 4)


@group
class ShakeBlur:
    """Convolves with the path of a shaking camera."""

    name: Literal["shake-blur"] = "shake-blur"
    size: KernelSize = 25
    """Height and width of the kernel [taps], odd."""
    extent: Widths = (5.0, 20.0)
    """Smallest and largest extent of the path, which is the larger of its height and width [pixels]."""

    def __post_init__(self) -> None:
        _check_reach("extent", self.extent[1], self.size - 4)


@group
class DiskBlur:
    """Convolves with a disk, as a lens does that is out of focus."""

    name: Literal["disk-blur"] = "disk-blur"
    size: KernelSize = 21
    """Height and width of the kernel [taps], odd."""
    radius: Widths = (0.5, 8.0)
    """Smallest and largest radius [pixels]."""

    def __post_init__(self) -> None:
        _check_reach("radius", self.radius[1], self.size // 2 - 2)


@group
class ClassicalBlur:
    """Convolves with an anisotropic Gaussian or the path of a shaking camera, as USRNet is trained (CVPR 2020)."""

    name: Literal["classical-blur"] = "classical-blur"
    size: KernelSize = 25
    """Height and width of the kernel [taps], odd."""
    variance: Widths = (0.6, 12.0)
    """Smallest and largest variance along the axes of the Gaussian [pixels^2]."""
    extent: Widths = (5.0, 20.0)
    """Smallest and largest extent of the path, which is the larger of its height and width [pixels]."""
    shake_probability: Probability = 0.5
    """Probability that the kernel is a path."""

    def __post_init__(self) -> None:
        _check_reach("extent", self.extent[1], self.size - 4)


@group
class KernelFile:
    """Convolves with one of the kernels of a file. Tap (size - 1) / 2 lies on the kept pixel."""

    name: Literal["kernel-file"] = "kernel-file"
    path: Name
    """A .npy, .npz, .mat or .png file."""


@group
class GaussianNoise:
    """Adds white Gaussian noise."""

    name: Literal["gaussian-noise"] = "gaussian-noise"
    sigma: Levels = (0.0, 25.0)
    """Smallest and largest standard deviation [gray levels of 255]."""
    gray: Probability = 0.0
    """Probability that the three channels get the same noise."""


@group
class PoissonNoise:
    """Adds the shot noise of counted photons."""

    name: Literal["poisson-noise"] = "poisson-noise"
    peak: Annotated[
        tuple[Annotated[float, Field(ge=1, le=1e6)], Annotated[float, Field(ge=1, le=1e6)]], AfterValidator(_check_order)
    ] = (50.0, 1000.0)
    """Smallest and largest number of photons of a white pixel. Fewer photons give more noise."""
    gray: Probability = 0.0
    """Probability that the three channels get the same noise."""


@group
class Jpeg:
    """Compresses with JPEG, byte for byte as libjpeg does."""

    name: Literal["jpeg"] = "jpeg"
    quality: Qualities = (30, 95)
    """Smallest and largest quality, from 1 to 100."""
    subsampling: Literal["4:2:0", "4:4:4"] = "4:2:0"
    """Resolution of chroma: half (4:2:0) or full (4:4:4)."""


@group
class Order:
    """One pass of blur, resizing, noise and JPEG. The defaults are those of Real-ESRGAN's first pass."""

    blur: Probability = 1.0
    """Probability of a blur."""
    sinc: Probability = 0.1
    """Probability that its kernel is a sinc, which rings."""
    kinds: Annotated[
        tuple[Probability, Probability, Probability, Probability, Probability, Probability], AfterValidator(_check_sum)
    ] = (0.45, 0.25, 0.12, 0.03, 0.12, 0.03)
    """Probabilities of isotropic and anisotropic kernels, in pairs: Gaussian, generalised Gaussian, plateau."""
    sigma: Widths = (0.2, 3.0)
    """Smallest and largest standard deviation [pixels]."""
    generalised_beta: Widths = (0.5, 4.0)
    """Smallest (at most 1) and largest (at least 1) shape parameter of generalised Gaussians."""
    plateau_beta: Widths = (1.0, 2.0)
    """Smallest (at most 1) and largest (at least 1) shape parameter of plateaus."""
    resize: Annotated[tuple[Probability, Probability, Probability], AfterValidator(_check_sum)] = (0.2, 0.7, 0.1)
    """Probabilities of enlarging, of reducing, and of keeping the size."""
    factor: Annotated[
        tuple[Annotated[float, Field(ge=0.05, le=1)], Annotated[float, Field(ge=1, le=4)]], AfterValidator(_check_order)
    ] = (0.15, 1.5)
    """Strongest reduction (at most 1) and strongest enlargement (at least 1). In the second pass they are relative to LR."""
    gaussian: Probability = 0.5
    """Probability that noise is Gaussian; otherwise it is shot noise."""
    noise_sigma: Levels = (1.0, 30.0)
    """Smallest and largest standard deviation of Gaussian noise [gray levels of 255]."""
    shot_scale: Levels = (0.05, 3.0)
    """Smallest and largest strength of shot noise; 1 is that of 256 photons in a white pixel."""
    gray: Probability = 0.4
    """Probability that the three channels get the same noise."""
    quality: Qualities = (30, 95)
    """Smallest and largest JPEG quality."""

    def __post_init__(self) -> None:
        for key in ("generalised_beta", "plateau_beta"):
            low, high = getattr(self, key)
            if not low <= 1 <= high:
                raise ValueError(f"{key}=({low}, {high}) must include 1")


@group
class SecondOrder:
    """Makes LR of HR as Real-ESRGAN does for blind super-resolution (Wang et al., ICCV Workshops 2021)."""

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
    """Probability of a sinc filter at the end."""


def _check_reach(key: str, value: float, greatest: int) -> None:
    if value > greatest:
        raise ValueError(
            f"{key}: {value:g} does not fit into a kernel of this size; use at most {greatest:g}, or a larger size"
        )


Blur = GaussianBlur | MotionBlur | ShakeBlur | DiskBlur | ClassicalBlur | KernelFile


def check_moved_blur(stages: tuple[Any, ...], scale: int) -> None:
    """Checks that the kernels of a blur still fit when an aligned `Subsample` moves them.

    A Gaussian must fit up to two standard deviations.

    Raises:
      ValueError: if they do not. The message names the size that is needed.
    """
    moved = moved_blur(stages)
    if moved is None or scale == 1:
        return
    blur, shift = stages[moved], (scale - 1) / 2
    key, reach = _reach(blur)
    needed = 2 * math.ceil(reach + shift) + 1
    if blur.size < needed:
        raise ValueError(
            f"data.degradation[{moved}].size={blur.size} is too small: with {key}={getattr(blur, key)} its kernels reach "
            f"{reach:.3g} pixels, and an aligned Subsample at scale={scale} moves them by {shift:g}; "
            f"use size={needed}, or Subsample(aligned=False)"
        )


def _reach(blur: Any) -> tuple[str, float]:
    """The key that sets how far a blur's kernels reach from their middle, and that distance [pixels]."""
    match blur:
        case GaussianBlur():
            return "sigma", 2 * blur.sigma[1]
        case MotionBlur():
            return "length", blur.length[1] / 2
        case ShakeBlur():
            return "extent", blur.extent[1] / 2
        case DiskBlur():
            return "radius", blur.radius[1]
        case ClassicalBlur():
            reaches = {"variance": 2 * math.sqrt(blur.variance[1]), "extent": blur.extent[1] / 2}
            return max(reaches.items(), key=lambda item: item[1])
        case _:
            raise TypeError(f"{type(blur).__name__} needs a case here that says how far its kernels reach")


AnyStage = Bicubic | Subsample | Blur | GaussianNoise | PoissonNoise | Jpeg | SecondOrder
Stage = Annotated[AnyStage, Field(discriminator="name"), Kind("stage", "Jpeg(quality=(30, 95))")]
Preset = Literal["bicubic", "classical", "real-esrgan"]
Stages = tuple[Stage, ...]


def _read_degradation(value: Any) -> Any:
    """Turns the lists that JSON has into tuples.

    Raises:
      ValueError: if the value is neither a name nor a list of stages.
    """
    if isinstance(value, str):
        return value
    if not isinstance(value, list | tuple) or not all(isinstance(stage, AnyStage | dict) for stage in value):
        names = ", ".join(get_args(Preset))
        raise ValueError(f"use a name ({names}) or a tuple of stages, such as (Subsample(),)")
    return _as_tuples(value)


def _as_tuples(value: Any) -> Any:
    """The same with tuples in place of lists, also inside dicts."""
    match value:
        case list() | tuple():
            return tuple(map(_as_tuples, value))
        case dict():
            return {key: _as_tuples(inner) for key, inner in value.items()}
        case _:
            return value


Degradation = Annotated[
    Annotated[Preset, Tag("preset")] | Annotated[Stages, Tag("stages")],
    Discriminator(lambda value: "preset" if isinstance(value, str) else "stages"),
    BeforeValidator(_read_degradation),
]

PRESETS: dict[str, tuple[Any, ...]] = {
    "bicubic": (Bicubic(),),
    "classical": (ClassicalBlur(), Subsample(), GaussianNoise()),
    "real-esrgan": (SecondOrder(),),
}
"""The stages of each degradation that has a name."""


def moved_blur(stages: tuple[Any, ...]) -> int | None:
    """Index of the blur whose kernels an aligned `Subsample` moves, which is the last one before it; None if there is none."""
    blurs: list[int] = []
    for index, stage in enumerate(stages):
        if isinstance(stage, Blur):
            blurs.append(index)
        if isinstance(stage, Subsample) and stage.aligned and blurs and not isinstance(stages[blurs[-1]], KernelFile):
            return blurs[-1]
    return None
