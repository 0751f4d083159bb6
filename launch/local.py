#!/usr/bin/env python3
"""Runs one command as N processes on this machine, as a cluster of N hosts would:

    python launch/local.py --processes 2 --devices 4 -- --config configs/x2.py
    python launch/local.py --processes 4 --gpus all -- --config configs/x2.py

Everything behind `--` goes to the command, `python -m sr_jax.train` unless --module names another one. Each process gets
--coordinator, --processes and --process, and either M virtual CPU devices or its share of the GPUs. `--dry-run` only prints the
commands.

The exit status is the worst one of the processes: 2 (wrong input), then 1 (anything else), then 75 (stopped and saved), then 0.
SIGTERM and Ctrl-C go to all processes, which save and stop; a second signal ends them at once, and a third one kills them.

This file needs only the standard library. Last checked on 2026-11-26 with jax 0.10.2, on CPU devices.
"""

import argparse
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

FINISHED, FAILED, WRONG_INPUT, SAVED = 0, 1, 2, 75
POLL_SECONDS = 0.1
SIGNALS: dict[int, int] = {signal.SIGINT: signal.SIGINT, signal.SIGTERM: signal.SIGTERM, signal.SIGHUP: signal.SIGTERM}
"""What the processes get for a signal. A terminal that closes sends SIGHUP, which would end them before they save."""


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit status."""
    options = parse(argv)
    received: list[int] = []
    if options.dry_run:
        for process in range(options.processes):
            print(
                shlex.join(
                    [*(f"{name}={value}" for name, value in environment(options, process).items()), *command(options, process)]
                )
            )
        return FINISHED
    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup ignores SIGHUP, and the processes must go on ignoring it
            signal.signal(number, lambda number, _: received.append(number))
    for attempt in range(1 + options.restarts):
        status = run_once(options, received)
        if status in (FINISHED, WRONG_INPUT) or received or attempt == options.restarts:
            return status
        say(f"restart {attempt + 1} of {options.restarts}, after status {status}")
    raise AssertionError("the loop returns")


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Returns the options, checked; `gpus` holds the names of all GPUs, or nothing."""
    parser = argparse.ArgumentParser(
        prog="launch/local.py",
        usage="%(prog)s --processes N [--devices M | --gpus all] [options] -- ARGUMENTS OF THE COMMAND",
        description="Run one command as N processes on this machine.",
        allow_abbrev=False,
    )
    parser.add_argument("--processes", type=number(1), default=1, metavar="N", help="how many processes (default: 1)")
    devices = parser.add_mutually_exclusive_group()
    devices.add_argument(
        "--devices", type=number(1), default=1, metavar="M", help="virtual CPU devices of each process (default: 1)"
    )
    devices.add_argument("--gpus", metavar="LIST", help="split these GPUs instead: 'all', or their numbers, as in 0,1,2,3")
    parser.add_argument("--module", default="sr_jax.train", metavar="NAME", help="the command (default: sr_jax.train)")
    parser.add_argument(
        "--restarts", type=number(0), default=0, metavar="N", help="start again after status 75 or 1 (default: 0)"
    )
    parser.add_argument(
        "--grace",
        type=number(0),
        default=120,
        metavar="S",
        help="seconds that the others have when one process has ended; then they are killed. The default, 120, is longer than "
        "JAX's heartbeat of 100 s, so that they can say why they end",
    )
    parser.add_argument("--logs", type=Path, metavar="DIR", help="write what processes 1 to N-1 print to files of DIR")
    parser.add_argument("--port", type=number(1), metavar="PORT", help="port of process 0 (default: a free one)")
    parser.add_argument("--dry-run", action="store_true", help="print the commands, and start nothing")
    parser.add_argument("arguments", nargs="*", metavar="ARGUMENTS", help="arguments of the command, behind --")
    options = parser.parse_args(argv)
    options.gpus = gpu_names(options.gpus, parser.error) if options.gpus is not None else []
    if len(options.gpus) % options.processes:
        parser.error(f"--processes {options.processes}: {len(options.gpus)} GPUs cannot be split evenly")
    return options


def number(least: int) -> Callable[[str], int]:
    def parse_number(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"{value} is less than {least}")
        return value

    parse_number.__name__ = "number"  # argparse names it in its error
    return parse_number


def gpu_names(text: str, error: Callable[[str], NoReturn]) -> list[str]:
    """Returns the GPUs of a list, or those that this process may use."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if text != "all":
        names = text.split(",")
    elif visible is not None:
        names = visible.split(",")
    else:
        query = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
        try:
            names = subprocess.run(query, capture_output=True, text=True, check=True).stdout.split()
        except (OSError, subprocess.CalledProcessError) as problem:
            error(f"--gpus all: nvidia-smi lists no GPUs ({problem}). Name them, as in --gpus 0,1")
    if not all(names) or len(set(names)) < len(names):
        error(f"--gpus {text}: the names of the GPUs must be given once each, as in --gpus 0,1")
    return names


def environment(options: argparse.Namespace, process: int) -> dict[str, str]:
    """Returns the variables that a process gets beside those of this one."""
    if not options.gpus:
        return {"PYTHONUNBUFFERED": "1", "JAX_PLATFORMS": "cpu", "JAX_NUM_CPU_DEVICES": str(options.devices)}
    share = len(options.gpus) // options.processes
    names = options.gpus[process * share : (process + 1) * share]
    # With `cuda` named, a process that finds no CUDA ends with an error. Otherwise it would train on the CPU.
    return {"PYTHONUNBUFFERED": "1", "JAX_PLATFORMS": "cuda", "CUDA_VISIBLE_DEVICES": ",".join(names)}


def command(options: argparse.Namespace, process: int) -> list[str]:
    """Returns the command of a process. One process is no cluster, so it gets no coordinator."""
    port = options.port or "PORT"
    cluster = ["--coordinator", f"127.0.0.1:{port}", "--processes", str(options.processes), "--process", str(process)]
    return [sys.executable, "-m", options.module, *(cluster if options.processes > 1 else []), *options.arguments]


def run_once(options: argparse.Namespace, received: list[int]) -> int:
    """Starts all processes, waits until all have ended, and returns the worst status.

    `received` holds the signals that this process got; each is passed on once.
    """
    if not options.port:
        options = argparse.Namespace(**{**vars(options), "port": free_port()})
    processes = []
    printers = []
    passed = len(received)
    try:
        for index in range(options.processes):
            processes.append(start(options, index))
            if index and not options.logs:
                printers.append(threading.Thread(target=print_lines, args=(index, processes[index]), daemon=True))
                printers[-1].start()
        deadline = None
        ended: set[int] = set()
        while len(ended) < len(processes):
            time.sleep(POLL_SECONDS)
            for number in received[passed:]:
                passed += 1
                send(processes, SIGNALS[number] if passed < 3 else signal.SIGKILL)
            for index in {index for index, process in enumerate(processes) if process.poll() is not None} - ended:
                ended.add(index)
                if deadline is None:
                    deadline = time.monotonic() + options.grace
                if processes[index].returncode:
                    say(f"process {index} {describe(processes[index].returncode)}")
            if deadline is not None and time.monotonic() > deadline:
                running = [str(index) for index, process in enumerate(processes) if process.poll() is None]
                if running:
                    say(f"killing {', '.join(running)}: still running {options.grace} s after the first process ended")
                send(processes, signal.SIGKILL)
    finally:  # also if a process could not be started
        send(processes, signal.SIGKILL)
    for printer in printers:
        printer.join(timeout=1)  # a grandchild may hold the pipe open
    return worst([process.returncode for process in processes])


def start(options: argparse.Namespace, index: int) -> subprocess.Popen:
    output = None
    if index and options.logs:
        options.logs.mkdir(parents=True, exist_ok=True)
        output = (options.logs / f"process-{index}.log").open("ab")
    try:
        return subprocess.Popen(
            command(options, index),
            env={**os.environ, **environment(options, index)},
            stdin=subprocess.DEVNULL,
            stdout=output or (subprocess.PIPE if index else None),
            stderr=subprocess.STDOUT if index else None,
            start_new_session=True,  # a terminal sends Ctrl-C to its whole group, and each process must get it once
        )
    finally:
        if output:
            output.close()


def print_lines(index: int, process: subprocess.Popen) -> None:
    """Prints what a process prints, with its number. Only process 0 writes to stdout."""
    assert process.stdout is not None
    for line in process.stdout:
        sys.stderr.write(f"[{index}] {line.decode(errors='replace').rstrip()}\n")


def send(processes: list[subprocess.Popen], number: int) -> None:
    for process in processes:
        process.send_signal(number)  # nothing happens to one that has ended
        if number == signal.SIGKILL:
            process.wait()


def worst(statuses: list[int]) -> int:
    """Returns the status of a run: the worst of its processes by the contract."""
    if WRONG_INPUT in statuses:
        return WRONG_INPUT
    if not set(statuses) <= {FINISHED, SAVED}:
        return FAILED
    return max(statuses)


def describe(status: int) -> str:
    return f"ended with status {status}" if status > 0 else f"was ended by {signal.Signals(-status).name}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def say(message: str) -> None:
    print(f"launch/local.py: {message}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
