"""One experiment: model, data, optimiser, evaluation."""

from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from sr_jax.config.degradations import PRESETS, Bicubic, Degradation, SecondOrder, Subsample, check_moved_blur
from sr_jax.config.groups import Fraction, Names, group
from sr_jax.config.networks import FSRCNNConfig, NetworkConfig

TrainingSet = Literal[
    "photographs", "folder", "T91", "General-100", "BSDS200", "91", "291", "91+General-100", "DIV2K", "Flickr2K", "DF2K"
]


@group
class DataConfig:
    """Training images and how batches are made of them."""

    name: TrainingSet = "photographs"
    """`photographs`: those that scikit-image carries, no network needed. `folder`: all images below `data.dir`. The others lie
    below `data.root`; DIV2K, Flickr2K and both together (DF2K) are downloaded to there if they are missing."""
    dir: Names = ()
    """The folders of images, for `data.name=folder`."""
    include: Names = ()
    """Only images whose names match one of these patterns, such as `holiday/*`; `*` matches `/` too. Without any: all."""
    exclude: Names = ()
    """No images whose names match one of these patterns."""
    root: str | None = None
    """The folder that holds the named sets, such as `T91/` or `Set5/HR/`. By default what the environment variable
    SR_JAX_DATA says, or else `datasets` in the cache folder."""
    leaks: Literal["refuse", "allow"] = "refuse"
    """Training images that are evaluation images, of this run or of Set5, Set14 and B100: `refuse` stops and names them,
    `allow` names them and goes on."""
    bad_images: Literal["refuse", "skip"] = "refuse"
    """Images that cannot be used: `refuse` stops and names them, `skip` names them and goes on without them."""
    batch: PositiveInt = 16
    """Patches in one step, over all devices together."""
    patch: PositiveInt = 48
    """Height and width of an HR patch [HR pixels]; a multiple of the scale."""
    lr_source: Literal["degrade", "files"] = "degrade"
    """Where LR patches come from. `degrade`: they are made of the HR patches, inside the compiled step. `files`: they are cut
    from LR images made beforehand."""
    degradation: Degradation = "bicubic"
    """How LR is made of HR. `bicubic`: as MATLAB. `classical`: blur, subsampling and noise of USRNet. `real-esrgan`: its blind
    second-order chain. In a config file also stages of one's own: (GaussianBlur(sigma=(0.6, 2.4)), Subsample(), Jpeg())."""
    pipeline: Literal["resident", "host"] = "resident"
    """`resident`: the images live in device memory and are cropped inside the compiled step. `host`: crops are made on the
    host (Grain) and sent. Both give the same bytes."""
    threads: PositiveInt = 1
    """Host threads that prepare batches. One is far ahead of any training step, and more do not cut faster."""
    prefetch: PositiveInt = 8
    """Dispatches prepared ahead and sent to the devices."""


@group
class OptimConfig:
    """The optimiser, its learning rate over the steps, and an exponential moving average (EMA) of the parameters."""

    method: Literal["adam", "sgd"] = "adam"
    """Adam, or stochastic gradient descent with momentum."""
    lr: Annotated[PositiveFloat, Field(allow_inf_nan=False)] = 1e-3
    """Peak learning rate."""
    last_lr: Annotated[PositiveFloat, Field(allow_inf_nan=False)] = 1.0
    """Learning rate of the network's last layer, as a share of that of the others."""
    warmup_steps: NonNegativeInt = 100
    """Steps over which the learning rate rises from 0 to its peak."""
    schedule: Literal["cosine", "drops"] = "cosine"
    """How the learning rate falls: along half a cosine, or by a factor from time to time."""
    final_lr: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1e-5
    """Learning rate at the last step of a cosine."""
    drop_every: PositiveInt = 100_000
    """Steps between drops of the learning rate."""
    drop_to: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Factor of the learning rate at a drop."""
    b1: Fraction = 0.9
    """Adam's decay of the first moment; momentum of SGD."""
    b2: Fraction = 0.999
    """Adam's decay of the second moment."""
    weight_decay: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """Share of each kernel that is added to its gradient: an L2 penalty. Biases and slopes have none."""
    clip_norm: Annotated[PositiveFloat, Field(allow_inf_nan=False)] | None = None
    """Largest norm of the gradient of all parameters; larger ones are shortened."""
    clip_value: Annotated[PositiveFloat, Field(allow_inf_nan=False)] | None = None
    """Each number of a gradient is cut to this divided by the learning rate: so much it can move a parameter by SGD in one step
    (VDSR, section 3.2)."""
    ema_decay: Fraction = 0.999
    """Decay of the parameters' moving average, which is what evaluation uses. 0: no averaging."""


@group
class EvalConfig:
    """Evaluation on whole images, during training and at its end."""

    sets: Annotated[Names, Field(min_length=1)] = ("photographs",)
    """Sets to evaluate on: `photographs` (its three held-out images), named sets below `data.root` (Set5, Set14, B100,
    Urban100, Manga109, DIV2K: its validation images) or folders of HR images."""
    every: PositiveInt = 1000
    """Steps between evaluations."""
    protocol: Literal["published", "papers", "rgb-uint8"] = "published"
    """How to score (docs/evaluation.md). `published`: as networks of the kind are published, by `papers` if they read Y, by
    `rgb-uint8` if they read RGB."""
    degradation: Literal["training", "bicubic"] = "training"
    """How LR is made of the images that are scored: as in training, each image with a draw of its own that is always the
    same, or by MATLAB's bicubic reduction."""


@group
class Config:
    """One experiment."""

    scale: PositiveInt = 2
    """Super-resolution factor."""
    steps: PositiveInt = 1000
    """Training steps."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Seed of the initialisation and of the sampling plan."""
    model: NetworkConfig = FSRCNNConfig()
    loss: Literal["l1", "mse", "charbonnier"] = "l1"
    """Mean absolute error, mean squared error, or LapSRN's smooth absolute error, on values in [0, 1]."""
    compute: Literal["float32", "bfloat16"] = "float32"
    """Type in which the network computes in training. Parameters, loss and evaluation are always float32."""
    parallel: Literal["pmap", "shard_map"] = "shard_map"
    """How the per-device step is spread over the devices. Both give the same numbers."""
    steps_per_dispatch: PositiveInt = 1
    """Steps in one compiled call. More of them save overhead where a step is short, as on a GPU; on a CPU
    they save little, and more than 8 are slow."""
    data: DataConfig = DataConfig()
    optim: OptimConfig = OptimConfig()
    eval: EvalConfig = EvalConfig()
    log_every: PositiveInt = 100
    """Steps between reports."""
    checkpoint_every: PositiveInt = 1000
    """Steps between checkpoints."""
    keep: PositiveInt = 2
    """Latest checkpoints that are kept, beside the best one."""

    @property
    def stages(self) -> tuple[Any, ...]:
        """The stages of the degradation, of a named one too."""
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
            raise ValueError("data.lr_source=files takes LR as it is; data.degradation does not go with it")
        if self.data.name == "folder" and not self.data.dir:
            raise ValueError("data.name=folder needs data.dir, the folder of images")
        if self.data.name != "folder" and self.data.dir:
            places = " ".join(self.data.dir)
            raise ValueError(f"data.dir={places} is used with data.name=folder alone, but data.name={self.data.name}")
        if self.optim.clip_value and self.optim.method != "sgd":
            raise ValueError(f"optim.clip_value={self.optim.clip_value:g} is for optim.method=sgd; use clip_norm with Adam")
        if self.optim.schedule == "cosine" and self.optim.final_lr > self.optim.lr:
            raise ValueError(f"optim.final_lr={self.optim.final_lr} must not be above optim.lr={self.optim.lr}")
        if self.optim.warmup_steps >= self.steps:
            raise ValueError(
                f"optim.warmup_steps={self.optim.warmup_steps} must be below steps={self.steps}, "
                "or the learning rate never reaches its peak"
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
    """Exactly one stage must go from HR to LR."""
    reducing = [stage.name for stage in stages if isinstance(stage, Bicubic | Subsample | SecondOrder)]
    if len(reducing) > 1:
        raise ValueError(f"data.degradation reduces more than once, by {' and '.join(reducing)}; leave one of them")
    if not reducing and scale > 1:
        raise ValueError(f"data.degradation has no stage that reduces by scale={scale}; add Bicubic() or Subsample()")
