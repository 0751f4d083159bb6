"""Stands in for the Hugging Face Hub: files of repositories, over HTTP on this machine."""

import contextlib
import hashlib
import http.server
from collections.abc import Iterator

import pytest
from huggingface_hub import constants

from tests.http_servers import listening

COMMIT = "0123456789abcdef0123456789abcdef01234567"
REVISIONS = ("main", "v1", COMMIT)


@contextlib.contextmanager
def serving(repositories: dict[str, dict[str, bytes]], cache, patch: pytest.MonkeyPatch) -> Iterator[None]:
    """Lets the hub's library find these repositories, each a dict of files, and keep what it downloads in a folder.

    Each repository has one commit. A repository without files is one to which access must be granted.
    """

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def log_message(self, *_: object) -> None:
            pass

        def _answer(self, *, with_body: bool) -> None:
            name, _, rest = self.path.removeprefix("/").partition("/resolve/")
            revision, _, file = rest.partition("/")
            if name not in repositories:
                return self._refuse(404, "RepoNotFound")
            if not repositories[name]:
                return self._refuse(403, "GatedRepo")
            if revision not in REVISIONS:
                return self._refuse(404, "RevisionNotFound")
            if file not in repositories[name]:
                return self._refuse(404, "EntryNotFound")
            data = repositories[name][file]
            self.send_response(200)
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            return self.wfile.write(data) if with_body else None

        def _refuse(self, status: int, code: str) -> None:
            self.send_response(status)
            self.send_header("X-Error-Code", code)
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("Content-Length", "0")
            self.end_headers()

    with listening(Handler) as address:
        patch.setattr(constants, "ENDPOINT", address)
        template = f"{address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        patch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        patch.setattr(constants, "HF_HUB_CACHE", str(cache))
        yield
