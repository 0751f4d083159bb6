"""Files that an attacker could write. `python -m tests.weights.torch.hostile --mutations 20000` reads them all, and more.

Every file must end in an InputError of one line or in weights. Nothing in it may be run, and time and memory are bounded. This
is a process of its own, because what it reads could crash it, and because the type checks of the tests make each step slow.
"""

import argparse
import json
import pickle
import random
import re
import struct
import tempfile
import time
from pathlib import Path

import numpy as np

from sr_jax.errors import InputError
from sr_jax.weights.torch import files
from tests.weights.torch import written
from tests.weights.torch.written import ORDERED, Call


def nested(opening: bytes, closing: bytes, *, depth: int = 100_000) -> bytes:
    return opening * depth + b"N" + closing * depth


def hash_of(i: int) -> bytes:
    """An integer whose hash is that of 0."""
    return b"\x8a\x0a" + (i * (2**61 - 1)).to_bytes(10, "little")


def modules(*, depth: int, children: int) -> Call:
    """Modules in modules. Every level names the next one several times."""
    inner = written.module("net.Block", parameters={"weight": np.ones(1, np.float32)})
    for _ in range(depth):
        inner = written.module("net.Block", children={str(i): inner for i in range(children)})
    return inner


def cyclic() -> Call:
    module = written.module("net.Block")
    module.state["_modules"].items["again"] = module
    return module


BOMBS = {
    "tuples": nested(b"", b"\x85"),
    "tuples as a key": b"}" + nested(b"", b"\x85") + b"Ns",
    "tuples in a frozenset": b"(" + nested(b"", b"\x85") + b"\x91",
    "lists": nested(b"]", b"a"),
    "dicts": nested(b"}N", b"s"),
    "dicts under a name": b"}X\1\0\0\0a" * 100_000 + b"N" + b"s" * 100_000,
    "objects": b"cvdsr\nNet\n)\x81" * 50_000 + b"N" + b"b" * 50_000,
    "tuples of one tuple": b"N" + b"22\x87" * 100_000,
    "lists of one list": b"]" + b"".join(b"\x94](h%ch%ce" % (i, i) for i in range(200)),
    "itself": b"}\x94X\1\0\0\0ah\0s",
    "marks": b"(" * 500_000 + b"N",
    "memory": b"N" + b"".join(b"r" + struct.pack("<I", 2**32 - 1 - i) for i in range(50_000)),
    "integers of one hash": b"}(" + b"".join(hash_of(i) + b"N" for i in range(50_000)) + b"u",
    "places of one hash": b"N" + b"".join(b"p%d\n" % (i * (2**61 - 1)) for i in range(9000)),
    "a long name": b"c" + b"x" * 10**7 + b"\ny\n)R",
    "a long key": b"}X" + struct.pack("<I", 10**7) + b"x" * 10**7 + b"}(" + b"".join(b"K%cN" % i for i in range(200)) + b"us",
    "a long number": b"L" + b"9" * 10**6 + b"L\n",
    "frames": b"\x95\xff\xff\xff\xff\xff\xff\xff\x7f" * 10_000 + b"N",
    "too many instructions": b"N0" * 1_500_000 + b"N",
    "one dict under many keys": b"}(" + b"".join(b"X\4\0\0\0%04d" % i + b"N" for i in range(9999)) + b"u\x940}("
    + b"".join(b"X\4\0\0\0%04d" % i + b"h\0" for i in range(9999)) + b"u",
}  # fmt: skip
"""Pickles that nest, share and collide. In Python's unpickler some of them crash the process or take all memory."""

OBJECTS = {
    "deep modules": lambda: modules(depth=150, children=1),
    "modules with 10^30 ways through them": lambda: modules(depth=30, children=10),
    "a module in itself": cyclic,
    "many modules of many": lambda: {f"net{i}": modules(depth=4, children=16) for i in range(9)},
}


def attacks(command: str) -> dict[str, bytes]:
    """Pickles that run the command of a shell when Python unpickles them."""
    text = f"S{command!r}\n".encode()
    short = b"\x8c" + bytes([len(command)]) + command.encode()
    inner = pickle.dumps(f"__import__('os').system({command!r})", 0)[:-1]
    state = b"ctypes\nSimpleNamespace\n)R}S'__setstate__'\ncos\nsystem\nsb"
    return {
        "reduce": b"cos\nsystem\n(" + text + b"tR.",
        "reduce, other names": b"cposix\nsystem\n(" + text + b"tR.",
        "stack global": b"\x80\x04\x8c\x02os\x8c\x06system\x93" + short + b"\x85R.",
        "inst": b"(" + text + b"ios\nsystem\n.",
        "obj": b"(csubprocess\nPopen\n(S'sh'\nS'-c'\n" + text + b"lo.",
        "new object": b"\x80\x02csubprocess\nPopen\n)\x81}b0csubprocess\ncall\n((S'sh'\nS'-c'\n" + text + b"ltR.",
        "new object with keywords": b"\x80\x04cos\nsystem\n(" + text + b"tR0ccollections\nOrderedDict\n)}\x92.",
        "eval": b"cbuiltins\neval\n(" + inner + b"tR.",
        "exec": b"cbuiltins\nexec\n(" + inner + b"tR.",
        "getattr": b"cbuiltins\ngetattr\n(cbuiltins\n__import__\n(S'os'\ntRS'system'\ntR(" + text + b"tR.",
        "state": state + text + b"b.",
        "in a list": b"](cos\nsystem\n(" + text + b"tRe.",
        "as a key": b"}cos\nsystem\n(" + text + b"tRNs.",
        "as a state": b"ccollections\nOrderedDict\n)Rcos\nsystem\n(" + text + b"tR}b0.",
        "beside weights": b"}(S'conv.weight'\nNS'x'\ncos\nsystem\n(" + text + b"tRu.",
        "dropped at once": b"cos\nsystem\n(" + text + b"tR0N.",
        "of a library": b"cnumpy.f2py.crackfortran\ngetlincoef\n(" + inner + b"}tR.",
    }


def wrapped(pickled: bytes) -> dict[str, bytes]:
    """A pickle as a file: by itself, and in the two formats of PyTorch."""
    return {"bare": pickled, "archive": written.archive_of(pickled), "older": written.older_of(pickled)}


def small_module() -> Call:
    """A whole module, with what the formats have."""
    rng = np.random.default_rng(0)
    weight = rng.random((2, 1, 3, 3), dtype=np.float32)
    conv = written.module("torch.nn.modules.conv.Conv2d", parameters={"weight": weight, "bias": None}, more={"padding": (1, 1)})
    norm = written.module("net.Norm", parameters={"weight": weight[0, 0]}, buffers={"running_mean": np.zeros(2)})
    return Call(ORDERED, items={"epoch": 3, "model": written.module("net.Net", children={"0": conv, "1": norm, "2": conv})})


class Reader:
    """Reads files, and keeps the worst of what it saw."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.read, self.refused, self.slowest, self.faults = 0, 0, (0.0, ""), []

    def __call__(self, title: str, data: bytes) -> None:
        path = self.folder / "a.pth"
        path.write_bytes(data)
        start = time.process_time()
        try:
            files.read(path)
            self.read += 1
        except InputError as error:
            self.refused += 1
            first, *rest = str(error).splitlines()
            if not all(line.startswith("  ") for line in rest) or len(first) > 1000 or not first.startswith(str(path)):
                self.faults.append(f"{title}: {str(error)[:300]!r}")
        except Exception as error:
            self.faults.append(f"{title}: {type(error).__name__}: {str(error)[:300]}")
        self.slowest = max(self.slowest, (time.process_time() - start, title))


def mutated(data: bytes, rng: random.Random) -> bytes:
    """The file with a few bytes changed, cut out, doubled or inserted."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        at, length = rng.randrange(len(changed)), rng.choice((1, 1, 4, 40))
        match rng.randrange(5):
            case 0:
                changed[at] = rng.randrange(256)
            case 1:
                changed[at] ^= 1 << rng.randrange(8)
            case 2:
                del changed[at : at + length]
            case 3:
                changed[at:at] = changed[at : at + length]
            case _:
                changed[at:at] = bytes(rng.choice(b"(.0N}]tabdesuqrhjRQ\x81\x92\x93\x94\x85\x8a\xff\0") for _ in range(length))
        if not changed:
            break
    return bytes(changed) or b"x"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mutations", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        reader, canary = Reader(Path(folder)), Path(folder) / "canary"
        for title, pickled in attacks(f"touch {canary}").items():
            for form, data in wrapped(pickled).items():
                reader(f"{title}, {form}", data)
        refused_attacks = reader.refused
        for title, pickled in BOMBS.items():
            reader(title, written.archive_of(pickled + b"."))
        for title, make in OBJECTS.items():
            reader(title, written.archive(make()))
        forms = {"archive": written.archive(small_module()), "older": written.older(small_module())}
        pickled = written.Writer(is_older=False).dumps(small_module())
        forms |= {"pickle": pickled}
        for form, data in forms.items():
            for end in range(1, len(data)):
                reader(f"{form}, {end} bytes", data[:end])
        for i in range(options.mutations):
            form, data = rng.choice(list(forms.items()))
            if form == "pickle":  # an archive around it has the right checksum
                storages = {f"data/{key}": bytes(72) for key in range(3)}
                data = written.archive_of(mutated(data, rng), storages)
            else:
                data = mutated(data, rng)
            reader(f"mutation {i}", data)
        print(
            json.dumps(
                {
                    "read": reader.read,
                    "refused": reader.refused,
                    "refused attacks": refused_attacks,
                    "faults": reader.faults,
                    "slowest": reader.slowest,
                    "was run": canary.exists(),
                    "peak": peak_memory(),
                }
            )
        )


def peak_memory() -> int:
    """The most memory that this process ever had [bytes]. `getrusage` counts that of the process that started it, too."""
    [peak] = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return 1024 * int(peak)


if __name__ == "__main__":
    main()
