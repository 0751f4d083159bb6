"""Serves HTTP on this machine."""

import contextlib
import http.server
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def listening(handler: type[http.server.BaseHTTPRequestHandler], *, daemon_threads: bool = False) -> Iterator[str]:
    """Serves in a thread, and gives the address without a slash at its end.

    Args:
      daemon_threads: whether requests may still be open at the end.
    """
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = daemon_threads
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
