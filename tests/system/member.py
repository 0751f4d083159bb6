"""One of several processes: `python -m tests.system.member PORT PROCESSES INDEX ACTION`. See test_processes."""

import os
import signal
import sys
import time

import jax

from sr_jax.errors import InputError, Interrupted, exit_status
from sr_jax.system import processes
from sr_jax.system.processes import Cluster


def act(action: str) -> None:
    is_last = processes.index() == processes.count() - 1
    match action:
        case "share":
            parts = processes.share("the greeting", f"I am {processes.index()}".encode() * 100_000)
            print([part[:6].decode() for part in parts], [len(part) for part in parts])
        case "tell while waiting":
            while is_last and not processes.was_told("to go on"):
                time.sleep(0.1)
            data = str(processes.index()).encode()
            print(processes.share("indices", data, timeout=20, on_wait=lambda: processes.tell("to go on")))
        case "late":
            if not is_last:
                processes.barrier("the latecomer", timeout=2)
            time.sleep(4)
        case "error":
            raise InputError("nobody can use this")
        case "one error":
            if is_last:
                raise InputError("one process cannot use this")
            processes.barrier("never", timeout=60)
        case "stop while the others wait" | "stop while the others are busy":
            processes.STOPPING = 2.0
            if is_last:
                raise Interrupted("stopped")
            if action.endswith("busy"):
                time.sleep(60)
            processes.share("what never comes", b"", timeout=60)
        case "death":
            if is_last:
                os._exit(9)
            processes.barrier("never", timeout=60)
        case "death of the first" | "freeze" | "freeze of the first":
            if processes.is_first() if "first" in action else is_last:
                time.sleep(2)
                os.kill(os.getpid(), signal.SIGSTOP if "freeze" in action else signal.SIGKILL)
            time.sleep(60)
        case "lost connection":
            if is_last:
                os._exit(9)
            raise jax.errors.JaxRuntimeError("Connection closed by peer")
        case "abort":
            if is_last:
                os.abort()
            time.sleep(60)


def main() -> int:
    port, count, index = map(int, sys.argv[1:4])
    cluster = Cluster(f"127.0.0.1:{port}", count, index, join_timeout=20, heartbeat_timeout=6)

    def run() -> None:
        with processes.joined(cluster):
            act(sys.argv[4])

    return exit_status(run)


if __name__ == "__main__":
    sys.exit(main())
