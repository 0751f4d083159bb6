"""A stand-in of Google Cloud Storage on this machine: the part of its JSON API that gcsfs, TensorStore and Orbax use.

Objects are whole or not at all, listings are consistent, and preconditions on generations hold, as Google promises. Faults can
be switched on. The fixture `cloud` points these libraries at it, also those of processes that a test starts.
"""

import base64
import contextlib
import datetime
import email.parser
import hashlib
import http.server
import itertools
import json
import re
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.http_servers import listening

BUCKET = "bucket"


@dataclass
class Object:
    data: bytes
    generation: int
    created: float
    updated: float
    metageneration: int = 1
    metadata: dict = field(default_factory=dict)


@dataclass
class Cloud:
    objects: dict[str, Object] = field(default_factory=dict)
    """The objects of the only bucket, by name."""
    requests: list[tuple[str, str]] = field(default_factory=list)
    """Method and path of each request."""
    fault: Callable[[str, str], int | None] = lambda method, path: None
    """Returns, from method and path of a request, the status with which it fails, or None."""
    ahead: float = 0.0
    """Seconds that the clock of the cloud is ahead of that of this machine."""
    environment: dict[str, str] = field(default_factory=dict)
    """What points a process at this cloud."""
    generations: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    uploads: dict[str, dict] = field(default_factory=dict)
    lock: Any = field(default_factory=threading.RLock)

    def reset(self) -> None:
        """Forgets everything."""
        self.objects.clear()
        self.requests.clear()
        self.fault, self.ahead = lambda method, path: None, 0.0

    def put(self, name: str, data: bytes) -> None:
        """Writes an object."""
        now = time.time() + self.ahead
        self.objects[name] = Object(data, next(self.generations), now, now)

    def names(self, prefix: str) -> list[str]:
        """The names of all objects in a folder, without that of the folder."""
        return sorted(name.removeprefix(prefix) for name in self.objects if name.startswith(prefix))


class _Failed(Exception):
    """A request that ends with a status."""


@contextlib.contextmanager
def serving() -> Iterator[Cloud]:
    """Starts the stand-in. TensorStore goes on asking the first one whose address a process has given it."""
    cloud = Cloud()
    handler = type("Handler", (_Handler,), {"cloud": cloud})
    with listening(handler, daemon_threads=True) as url:
        cloud.environment = {
            "STORAGE_EMULATOR_HOST": url,
            "TENSORSTORE_GCS_HTTP_URL": url,
            "GOOGLE_AUTH_TOKEN_FOR_TESTING": "token",
            "NO_GCE_CHECK": "true",
        }
        yield cloud


class _Handler(http.server.BaseHTTPRequestHandler):
    cloud: Cloud
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        url = urllib.parse.urlsplit(self.path)
        self._query = dict(urllib.parse.parse_qsl(url.query))
        self._body = self._read()
        # TensorStore does not escape slashes in the names of objects.
        match = re.fullmatch(r"/(?:(upload|download)/)?storage/v1/b/([^/?]+)(?:/o(?:/(.+))?)?(/?)", url.path)
        cloud = self.cloud
        cloud.requests.append((self.command, urllib.parse.unquote(self.path)))
        if status := cloud.fault(self.command, urllib.parse.unquote(self.path)):
            self._fail(status)
            return
        if not match or match[2] != BUCKET:
            self._fail(404)
            return
        name = None if match[3] is None else match[3]
        try:
            with cloud.lock:
                if match[1] == "upload":
                    self._upload()
                elif name is None:
                    self._list() if "/o" in url.path else self._send_json({"kind": "storage#bucket", "name": BUCKET})
                else:
                    self._object(name)
        except _Failed as error:
            self._fail(error.args[0])

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):  # the client was killed
            super().handle()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer

    def _object(self, quoted: str) -> None:
        if found := re.fullmatch(r"(.+)/(?:rewriteTo/b/[^/]+|moveTo)/o/(.+)", quoted):
            source, target = map(urllib.parse.unquote, found.groups())
            self.cloud.put(target, self._existing(source).data)
            if "/moveTo/" in quoted:
                del self.cloud.objects[source]
                self._send_json(self._about(target))
            else:
                self._send_json({"kind": "storage#rewriteResponse", "done": True, "resource": self._about(target)})
            return
        name = urllib.parse.unquote(quoted)
        existing = self._existing(name)
        if self._query.get("generation") not in (None, str(existing.generation)):
            raise _Failed(404)
        if self._query.get("ifGenerationMatch") not in (None, str(existing.generation)):
            raise _Failed(412)
        if self.command == "DELETE":
            del self.cloud.objects[name]
            self._send(204, b"")
        elif self.command == "PATCH":
            existing.metadata.update(json.loads(self._body).get("metadata", {}))
            existing.updated, existing.metageneration = time.time() + self.cloud.ahead, existing.metageneration + 1
            self._send_json(self._about(name))
        elif self._query.get("alt") == "media" or self.path.startswith("/download"):
            if self._query.get("ifGenerationNotMatch") == str(existing.generation):
                raise _Failed(304)
            self._send_data(existing)
        else:
            self._send_json(self._about(name))

    def _send_data(self, found: Object) -> None:
        headers = {"X-Goog-Generation": str(found.generation), "Content-Type": "application/octet-stream"}
        size = len(found.data)
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers["Range"] or "")
        if not match:
            self._send(200, found.data, headers)
            return
        start, stop = int(match[1]), min(int(match[2] or size - 1) + 1, size)
        if start >= size:
            raise _Failed(416)
        self._send(206, found.data[start:stop], headers | {"Content-Range": f"bytes {start}-{stop - 1}/{size}"})

    def _upload(self) -> None:
        kind = self._query.get("uploadType")
        if kind == "media":
            name, data = self._query["name"], self._body
        elif kind == "multipart":
            parts = _parts(self.headers["Content-Type"], self._body)
            name, data = json.loads(parts[0])["name"], parts[1]
        elif "upload_id" not in self._query:
            identity = str(next(self.cloud.generations))
            name = self._query.get("name") or json.loads(self._body)["name"]
            self.cloud.uploads[identity] = {"name": name, "data": b"", "match": self._query.get("ifGenerationMatch")}
            place = f"http://{self.headers['Host']}/upload/storage/v1/b/{BUCKET}/o?uploadType=resumable&upload_id={identity}"
            self._send(200, b"{}", {"Location": place})
            return
        else:
            upload = self.cloud.uploads[self._query["upload_id"]]
            if self.command == "DELETE":
                self._send(499, b"")
                return
            upload["data"] += self._body
            if self.headers["Content-Range"].endswith("/*"):
                self._send(308, b"", {"Range": f"bytes=0-{len(upload['data']) - 1}"})
                return
            name, data, self._query["ifGenerationMatch"] = upload["name"], upload["data"], upload["match"]
        expected, existing = self._query.get("ifGenerationMatch"), self.cloud.objects.get(name)
        if expected is not None and int(expected) != (existing.generation if existing else 0):
            raise _Failed(412)
        self.cloud.put(name, data)
        self._send_json(self._about(name))

    def _list(self) -> None:
        prefix, delimiter = self._query.get("prefix", ""), self._query.get("delimiter")
        start, end = self._query.get("startOffset", ""), self._query.get("endOffset")
        most, after = int(self._query.get("maxResults", 1000)), self._query.get("pageToken", "")
        items, prefixes = [], set()
        for name in sorted(self.cloud.objects):
            if not name.startswith(prefix) or name < start or (end and name >= end):
                continue
            inner, found, _ = name[len(prefix) :].partition(delimiter) if delimiter else (name, "", "")
            entry = f"{prefix}{inner}{delimiter}" if found else name
            if entry <= after and after:
                continue
            if len(items) + len(prefixes - {entry}) >= most:
                last = max([item["name"] for item in items] + list(prefixes))
                self._send_json(_listing(items, prefixes) | {"nextPageToken": last})
                return
            if found:
                prefixes.add(entry)
            else:
                items.append(self._about(name))
        self._send_json(_listing(items, prefixes))

    def _existing(self, name: str) -> Object:
        if name not in self.cloud.objects:
            raise _Failed(404)
        return self.cloud.objects[name]

    def _about(self, name: str) -> dict[str, Any]:
        found = self._existing(name)
        return {
            "kind": "storage#object",
            "bucket": BUCKET,
            "name": name,
            "size": str(len(found.data)),
            "generation": str(found.generation),
            "metageneration": str(found.metageneration),
            "timeCreated": _time(found.created),
            "updated": _time(found.updated),
            "md5Hash": base64.b64encode(hashlib.md5(found.data).digest()).decode(),
            "metadata": found.metadata,
        }

    def _read(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        data = b""
        while size := int(self.rfile.readline(), 16):
            data += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return data

    def _fail(self, status: int) -> None:
        message = {403: "the caller does not have storage.objects access", 503: "try again"}.get(status, "")
        self._send(status, json.dumps({"error": {"code": status, "message": message}}).encode())

    def _send_json(self, content: dict[str, Any]) -> None:
        self._send(200, json.dumps(content).encode(), {"Content-Type": "application/json"})

    def _send(self, status: int, data: bytes, headers: dict[str, str] | None = None) -> None:
        with contextlib.suppress(ConnectionError):  # the client was killed
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            if status not in (204, 304):
                self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    def date_time_string(self, timestamp: float | None = None) -> str:
        return super().date_time_string((timestamp or time.time()) + self.cloud.ahead)

    def log_message(self, *_) -> None:
        pass


def _parts(kind: str, body: bytes) -> list[bytes]:
    """The contents of the parts of a multipart body."""
    boundary = email.parser.HeaderParser().parsestr(f"Content-Type: {kind}").get_boundary() or ""
    newline = b"\r\n" if body.partition(b"\n")[0].endswith(b"\r") else b"\n"  # data may end with either
    pieces = (newline + body).split(newline + b"--" + boundary.encode())[1:-1]
    return [piece.split(2 * newline, 1)[1] for piece in pieces]


def _listing(items: list[dict], prefixes: set[str]) -> dict[str, Any]:
    return {"kind": "storage#objects", "items": items, "prefixes": sorted(prefixes)}


def _time(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
