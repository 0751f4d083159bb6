"""Models for the Hugging Face Hub: `save_pretrained`, `from_pretrained` and `push_to_hub`. It needs the extra `hub`.

A repository holds the weights (`model.safetensors`), their card (`config.json`) and a page (`README.md`).
`sr_jax.load("hf://USER/REPOSITORY")` loads it, and so does `--model` of the commands.
"""

from pathlib import Path
from typing import Any, Literal

try:
    from huggingface_hub import EvalResult, ModelCard, ModelCardData, ModelHubMixin
except ImportError as error:
    raise ImportError("sr_jax.hub needs huggingface_hub; install it with pip install -e '.[hub]'") from error

from sr_jax.assembly import trained, zoo
from sr_jax.assembly.degradation import of_training
from sr_jax.assembly.model import Model, load, make
from sr_jax.weights import hub
from sr_jax.weights.card import HUB_CARD, HUB_WEIGHTS, Card, card_path
from sr_jax.weights.places import Place

TASK = "image-to-image"
REPOSITORY = "USER/REPOSITORY"
PAGE = """# {title}

This network enlarges pictures by {scale}. It reads {colour} and runs in [JAX](https://docs.jax.dev), by the package sr_jax.
{origin}

```python
import sr_jax

model = sr_jax.load("hf://{repository}")
model("photo.png").save("large.png")
```
{table}
"""


class HubModel(ModelHubMixin, Model, library_name="sr_jax", pipeline_tag=TASK, tags=["super-resolution", "jax"]):
    """A trained network that the Hugging Face Hub can keep. Otherwise it is what `sr_jax.load` returns.

    Example:
      >>> import tempfile
      >>> from sr_jax.hub import HubModel
      >>> model = HubModel.load("fsrcnn-x2")  # any model that `sr_jax.load` takes
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     _ = model.save_pretrained(folder)  # or model.push_to_hub("user/fsrcnn-x2")
      ...     again = HubModel.from_pretrained(folder)  # or HubModel.from_pretrained("user/fsrcnn-x2", revision="main")
      >>> again.card.sha256 == model.card.sha256
      True
    """

    @classmethod
    def load(
        cls,
        model: str,
        *,
        checkpoint: Literal["latest", "best"] = "latest",
        kernel: str | None = None,
        noise: float | None = None,
    ) -> "HubModel":
        """Loads a trained network; see `sr_jax.load`."""
        return load(model, checkpoint=checkpoint, kernel=kernel, noise=noise, kind=cls)

    def generate_model_card(self, *_: Any, **__: Any) -> ModelCard:
        """Returns the page of the repository. Its header names the library, the licence and the scores."""
        card = self.card
        data = ModelCardData(
            library_name="sr_jax",
            license=card.licence.lower() or None,
            pipeline_tag=TASK,
            tags=["super-resolution", "jax", card.config.model.name],
            model_name=zoo.title(card),
            eval_results=_results(card) or None,
        )
        return ModelCard(f"---\n{data.to_yaml()}\n---\n\n{_page(self)}")

    def _save_pretrained(self, save_directory: Path) -> None:
        weights = save_directory / HUB_WEIGHTS
        self.save(weights)
        card_path(weights).replace(save_directory / HUB_CARD)

    @classmethod
    def _from_pretrained(
        cls,
        *,
        model_id: str,
        revision: str | None,
        cache_dir: str | Path | None,
        force_download: bool,
        local_files_only: bool,
        token: str | bool | None,
        **model_kwargs: Any,
    ) -> "HubModel":
        if Path(model_id).is_dir():
            return cls.load(model_id, **model_kwargs)
        place = f"{hub.SCHEME}{model_id}{f'@{revision}' if revision else ''}"
        options = {
            "cache_dir": cache_dir, "force_download": force_download, "local_files_only": local_files_only, "token": token
        }  # fmt: skip
        path, name = hub.fetch(place, model_id, revision, HUB_WEIGHTS, **options)
        loaded = trained.from_place(Place(path, name), which="latest", parameters="ema")
        return make(loaded, kind=cls, **{"kernel": None, "noise": None, **model_kwargs})


def _results(card: Card) -> list[EvalResult]:
    """The scores as the hub reads them."""
    results = []
    for score in zoo.scores(card):
        for kind, value in (("psnr", score.psnr), ("ssim", score.ssim)):
            results.append(
                EvalResult(
                    task_type=TASK,
                    task_name="Image Super-Resolution",
                    dataset_type=score.set.lower(),
                    dataset_name=f"{score.set} x{card.config.scale}",
                    metric_type=kind,
                    metric_name=f"Y-{kind.upper()}, protocol {score.protocol}, LR {score.lr_source}",
                    metric_value=round(value, 4),
                )
            )
    return results


def _page(model: Model) -> str:
    """The text of the page."""
    card, degradation = model.card, of_training(model.card.config)
    if card.converted:
        origin = f"Its weights were converted from {card.converted.file} ({card.converted.layout})."
    else:
        steps = "" if card.step is None else f" for {card.step:,} steps"
        origin = f"It was trained{steps} on {card.config.data.name}; LR was made by {degradation.spelling}."
    rows = [f"| {score.set} | {zoo.describe_score(score)} | {score.protocol} |" for score in zoo.scores(card)]
    table = ["", "| set | Y-PSNR and SSIM, after those of bicubic | protocol |", "|---|---|---|", *rows] if rows else []
    return PAGE.format(
        title=zoo.title(card),
        scale=card.config.scale,
        colour="RGB" if model.channels == 3 else "Y",
        origin=origin,
        repository=REPOSITORY,
        table="\n".join(table),
    )
