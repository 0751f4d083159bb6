"""Ports for processes that talk to each other."""

import socket


def free_port() -> int:
    """Returns a port of this machine that nobody uses."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
