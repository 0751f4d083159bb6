"""From a config to the parts of a run."""

import dataclasses
import functools
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import optax
from flax import nnx
from jaxtyping import Array

from sr_jax import optim
from sr_jax.config import Config
from sr_jax.data import pack, pipelines, sources
from sr_jax.data.degrade import Batch, Degrade
from sr_jax.data.images import Image
from sr_jax.data.plan import Sampler
from sr_jax.errors import InputError
from sr_jax.evaluate import unusable
from sr_jax.losses import LOSSES
from sr_jax.models import MODELS
from sr_jax.state import State
from sr_jax.step import Metrics, make_step

MAX_UNROLLED = 8
"""More steps in one dispatch are looped on CPUs too: 100 unrolled ones would compile for minutes and take gigabytes."""


def use_compilation_cache(cache: Path) -> None:
    """Keeps compiled programs in `cache`, unless JAX_COMPILATION_CACHE_DIR names another place.

    Raises:
      InputError: if the folder cannot be written.
    """
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--cache_dir {cache} cannot be written ({error.strerror}); give another folder") from None
    if not os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        jax.config.update("jax_compilation_cache_dir", str(cache / "compiled"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def build_model(config: Config) -> tuple[Callable[[Any, Array], Array], Any]:
    """The network as a function `(params, LR) -> SR`, and its initial parameters, a nested dict named by attribute."""
    options = dataclasses.asdict(config.model)
    module = MODELS[options.pop("name")](scale=config.scale, **options, rngs=nnx.Rngs(config.seed))
    graph, variables = nnx.split(module, nnx.Param)
    return lambda params, lr: nnx.merge(graph, params)(lr), nnx.to_pure_dict(variables)


def make_optimizer(config: Config) -> tuple[optax.GradientTransformation, optax.Schedule]:
    """The optimiser and its learning rate over the steps."""
    learning_rate = optim.schedule(
        lr=config.optim.lr,
        warmup_steps=config.optim.warmup_steps,
        final_lr=config.optim.final_lr,
        steps=config.steps,
    )
    return optim.adam(learning_rate, b1=config.optim.b1, b2=config.optim.b2), learning_rate


def unrolls(config: Config) -> bool:
    """Whether the steps of a dispatch are repeated in the program: on CPUs, as long as that compiles in reasonable time."""
    return jax.default_backend() == "cpu" and config.steps_per_dispatch <= MAX_UNROLLED


def make_train_step(
    config: Config, model: Callable[[Any, Array], Array], optimizer: optax.GradientTransformation
) -> Callable[[State, Batch], tuple[State, Metrics]]:
    """The training step of one device."""
    return make_step(
        model,
        LOSSES[config.loss],
        optimizer,
        make_degrade(config),
        ema_decay=config.optim.ema_decay,
        compute_dtype=config.compute,
    )


def make_degrade(config: Config) -> Degrade:
    return Degrade(scale=config.scale)


class TrainingImages(NamedTuple):
    """What is trained on."""

    names: list[str]
    sizes: list[tuple[int, int]]
    """Height and width of each image, before it is cropped to multiples of the scale."""
    packs: pipelines.Images
    digest: str


def load_training_images(config: Config, cache: Path) -> TrainingImages:
    """The training images, decoded into packs; those smaller than a patch are left out if the config says so.

    Raises:
      InputError: if there are none, or some cannot be used and the config does not say to skip them.
    """
    data = config.data
    hr, index = make_pack(config, "hr", open_hr(config, cache), cache)
    lr, digest, reasons = None, index.digest, index.bad
    if data.lr == "files":
        lr, lr_index = make_pack(config, "lr", open_lr(config, cache), cache)
        digest = f"{digest} {lr_index.digest}"
        reasons = reasons | pack.mismatches(index, lr_index, scale=config.scale)
    sources.handle_bad_images(reasons, data.bad_images)
    if data.bad_images == "skip":  # otherwise the sampler will name an image that is too small
        too_small = {
            name: f"{name_and_size(name, size)} is smaller than data.patch={data.patch}"
            for name, size in zip(index.names, index.sizes, strict=True)
            if name not in reasons and min(size) < data.patch
        }
        sources.handle_bad_images(too_small, "skip")
        reasons = reasons | too_small
    kept = [i for i, name in enumerate(index.names) if name not in reasons]
    if not kept:
        raise InputError(f"no training image is left: all were skipped; is data.patch={data.patch} too large?")
    packs = pipelines.Images(
        pack.crop(pack.select(hr, kept), scale=config.scale), None if lr is None else pack.select(lr, kept)
    )
    return TrainingImages([index.names[i] for i in kept], [index.sizes[i] for i in kept], packs, digest)


def make_pack(config: Config, kind: str, images: Any, cache: Path) -> tuple[pack.Pack, pack.Index]:
    """The pack of an image set. What the config calls the set has one folder, in which a changed set replaces its elder."""
    called = f"{kind} {config.data.name} {config.data.dir} {config.scale if kind == 'lr' else ''}"
    place = cache / "packs" / f"{images.title}-{kind}-{hashlib.sha256(called.encode()).hexdigest()[:16]}"
    return pack.build(images, place=place, fingerprint=images.fingerprint)


def open_hr(config: Config, cache: Path) -> Any:
    """The image set of the HR training images."""
    data = config.data
    if data.name == "photographs" or data.dir is None:
        return _Decoded("photographs", sources.load_photographs("train", cache=cache / "prepared"))
    images = sources.load_folder(data.dir, bad_images=data.bad_images, cache=cache / "prepared")
    return _Decoded(Path(data.dir).name, images)


def open_lr(config: Config, cache: Path) -> Any:
    """The image set of their LR images, in the same order.

    Raises:
      InputError: if there are none.
    """
    if config.data.dir is None:
        raise InputError(f"data.lr=files: there are no LR files of data.name={config.data.name}; use data.lr=degrade")
    open_set = sources.open_lr  # pyright: ignore[reportAttributeAccessIssue]
    return open_set(config.data.dir, scale=config.scale, root=None, cache=cache / "prepared")


class _Decoded:
    """Decoded images as an image set."""

    def __init__(self, title: str, images: list[Image]):
        self.title, self._images = title, images
        total = hashlib.sha256()
        for image in images:
            total.update(f"{image.name}\0{image.pixels.shape}\n".encode() + image.pixels.tobytes())
        self.fingerprint = total.hexdigest()

    def __len__(self) -> int:
        return len(self._images)

    def __iter__(self) -> Iterator[Image]:
        return iter(self._images)


def name_and_size(name: str, size: tuple[int, int]) -> str:
    return f"{name} ({size[0]}x{size[1]})"


def load_evaluation_sets(config: Config, cache: Path) -> dict[str, list[Image]]:
    """Name of each set -> its images: the held-out photographs, or all that can be scored of a folder, named after it.

    Raises:
      InputError: if a folder cannot be used, or two sets have the same name.
    """
    sets: dict[str, list[Image]] = {}
    policy = config.data.bad_images
    for name in config.eval.sets:
        if name == "photographs":
            title, images = name, sources.load_photographs("test", cache=cache / "prepared")
        else:
            title = Path(name).expanduser().resolve().name
            images = sources.load_folder(name, bad_images=policy, cache=cache / "prepared", config_key="eval.sets")
        reasons = {image.name: reason for image in images if (reason := unusable(image, scale=config.scale))}
        sources.handle_bad_images(reasons, policy)
        if len(reasons) == len(images):
            raise InputError(f"eval.sets={name} holds no image that can be scored")
        if title in sets:
            raise InputError(f"eval.sets={' '.join(config.eval.sets)}: two sets are called {title}; rename one's folder")
        sets[title] = [image for image in images if image.name not in reasons]
    return sets


def make_sampler(config: Config, images: TrainingImages) -> Sampler:
    hr = images.packs.hr
    return Sampler(
        list(zip(hr.height.tolist(), hr.width.tolist(), strict=True)),
        patch=config.data.patch,
        scale=config.scale,
        batch=config.data.batch,
        seed=config.seed,
        names=list(map(name_and_size, images.names, images.sizes)),
    )


def make_pipeline(config: Config, images: pipelines.Images) -> tuple[Callable, Callable, Any]:
    """What the host does with a plan, what the device does with that, and the arrays that the device needs for it."""
    cut = {"patch": config.data.patch, "margin": make_degrade(config).margin, "scale": config.scale}
    if config.data.pipeline == "host":
        return functools.partial(pipelines.host_batch, images, **cut), lambda _, batch: batch, ()
    limit = (jax.local_devices()[0].memory_stats() or {}).get("bytes_limit")
    if limit:
        pack.check_device_memory([packed for packed in images if packed], memory=limit // 2)
    return lambda plan: plan, functools.partial(pipelines.resident_batch, **cut), images


def rows_of_this_process(batch: int) -> slice:
    """The examples of a global batch that this process feeds to its devices."""
    share = batch // jax.process_count()
    return slice(jax.process_index() * share, (jax.process_index() + 1) * share)
