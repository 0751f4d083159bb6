"""Pickles are read as Python reads them, where they hold plain values, and nothing in them is run."""

import datetime
import io
import pickle
import pickletools

import pytest

from sr_jax.weights.torch import pickles
from sr_jax.weights.torch.pickles import CallError, Meaning, Name, Node, PickleError, read_pickle
from sr_jax.weights.torch.tensors import call

MEANING = Meaning(call, None)


def read(data: bytes):
    return read_pickle(io.BytesIO(data), MEANING)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_values_are_those_of_python(protocol):
    shared = ["a", {"b": 2.5}]
    values = [None, True, False, 0, 1, -1, 255, 65536, -(2**31), 2**70, -(2**700), 1.5, float("inf"), "", "é", "\U0001f600"]
    values += ["x" * 300, (), (1,), (1, 2), (1, 2, 3), tuple(range(9)), [], [1], list(range(3000)), {}, {1: "a", "b": (None,)}]
    values += [shared, {"once": shared, "again": shared}]
    file = io.BytesIO(pickle.dumps(values, protocol) + b"more")
    assert read_pickle(file, MEANING) == values
    assert file.read() == b"more"
    again = read(pickle.dumps(values, protocol))[-1]
    assert again["once"] is again["again"]


@pytest.mark.parametrize("protocol", range(3, pickle.HIGHEST_PROTOCOL + 1))
def test_bytes_and_sets(protocol):
    assert read(pickle.dumps([b"", b"abc", b"x" * 300], protocol)) == [b"", b"abc", b"x" * 300]
    made = read(pickle.dumps([{1, 2}, frozenset("a")], protocol))
    if protocol > 3:
        assert [sorted(node.elements) for node in made] == [[1, 2], ["a"]]


def test_an_object_is_its_class_arguments_and_state():
    made = read(pickle.dumps({"when": datetime.datetime(2026, 1, 2), "late": datetime.timedelta(3)}, 4))
    assert [str(node) for node in made.values()] == ["datetime.datetime", "datetime.timedelta"]
    assert made["late"].arguments == (3, 0, 0)
    node = read(b"cvdsr\nNet\n)\x81}X\x05\x00\x00\x00depthK\x14sb.")
    assert (node.kind, node.state, node.items, node.elements) == (Name("vdsr", "Net"), {"depth": 20}, {}, [])
    assert read(b"(ivdsr\nNet\n(I1\nI2\n000.").kind == read(b"(cvdsr\nNet\no.").kind == Name("vdsr", "Net")


def test_keys_that_could_be_slow_or_dangerous_to_hash_are_replaced():
    made = read(pickle.dumps({"a": 1, 2: 3, 2**61 - 1: 4, (1, 2): 5, None: 6}, 2))
    assert [value for key, value in made.items() if isinstance(key, pickles.Key)] == [4, 5]
    assert {key: value for key, value in made.items() if not isinstance(key, pickles.Key)} == {"a": 1, 2: 3, None: 6}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "pickle exhausted"),
        (b"N", "pickle exhausted"),
        (b".", "takes more from its stack than there is"),
        (b"(.", "takes more from its stack than there is"),
        (b"N(0.", None),
        (b"t.", "lacks a mark"),
        (b"\x80\x06N.", "is of protocol 6, which does not exist"),
        (b"h\x05.", "takes object 5 from its memory, where it put none"),
        (b"q\x05.", "takes more from its stack"),
        (b"Np99999999999999999999\n.", "puts an object at place 99999999999999999999 of its memory"),
        (b"Np-1\n.", "puts an object at place -1"),
        (b"Nr\xff\xff\xff\xff.", None),
        (b"I" + b"9" * 5000 + b"\n.", "ValueError"),
        (b"\x8b\xff\xff\xff\x7fabc.", "ValueError: not enough data in stream to read long4"),
        (b"\x8b\xff\xff\xff\xffabc.", "ValueError: long4 byte count < 0"),
        (b"\x8e" + b"\xff" * 7 + b"\x7fabc.", "ValueError: expected 9223372036854775807 bytes in a bytes8"),
        (b"\x8d" + b"\xff" * 8 + b"abc.", "ValueError: unicodestring8 byte count > sys.maxsize"),
        (b"\x96" + b"\xff" * 7 + b"\x7fabc.", "ValueError: expected 9223372036854775807 bytes in a bytearray8"),
        (b"X\x02\x00\x00\x00\xff\xff.", "UnicodeDecodeError"),
        (b"\x95" + b"\xff" * 8 + b"N.", None),
        (b"S'a\\qb'\n.", None),
        (b"S'a\n.", "ValueError: strinq quote|ValueError: string quote"),
        (b"\x82\x01.", "has the instruction EXT1"),
        (b"\x83\x01\x01.", "has the instruction EXT2"),
        (b"\x84\x01\x01\x01\x01.", "has the instruction EXT4"),
        (b"\x97.", "has the instruction NEXT_BUFFER"),
        (b"N\x98.", "has the instruction READONLY_BUFFER"),
        (b"Pname\n.", "has the instruction PERSID"),
        (b"K\x01Q.", "refers to something outside"),
        (b"cos\nsystem\nN\x85R.", "os.system"),
        (b"cos\nsystem\n]R.", "calls something without a name"),
        (b"K\x01)R.", "calls something without a name"),
        (b"cvdsr\nNet\n)\x81)R.", "calls something without a name"),
        (b"cvdsr\nf\n)R)R.", "calls something without a name"),
        (b"(o.", "calls something without a name"),
        (b"K\x01K\x02\x93.", "names something by what is not text"),
        (b"K\x01Nb.", "gives a state to a int"),
        (b"cos\nsystem\nNb.", "gives a state to a Name"),
        (b"cos\nsystem\nNa.", "appends to a Name"),
        (b"}Na.", "appends to a dict"),
        (b"]NNs.", "puts 2 keys and values into a list"),
        (b"}(Nu.", "puts 1 keys and values into a dict"),
        (b"(K\x01d.", "puts 1 keys and values into a dict"),
        (b"\xff.", "ValueError: at position 0, opcode"),
    ],
)  # fmt: skip
def test_damage(data, message):
    if message is None:
        read(data)
        return
    with pytest.raises((PickleError, CallError), match=message) as error:
        read(data)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 200


def test_every_instruction_is_known():
    """Each of Python's is carried out or refused by name, whatever stands before it."""
    argument = {"uint1": b"\1", "uint2": b"\1\0", "uint4": b"\1\0\0\0", "uint8": bytes(8), "int4": bytes(4), "float8": bytes(8)}
    for instruction in pickletools.opcodes:
        given = argument.get(getattr(instruction.arg, "name", ""), b"1\n1\n")
        refusal = ""
        try:
            read(instruction.code.encode("latin-1") + given + b".")
        except (PickleError, CallError) as error:
            refusal = str(error)
        assert not refusal.startswith(("KeyError", "AttributeError", "TypeError")), instruction.name


def test_too_many_instructions(monkeypatch):
    monkeypatch.setattr(pickles, "MOST_INSTRUCTIONS", 1000)
    assert read(b"N0" * 499 + b"N.") is None
    with pytest.raises(PickleError, match="has more than 1,000 instructions"):
        read(b"N0" * 500 + b"N.")


def test_messages_show_names_in_one_short_line():
    with pytest.raises(CallError) as error:
        read(b"\x8c\x02os\x8c\x0csys\x1b[2J\r\ntem\x93)R.")
    assert str(error.value) == r"os.sys\x1b[2J\r\ntem"
    with pytest.raises(CallError) as error:
        read(b"cos\n" + b"x" * 10**6 + b"\n)R.")
    assert str(error.value) == f"os.{'x' * 97}..."
    assert str(Node(3)) == "an object"
