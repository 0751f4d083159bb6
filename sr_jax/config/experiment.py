"""One experiment: network, data, optimiser, evaluation."""

from typing import Annotated, Any, Literal

from pydantic import Field

from sr_jax.config.degradations import PRESETS, Bicubic, Degradation, SecondOrder, Subsample, check_moved_blur
from sr_jax.config.groups import Count, Fraction, Name, Names, NotNegative, Positive, group
from sr_jax.config.losses import Loss
from sr_jax.config.networks import FSRCNNConfig, NetworkConfig

TrainingSet = Literal[
    "photographs", "folder", "T91", "General-100", "BSDS200", "91", "291", "91+General-100", "DIV2K", "Flickr2K", "DF2K"
]

MAX_SCALE = 64
"""No larger super-resolution factor makes sense."""
WARMUP_STEPS = 100
"""Steps of the warm-up where none are given, unless the run is short."""


@group
class DataConfig:
    """Training images and how batches are made of them."""

    name: TrainingSet = "photographs"
    """`photographs`: those that come with scikit-image; nothing is downloaded. `folder`: all images below `data.dir`.
    The other sets lie below `data.root`. DIV2K, Flickr2K and both together (DF2K) are downloaded if they are missing."""
    dir: Names = ()
    """Folders of images, for `data.name=folder`."""
    include: Names = ()
    """Uses only images whose names match one of these patterns, such as `holiday/*`; `*` matches `/` too. By default all."""
    exclude: Names = ()
    """Leaves out images whose names match one of these patterns."""
    root: Name | None = None
    """Folder that holds the named sets, such as `T91/` or `Set5/HR/`.
    By default the folder that the environment variable SR_JAX_DATA names, or else `datasets` in the cache folder."""
    leaks: Literal["refuse", "allow"] = "refuse"
    """What to do with training images that are also evaluation images, of this run or of Set5, Set14 and B100.
    `refuse` names them and stops; `allow` names them and goes on."""
    bad_images: Literal["refuse", "skip"] = "refuse"
    """What to do with images that cannot be used. `refuse` names them and stops; `skip` names them and goes on without them."""
    batch: Annotated[Count, Field(le=2**20)] = 16
    """Patches in one step, on all devices together."""
    patch: Annotated[Count, Field(le=2**14)] = 48
    """Height and width of an HR patch [HR pixels]; a multiple of the scale."""
    lr_source: Literal["degrade", "files"] = "degrade"
    """Where LR patches come from. `degrade`: they are made of the HR patches in the compiled step.
    `files`: they are cut from LR images that were made beforehand."""
    degradation: Degradation = "bicubic"
    """How LR is made from HR. `bicubic`: MATLAB's bicubic reduction. `classical`: USRNet's blur, subsampling and noise.
    `real-esrgan`: Real-ESRGAN's blind second-order chain.
    A config file can also list its own stages: (GaussianBlur(sigma=(0.6, 2.4)), Subsample(), Jpeg())."""
    pipeline: Literal["resident", "host", "records"] = "resident"
    """Where patches are cut. `resident`: in the compiled step, from images that live in device memory.
    `host`: on the host, by Grain, from a file of pixels. `records`: on the host, from compressed tiles, for sets larger than
    memory. All give the same bytes."""
    threads: Annotated[Count, Field(le=256)] = 1
    """Host threads that prepare batches. One thread is enough for most training steps. Only with `pipeline=records`, which
    unpacks a tile for each patch, are several threads faster."""
    prefetch: Annotated[Count, Field(le=1000)] = 8
    """Compiled calls (see `steps_per_dispatch`) whose batches are prepared and sent to the devices ahead of time."""


@group
class OptimConfig:
    """The optimiser, its learning rate over the steps, and an exponential moving average (EMA) of the parameters."""

    method: Literal["adam", "sgd"] = "adam"
    """Adam, or stochastic gradient descent with momentum."""
    lr: Positive = 1e-3
    """Peak learning rate."""
    last_lr: Positive = 1.0
    """Factor on the learning rate of the network's last layer."""
    init_lr: NotNegative = 1.0
    """Factor on the learning rate of the parameters that are taken from `init`. 0: they are not trained."""
    frozen: Names = ()
    """Layers or parameters that are not trained, as patterns of their names such as `mapping*`. By default all are trained."""
    warmup_steps: Annotated[int, Field(ge=0, lt=2**31)] | None = None
    """Steps over which the learning rate rises from 0 to its peak. By default 100, but at most a tenth of all steps."""
    schedule: Literal["cosine", "drops"] = "cosine"
    """How the learning rate falls. `cosine`: along half a cosine. `drops`: by the factor `drop_to` every `drop_every` steps."""
    final_lr: NotNegative = 1e-5
    """Learning rate at the last step of the cosine schedule."""
    on_extend: Literal["stretch", "restart"] = "stretch"
    """What the schedule does where a larger `steps` extends a run.
    `stretch`: it goes on as if it had been planned for all steps.
    `restart`: it begins again, with its warm-up, and spans the added steps."""
    drop_every: Count = 100_000
    """Steps between two drops of the learning rate."""
    drop_to: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Factor by which the learning rate is multiplied at a drop."""
    b1: Fraction = 0.9
    """Decay of Adam's first moment, or the momentum of SGD."""
    b2: Fraction = 0.999
    """Decay of Adam's second moment."""
    weight_decay: NotNegative = 0.0
    """L2 penalty: this share of each kernel is added to its gradient. Biases and PReLU slopes have no penalty."""
    clip_norm: Positive | None = None
    """Largest norm of the gradient of all parameters together. A gradient with a larger norm is scaled down to it."""
    clip_value: Positive | None = None
    """Only with method=sgd: largest step of a parameter.
    Each number of a gradient is clipped to this value divided by the learning rate (VDSR, section 3.2)."""
    ema_decay: Fraction = 0.999
    """Decay of the moving average of the parameters, which evaluation uses. 0: no averaging."""


@group
class EvalConfig:
    """Evaluation on whole images, during training and at its end."""

    sets: Annotated[Names, Field(min_length=1)] = ("photographs",)
    """Sets to evaluate on: `photographs` (three photographs that are never trained on), folders of HR images, or named sets
    below `data.root` (Set5, Set14, B100, Urban100, Manga109, and DIV2K for its validation images)."""
    every: Count = 1000
    """Steps between evaluations."""
    protocol: Literal["published", "papers", "rgb-uint8"] = "published"
    """How to score (docs/evaluation.md). `papers`: Y in floating point, as in the published tables up to LapSRN.
    `rgb-uint8`: 8-bit RGB in and out, as in the tables since EDSR.
    `published`: `papers` for networks that read Y, and `rgb-uint8` for networks that read RGB."""
    degradation: Literal["training", "bicubic"] = "training"
    """How LR is made from the images that are scored. `bicubic`: by MATLAB's bicubic reduction.
    `training`: as in training. Each image always gets the same draw."""


@group
class Config:
    """One experiment."""

    scale: Annotated[Count, Field(le=MAX_SCALE)] = 2
    """Super-resolution factor."""
    steps: Count = 1000
    """Training steps."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Seed of the initialisation and of the sampling plan."""
    model: NetworkConfig = FSRCNNConfig()
    """Network and its sizes."""
    init: Name | None = None
    """Network that training starts from, which may have another scale: a work directory, a weights file, or a name of the zoo.
    Parameters that fit by name and shape are taken, and the others are initialised. By default all are initialised."""
    loss: Loss = "l1"
    """`l1`: mean absolute error. `mse`: mean squared error. `charbonnier`: LapSRN's smooth absolute error. `ssim`: 1 - SSIM.
    `fft`: mean absolute difference of the spectra. A weighted sum is written `1.0 l1 0.1 fft`.
    A config file can also use a function of your own (docs/extending.md)."""
    compute: Literal["float32", "bfloat16"] = "float32"
    """Type in which the network computes in training. Parameters, loss and evaluation are always float32."""
    parallel: Literal["pmap", "shard_map"] = "shard_map"
    """How a step is spread over the devices. Both ways give the same numbers."""
    steps_per_dispatch: Annotated[Count, Field(le=10_000)] = 1
    """Steps in one compiled call. Several steps save overhead where a step is short, as on a GPU.
    On a CPU they save little, and more than 8 are slow."""
    accumulate: Count = 1
    """Parts of a batch whose gradients are computed one after another and averaged, so that a large batch fits into memory."""
    on_nan: Literal["stop", "skip"] = "stop"
    """What to do with a step whose loss or gradient is infinite or NaN. `stop` ends the run and names the batch.
    `skip` leaves the parameters as they were; the log counts such steps as `skipped`, and too many in a row end the run."""
    data: DataConfig = DataConfig()
    optim: OptimConfig = OptimConfig()
    eval: EvalConfig = EvalConfig()
    log_every: Count = 100
    """Steps between reports."""
    checkpoint_every: Count = 1000
    """Steps between checkpoints."""
    keep: Count = 2
    """Number of latest checkpoints to keep, in addition to the best one."""

    @property
    def warmup_steps(self) -> int:
        """Steps of the warm-up, also if they are not given."""
        given = self.optim.warmup_steps
        return min(WARMUP_STEPS, self.steps // 10) if given is None else given

    @property
    def stages(self) -> tuple[Any, ...]:
        """The stages of the degradation, also if it is given by name."""
        chosen = self.data.degradation
        return PRESETS[chosen] if isinstance(chosen, str) else chosen

    def __post_init__(self) -> None:
        if self.data.patch % self.scale:
            down = max(self.data.patch // self.scale, 1) * self.scale
            raise ValueError(
                f"data.patch={self.data.patch} is not a multiple of scale={self.scale}; use {down} or {down + self.scale}"
            )
        if self.data.patch < 2 * self.scale:
            raise ValueError(f"data.patch={self.data.patch} is too small for scale={self.scale}; use at least {2 * self.scale}")
        _check_reduction(self.stages, self.scale)
        check_moved_blur(self.stages, self.scale)
        if self.data.lr_source == "files" and self.data.degradation != "bicubic":
            raise ValueError(
                "data.lr_source=files reads LR from files, so data.degradation does not apply; leave one of them out"
            )
        if self.data.name == "folder" and not self.data.dir:
            raise ValueError("data.name=folder needs data.dir, a folder of images")
        if self.data.name != "folder" and self.data.dir:
            places = " ".join(self.data.dir)
            raise ValueError(f"data.dir={places} is for data.name=folder, but data.name is {self.data.name}")
        if self.optim.clip_value and self.optim.method != "sgd":
            raise ValueError(
                f"optim.clip_value={self.optim.clip_value:g} is for optim.method=sgd; use optim.clip_norm with Adam"
            )
        if self.optim.schedule == "cosine" and self.optim.final_lr > self.optim.lr:
            raise ValueError(f"optim.final_lr={self.optim.final_lr} must not be above optim.lr={self.optim.lr}")
        if self.warmup_steps >= self.steps:
            raise ValueError(
                f"optim.warmup_steps={self.warmup_steps} must be below steps={self.steps}, "
                "or the learning rate never reaches its peak"
            )
        if self.optim.init_lr != 1 and not self.init:
            raise ValueError(
                f"optim.init_lr={self.optim.init_lr:g} is for parameters that are taken from `init`; give init, too"
            )
        intervals = {
            "steps": self.steps,
            "log_every": self.log_every,
            "checkpoint_every": self.checkpoint_every,
            "eval.every": self.eval.every,
        }
        for key, value in intervals.items():
            if value % self.steps_per_dispatch:
                raise ValueError(f"{key}={value} is not a multiple of steps_per_dispatch={self.steps_per_dispatch}")


def _check_reduction(stages: tuple[Any, ...], scale: int) -> None:
    """Checks that exactly one stage goes from HR to LR."""
    reducing = [stage.name for stage in stages if isinstance(stage, Bicubic | Subsample | SecondOrder)]
    if len(reducing) > 1:
        raise ValueError(f"data.degradation reduces more than once, by {' and '.join(reducing)}; keep one of them")
    if not reducing and scale > 1:
        raise ValueError(f"data.degradation has no stage that reduces by scale={scale}; add Bicubic() or Subsample()")
