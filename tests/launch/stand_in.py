"""A command that stands in for `sr_jax.train`: `python -m stand_in ... --as I=DEED` says what process I does.

`exit:S` ends with status S, `signal:N` ends by signal N, `stop` waits for a signal and then ends as a run that has saved, and
`hang` ignores signals. A process without a deed ends with status 0. `--first` limits the deeds to the first start.
"""

import argparse
import json
import os
import signal
import sys
import time
from pathlib import Path

NAMES = ("JAX_PLATFORMS", "JAX_NUM_CPU_DEVICES", "CUDA_VISIBLE_DEVICES")


def main() -> int:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--coordinator")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--process", type=int, default=0)
    parser.add_argument("--distributed", action="store_true")
    parser.add_argument("--as", action="append", default=[], dest="deeds")
    parser.add_argument("--first", action="store_true")
    parser.add_argument("--notes", type=Path, required=True)
    options = parser.parse_args()
    process = int(os.environ.get("SLURM_PROCID", options.process))
    variables = {name: value for name, value in os.environ.items() if name in NAMES or name.startswith("SLURM_")}
    note = {"coordinator": options.coordinator, "processes": options.processes, "distributed": options.distributed, **variables}
    starts = len(list(options.notes.glob(f"{process}-*.json")))

    signals: list[int] = []
    deed = (
        dict(deed.split("=") for deed in options.deeds).get(str(process), "exit:0")
        if not (options.first and starts)
        else "exit:0"
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: signals.append(number))
    sys.stdout.write(f"process {process} is ready\n")  # in one piece, unlike `print`
    sys.stdout.flush()
    (options.notes / f"{process}-{starts}.json").write_text(json.dumps(note))  # the tests wait for this file
    kind, _, value = deed.partition(":")
    if kind == "exit":
        return int(value)
    if kind == "signal":
        os.kill(os.getpid(), int(value))
    until = time.monotonic() + 60  # if a test fails, nothing is left running
    while (kind == "hang" or not signals) and time.monotonic() < until:
        time.sleep(0.02)
    time.sleep(0.3)  # a signal that came twice is seen
    (options.notes / f"signals-{process}").write_text(json.dumps(signals))
    return 75


if __name__ == "__main__":
    sys.exit(main())
