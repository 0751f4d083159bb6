"""An HTTP server in a thread that serves one file, reliably or not, and records the requests."""

import contextlib
import email.utils
import http.server
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.http_servers import listening

DATE = email.utils.formatdate(0, usegmt=True)


@dataclass
class Server:
    content: bytes
    etag: str | None = '"one"'
    ranges: bool = True
    """Whether the server supports requests for a part of the file."""
    breaks_after: list[int] = field(default_factory=list)
    """Bytes after which each connection breaks. Connections beyond this list do not break."""
    status: int = 200
    pause: float = 0.0
    """Seconds between blocks of 1000 bytes."""
    asked: list[str | None] = field(default_factory=list)
    """The `Range` of each request."""
    answered: list[int] = field(default_factory=list)
    """The status of each answer."""
    url: str = ""


@contextlib.contextmanager
def serving(content: bytes, **options) -> Iterator[Server]:
    server = Server(content, **options)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            server.asked.append(self.headers["Range"])
            if server.status != 200:
                self.send_error(server.status)
                return
            strong = server.etag if server.etag and not server.etag.startswith("W/") else DATE
            same = self.headers["If-Range"] in (None, strong, DATE)
            part = self.headers["Range"] if server.ranges and same else None
            start = int(part.removeprefix("bytes=").removesuffix("-")) if part else 0
            size = len(server.content)
            if start >= size:
                self.send_error(416)
                return
            server.answered.append(206 if part else 200)
            self.send_response(server.answered[-1])
            if part:
                self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
            if server.etag:
                self.send_header("ETag", server.etag)
                self.send_header("Last-Modified", DATE)
            self.send_header("Content-Length", str(size - start))
            self.end_headers()
            stop = start + server.breaks_after.pop(0) if server.breaks_after else size
            with contextlib.suppress(ConnectionError):  # the client was killed
                for i in range(start, min(stop, size), 1000):
                    self.wfile.write(server.content[i : min(i + 1000, stop)])
                    time.sleep(server.pause)

        def log_message(self, *_):
            pass

    with listening(Handler) as address:
        server.url = f"{address}/images.zip"
        yield server
