"""Reads pickles without running anything: every object in them becomes plain data.

Python's own unpickler imports what a pickle names and calls it. A subclass can forbid that, but it still allocates what a
pickle claims, and it hashes what a pickle nests, which crashes the process. So the instructions are carried out here.
`pickletools`, Python's disassembler, splits a pickle into them. Each instruction makes at most one small object, so that the
bounds on their number and on the size of the file bound time and memory. No name is looked up, no function is called and no
attribute is set.

Source: the descriptions of all instructions in Python's `pickletools`.
"""

import io
import pickletools
import warnings
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from sr_jax.errors import printable

MOST_INSTRUCTIONS = 2_000_000
"""A module of a thousand layers has 100,000."""
MOST_MEMORY = 2**32
"""Places that a pickle may give its objects. They are numbers, and large ones would make a dict slow."""
LARGEST_KEY = 2**61 - 2
"""Integers up to here have hashes of their own, in which an attacker cannot make collisions."""
NEWEST = 5
"""The newest protocol."""
RENAMED = {"__builtin__": "builtins", "copy_reg": "copyreg"}
"""Modules of Python 2 and their names today."""
MOST_SHOWN = 100
"""Characters of a name that a message shows."""


class PickleError(ValueError):
    """A pickle is damaged, or it exceeds a bound."""


class CallError(ValueError):
    """A pickle asks for a function that has no place among weights. The message is its name."""


class Name(NamedTuple):
    """A class or function that a pickle names. Nothing is imported."""

    module: str
    name: str

    def __str__(self) -> str:
        return shown(f"{self.module}.{self.name}")


class Node:
    """What a pickle makes by calling something: what it called, with which arguments, and what it put into the result."""

    __slots__ = ("arguments", "elements", "items", "kind", "state")

    def __init__(self, kind: Any, arguments: Any = ()):
        self.kind, self.arguments = kind, arguments
        self.state: Any = None
        self.items: dict[Any, Any] = {}
        self.elements: list[Any] = []

    def __str__(self) -> str:
        return str(self.kind) if isinstance(self.kind, Name) else "an object"


class Outside:
    """What a pickle only refers to: the base class of storages and tensors."""

    __slots__ = ()


class Key:
    """Stands for a key of a dict that is not a plain value, such as a tuple. It equals only itself."""

    def __str__(self) -> str:
        return "a key that is not a plain value"


class Meaning(NamedTuple):
    """What the names in a pickle mean."""

    call: Callable[[Name, tuple[Any, ...]], Any]
    """Returns the result of a call, or raises CallError."""
    persistent: Callable[[Any], Any] | None
    """Returns what is stored outside the pickle, by its identification. None: nothing is."""


def shown(text: str) -> str:
    """The text in one short line."""
    return printable(text[:MOST_SHOWN]) + ("..." if len(text) > MOST_SHOWN else "")


def read_pickle(file: io.BytesIO, meaning: Meaning) -> Any:
    """Reads one pickle, and leaves the file behind it. Objects become plain values, lists, tuples, dicts, `Name` and `Node`.

    Raises:
      PickleError: if the pickle is damaged or too large.
      CallError: if it asks for a function that has no place among weights.
    """
    machine = _Machine(meaning)
    try:
        with warnings.catch_warnings():  # they are about escape sequences in text
            warnings.simplefilter("ignore")
            for count, (instruction, argument, _) in enumerate(pickletools.genops(file)):
                if count >= MOST_INSTRUCTIONS:
                    raise PickleError(f"it has more than {MOST_INSTRUCTIONS:,} instructions")
                if instruction.name == "STOP":
                    break
                machine.do(instruction.name, argument)
        return machine.pop()
    except (PickleError, CallError):
        raise
    except Exception as error:  # damage makes pickletools raise anything
        raise PickleError(shown(f"{type(error).__name__}: {error}")) from None


class _Machine:
    """The stack and the memory that the instructions of a pickle work on."""

    def __init__(self, meaning: Meaning):
        self.meaning = meaning
        self.stack: list[Any] = []
        self.marks: list[int] = []
        """How high the stack was at each mark that is still open."""
        self.memory: dict[int, Any] = {}

    def pop(self) -> Any:
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise PickleError("it takes more from its stack than there is")
        return self.stack.pop()

    def top(self) -> Any:
        value = self.pop()
        self.stack.append(value)
        return value

    def pop_to_mark(self) -> list[Any]:
        if not self.marks:
            raise PickleError("it lacks a mark")
        at = self.marks.pop()
        values = self.stack[at:]
        del self.stack[at:]
        return values

    def do(self, name: str, argument: Any) -> None:
        """Carries out one instruction."""
        if name in _VALUES:
            self.stack.append(argument)
        elif name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name])
        elif name in _MAKERS:
            _MAKERS[name](self)
        elif name in _STORES:
            self.remember(argument if name != "MEMOIZE" else len(self.memory))
        elif name in _FETCHES:
            if argument not in self.memory:
                raise PickleError(f"it takes object {argument} from its memory, where it put none")
            self.stack.append(self.memory[argument])
        elif name in ("GLOBAL", "INST"):
            module, _, attribute = argument.partition(" ")
            called = Name(module, attribute)
            self.stack.append(called if name == "GLOBAL" else self.call(called, tuple(self.pop_to_mark())))
        elif name == "PROTO":
            if argument > NEWEST:
                raise PickleError(f"it is of protocol {argument}, which does not exist")
        elif name != "FRAME":  # a frame says how much to read at once, and all is read already
            raise PickleError(f"it has the instruction {name}, which torch.save does not write")

    def remember(self, place: int) -> None:
        if not 0 <= place < MOST_MEMORY:
            raise PickleError(f"it puts an object at place {shown(str(place))} of its memory")
        self.memory[place] = self.top()

    def call(self, function: Any, arguments: Any) -> Any:
        if not isinstance(function, Name) or not isinstance(arguments, tuple):
            raise PickleError("it calls something without a name")
        modern = Name(RENAMED.get(function.module, function.module), function.name)
        return self.meaning.call(modern, arguments)

    def reduce(self) -> None:
        arguments, function = self.pop(), self.pop()
        self.stack.append(self.call(function, arguments))

    def new(self) -> None:
        arguments, kind = self.pop(), self.pop()
        self.stack.append(self.call(kind, arguments))

    def new_with_keywords(self) -> None:
        self.pop()
        self.new()

    def obj(self) -> None:
        kind, *arguments = self.pop_to_mark() or [None]
        self.stack.append(self.call(kind, tuple(arguments)))

    def build(self) -> None:
        """Gives an object its state. Only a `Node` keeps it: an OrderedDict or a tensor has nothing in it that is needed."""
        state, value = self.pop(), self.top()
        if isinstance(value, Node):
            value.state = state
        elif not isinstance(value, dict | Outside):
            raise PickleError(f"it gives a state to a {type(value).__name__}")

    def persistent(self) -> None:
        if self.meaning.persistent is None:
            raise PickleError("it refers to something outside")
        self.stack.append(self.meaning.persistent(self.pop()))

    def named(self) -> None:
        name, module = self.pop(), self.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise PickleError("it names something by what is not text")
        self.stack.append(Name(module, name))

    def extend(self, values: list[Any]) -> None:
        target = self.top()
        if isinstance(target, Node):
            target = target.elements
        if not isinstance(target, list):
            raise PickleError(f"it appends to a {type(target).__name__}")
        target.extend(values)

    def update(self, values: list[Any]) -> None:
        target = self.top()
        if isinstance(target, Node):
            target = target.items
        if not isinstance(target, dict) or len(values) % 2:
            raise PickleError(f"it puts {len(values)} keys and values into a {type(target).__name__}")
        put(target, zip(values[::2], values[1::2], strict=True))

    def dict_from_mark(self) -> None:
        values = self.pop_to_mark()
        self.stack.append({})
        self.update(values)

    def pop_or_unmark(self) -> None:
        if self.marks and self.marks[-1] == len(self.stack):
            self.marks.pop()
        else:
            self.pop()

    def take(self, count: int) -> list[Any]:
        return [self.pop() for _ in range(count)][::-1]


def put(target: dict[Any, Any], items: Any) -> None:
    """Puts keys and values into a dict. A key that could be slow or dangerous to hash is replaced."""
    for key, value in items:
        is_plain = isinstance(key, str | bytes | float | None) or (isinstance(key, int) and abs(key) <= LARGEST_KEY)
        target[key if is_plain else Key()] = value


def mapping(value: Any) -> Mapping[Any, Any] | None:
    """The items of a dict, or of an object of a class that is derived from dict; None: it is neither."""
    if isinstance(value, Node):
        return value.items if value.items and not value.elements else None
    return value if isinstance(value, dict) else None


def _set(machine: _Machine) -> None:
    machine.stack.append(Node(Name("builtins", "set")))


def _frozenset(machine: _Machine) -> None:
    node = Node(Name("builtins", "frozenset"))
    node.elements = machine.pop_to_mark()
    machine.stack.append(node)


_CONSTANTS: dict[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_VALUES = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
    *("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
}
_STORES = {"PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"}
_FETCHES = {"GET", "BINGET", "LONG_BINGET"}
_MAKERS: dict[str, Callable[[_Machine], None]] = {
    "MARK": lambda machine: machine.marks.append(len(machine.stack)),
    "POP": _Machine.pop_or_unmark,
    "POP_MARK": lambda machine: machine.pop_to_mark().clear(),
    "DUP": lambda machine: machine.stack.append(machine.top()),
    "EMPTY_LIST": lambda machine: machine.stack.append([]),
    "EMPTY_DICT": lambda machine: machine.stack.append({}),
    "EMPTY_SET": _set,
    "FROZENSET": _frozenset,
    "LIST": lambda machine: machine.stack.append(machine.pop_to_mark()),
    "TUPLE": lambda machine: machine.stack.append(tuple(machine.pop_to_mark())),
    "DICT": _Machine.dict_from_mark,
    "TUPLE1": lambda machine: machine.stack.append(tuple(machine.take(1))),
    "TUPLE2": lambda machine: machine.stack.append(tuple(machine.take(2))),
    "TUPLE3": lambda machine: machine.stack.append(tuple(machine.take(3))),
    "APPEND": lambda machine: machine.extend(machine.take(1)),
    "APPENDS": lambda machine: machine.extend(machine.pop_to_mark()),
    "ADDITEMS": lambda machine: machine.extend(machine.pop_to_mark()),
    "SETITEM": lambda machine: machine.update(machine.take(2)),
    "SETITEMS": lambda machine: machine.update(machine.pop_to_mark()),
    "STACK_GLOBAL": _Machine.named,
    "REDUCE": _Machine.reduce,
    "NEWOBJ": _Machine.new,
    "NEWOBJ_EX": _Machine.new_with_keywords,
    "OBJ": _Machine.obj,
    "BUILD": _Machine.build,
    "BINPERSID": _Machine.persistent,
}
