"""Models of the Hugging Face Hub: `hf://USER/REPOSITORY[@REVISION][/FILE]`.

A repository holds `model.safetensors` and its card, which is called `config.json` there, or `model.json` as elsewhere.
"""

import re
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple
from urllib.parse import unquote

from sr_jax.errors import InputError
from sr_jax.weights.card import HUB_WEIGHTS, card_names
from sr_jax.weights.files import SUFFIX

SCHEME = "hf://"
PATTERN = re.compile(r"(?P<repository>[^/@]+/[^/@]+)(@(?P<revision>[^/@]+))?(/(?P<file>[^@]+))?")
INSTALL = "pip install -e '.[hub]'"
UNREACHABLE = "the hub cannot be reached, and the file is not in the cache"


class Downloaded(NamedTuple):
    """A weights file in the cache of the hub's library, with its card beside it."""

    path: Path
    name: str
    """The place with the commit that was taken, so that it can be named again."""


def download(place: str, **options: Any) -> Downloaded:
    """Downloads a weights file and its card, unless the cache has them. Code that lies in a repository is not downloaded.

    Args:
      options: as those of `huggingface_hub.hf_hub_download`, such as `cache_dir`.

    Raises:
      InputError: if the place is misspelt, does not exist or cannot be reached, or the extra `hub` is not installed.
    """
    match = PATTERN.fullmatch(place.removeprefix(SCHEME))
    if not match:
        raise InputError(
            f"{place}: write {SCHEME}USER/REPOSITORY, {SCHEME}USER/REPOSITORY@REVISION, or one of these with /FILE"
        )
    file = (match["file"] or HUB_WEIGHTS).rstrip("/")
    if not file.endswith(SUFFIX):
        raise InputError(f"{place}: name a file that ends with {SUFFIX}, or leave out /{file}")
    revision = unquote(match["revision"]) if match["revision"] else None
    return fetch(place, match["repository"], revision, file, **options)


def fetch(place: str, repository: str, revision: str | None, file: str, **options: Any) -> Downloaded:
    """Downloads a file of a repository, with its card; see `download`."""
    try:
        import huggingface_hub as library
        from huggingface_hub import errors
    except ImportError:
        raise InputError(f"{place}: huggingface_hub is not installed; install it with {INSTALL}") from None
    cards = [str(PurePosixPath(file).with_name(name)) for name in card_names(PurePosixPath(file).name)]

    def get(name: str, revision: str | None) -> Path:
        return Path(library.hf_hub_download(repository, name, revision=revision, **options))

    try:
        path = get(file, revision)
        commit = path.parents[len(PurePosixPath(file).parts) - 1].name
        reason = f"it has no card; {' or '.join(cards)} must be beside {file}"
        for name in cards:
            try:
                get(name, commit)
                return Downloaded(path, f"{SCHEME}{repository}@{commit}{'' if file == HUB_WEIGHTS else f'/{file}'}")
            except errors.LocalEntryNotFoundError:
                reason = UNREACHABLE
            except errors.EntryNotFoundError:
                continue
    except errors.GatedRepoError:
        reason = "its authors must grant access; ask for it on the page of the repository, and log in with `hf auth login`"
    except errors.RepositoryNotFoundError:
        reason = "there is no such repository, or it is private; log in with `hf auth login` if it is"
    except errors.RevisionNotFoundError:
        reason = f"the repository has no revision {revision}"
    except errors.LocalEntryNotFoundError:
        reason = UNREACHABLE
    except errors.EntryNotFoundError:
        reason = f"the repository has no file {file}"
    except (OSError, ValueError) as error:  # errors of HTTP are OSErrors, and those of names ValueErrors
        reason = f"it cannot be downloaded ({str(error).strip().partition(chr(10))[0]})"
    raise InputError(f"{place}: {reason}")
