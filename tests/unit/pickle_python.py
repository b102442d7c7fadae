"""The other side of test_pickle_python.c: a real Mitogen.

    pickle_python.py write   every row, pickled by Mitogen, to stdout
    pickle_python.py read    records from stdin, unpickled by Mitogen and compared with the rows

A record is a label and a pickle, each behind its length as four bytes, little endian.
A label that starts with "!" marks a pickle that must be refused; what follows the last "!" is the
name of the global that the refusal must show.
"""

import datetime
import decimal
import fractions
import logging
import os
import pickle
import random
import struct
import sys

import mitogen.core as core


class Router(core.Router):
    """Makes the contexts; nothing else of it is used."""

    def __init__(self):
        pass

    def context_by_id(self, context_id, via_id=None, create=True, name=None):
        return core.Context(self, context_id, name)


ROUTER = Router()
logging.disable(logging.CRITICAL)  # it shows all of what it cannot read


def context(id, name=None):
    return core.Context(ROUTER, id, name)


def sender(id, handle):
    return core.Sender(context(id), handle)


def random_value(rng, depth):
    """A tree of every kind of value, the same one for the same state of rng."""
    kinds = [
        lambda: None,
        lambda: rng.random() < 0.5,
        lambda: rng.randint(-(2 ** rng.randint(1, 70)), 2 ** rng.randint(1, 70)),
        lambda: rng.choice([0.0, -0.0, 1e300, float("inf"), rng.random()]),
        lambda: "".join(chr(rng.choice([65, 0, 233, 0x20AC, 0x1F41F, 0xD800])) for _ in range(rng.randint(0, 9))),
        lambda: bytes(rng.randint(0, 255) for _ in range(rng.randint(0, 9))),
        lambda: core.Blob(bytes(rng.randint(0, 255) for _ in range(rng.randint(0, 300)))),
        lambda: core.Secret("s" * rng.randint(0, 5)),
        lambda: core.CallError("failure %d" % rng.randint(0, 99)),
        lambda: context(rng.randint(0, 2 ** 32 - 1), rng.choice([None, "", "ssh.db1", "\u20ac" * 99])),
        lambda: sender(rng.randint(0, 2 ** 32 - 1), rng.randint(1, 2 ** 32 - 1)),
    ]
    if depth > 0:
        inner = lambda: random_value(rng, depth - 1)
        kinds += 2 * [
            lambda: [inner() for _ in range(rng.randint(0, 5))],
            lambda: tuple(inner() for _ in range(rng.randint(0, 5))),
            lambda: {rng.choice([i, str(i), bytes([i]), (i, "k")]): inner() for i in range(rng.randint(0, 5))},
            lambda: core.Kwargs({"key%d" % i: inner() for i in range(rng.randint(0, 3))}),
            lambda: (lambda shared: [shared, (shared, shared), {"x": shared}])(inner()),
        ]
    return rng.choice(kinds)()


def rows():
    """Label and value. The C side makes those whose label it knows; the others it hands back."""
    yield "none", None
    yield "true", True
    yield "false", False
    for power in (7, 8, 15, 16, 31, 32, 62, 63, 64, 100, 2039, 2040, 2047, 20000):
        for x in (2 ** power - 1, 2 ** power, 2 ** power + 1):
            yield "int %d %d" % (power, x - 2 ** power), x
            yield "int -%d %d" % (power, x - 2 ** power), -x
    yield "zero", 0
    yield "double", 2.5
    yield "infinity", float("-inf")
    yield "str", "text \u00e9 \u20ac \U0001F41F \0"
    yield "str empty", ""
    yield "surrogates", "\ud800x\udfff\udc80"
    yield "str 255", "x" * 255
    yield "str 256", "x" * 256
    yield "str long", "\u20ac" * 100000
    yield "bytes", b"\x00\x7f\x80\xff"
    yield "bytes empty", b""
    yield "bytes all", bytes(range(256))
    yield "bytes 255", b"x" * 255
    yield "bytes 256", b"\xff" * 256
    yield "bytes long", bytes(range(256)) * 400
    for n in range(6):
        yield "tuple %d" % n, tuple(range(n))
        yield "list %d" % n, list(range(n))
        yield "dict %d" % n, {str(i): i for i in range(n)}
    for n in (999, 1000, 1001, 2000, 70000):
        yield "list %d" % n, list(range(n))
        yield "tuple %d" % n, tuple(range(n))
        yield "dict %d" % n, {i: str(i) for i in range(n)}
    yield "nested", ((), [], {}, ((((1,), 2), 3, [[[4]]]), {"a": {"b": ({},)}}))
    yield "shared text", ["same"] * 10
    yield "shared bytes", [b"same", b"same", b"other", b""]
    yield "shared list", (lambda x: [x, x, (x, {"x": x})])([1, "x"])
    yield "blob", core.Blob(b"\x00blob\xff")
    yield "blob empty", core.Blob(b"")
    yield "blobs", [core.Blob(b"a"), core.Blob(b"b"), b"a"]
    yield "secret", core.Secret("secret \u20ac")
    yield "secret empty", core.Secret("")
    yield "kwargs", core.Kwargs({"a": 1, "b": [2]})
    yield "kwargs empty", core.Kwargs({})
    yield "failure", core.CallError("builtins.ValueError: no\n  File \"x\"")
    yield "failure long", core.CallError("x" * 9999)
    yield "context", context(7, "ssh.db1")
    yield "context anonymous", context(2 ** 32 - 1)
    yield "context long", context(0, "\u20ac" * 99)
    yield "sender", sender(8, 1001)
    yield "sender far", sender(2 ** 32 - 1, 2 ** 32 - 1)
    yield "call", (None, "main", None, "add", (2, 3), core.Kwargs({}))
    yield "call chained", ("db1-123-0", "main", "Class", "f", (b"", "x", [core.Blob(b"y")]),
                           core.Kwargs({"timeout": 1.5}))
    yield "allocated", (1000, 2000)
    rng = random.Random(4711)
    for i in range(400):
        yield "random %d" % i, random_value(rng, 4)


def refused():
    """The name that the refusal must show, and what is pickled."""
    yield "datetime.date", datetime.date(2020, 1, 2)
    yield "datetime.datetime", [1, {"when": datetime.datetime(2020, 1, 2)}]
    yield "decimal.Decimal", decimal.Decimal("1.5")
    yield "fractions.Fraction", fractions.Fraction(1, 2)
    yield "posix.system", os.system
    yield "__builtin__.eval", eval
    yield "__builtin__.set", {1, 2}
    yield "__builtin__.complex", 1j
    yield "__builtin__.bytearray", bytearray(b"x")
    yield "collections.OrderedDict", __import__("collections").OrderedDict(a=1)
    yield "mitogen.core.Message", core.Message


def same(a, b):
    if type(a) is not type(b):
        return False
    if isinstance(a, core.Context):
        return (a.context_id, a.name) == (b.context_id, b.name)
    if isinstance(a, core.Sender):
        return (a.context.context_id, a.dst_handle) == (b.context.context_id, b.dst_handle)
    if isinstance(a, core.CallError):
        return a.args == b.args
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return len(a) == len(b) and all(map(same, a.keys(), b.keys())) and all(map(same, a.values(), b.values()))
    if isinstance(a, float):
        return struct.pack(">d", a) == struct.pack(">d", b)
    return a == b


def put(label, data):
    for part in (label.encode(), data):
        sys.stdout.buffer.write(struct.pack("<L", len(part)) + part)


def records():
    def part():
        head = sys.stdin.buffer.read(4)
        if not head:
            return None
        length, = struct.unpack("<L", head)
        data = sys.stdin.buffer.read(length)
        assert len(data) == length, "cut short"
        return data

    while True:
        label = part()
        if label is None:
            return
        yield label.decode(), part()


def plain(value):
    """Is it made of nothing that needs a global in newer protocols?"""
    if isinstance(value, dict):
        return type(value) is dict and all(map(plain, value)) and all(map(plain, value.values()))
    if isinstance(value, (list, tuple)):
        return all(map(plain, value))
    return value is None or type(value) in (bool, int, float, str, bytes)


def write():
    for label, value in rows():
        put(label, core.Message.pickled(value).data)
        if plain(value):
            for protocol in (3, 4, 5):
                if protocol == 3 or len(pickle.dumps(value, protocol)) < 60000:
                    put(label, pickle.dumps(value, protocol))
    for name, value in refused():
        put("!" + name, pickle.dumps(value, protocol=2))


def read():
    expected = dict(rows())
    seen = set()
    bad = 0
    for label, data in records():
        message = core.Message(data=data)
        message.router = ROUTER
        try:
            value = message.unpickle(throw=False)
            good = same(value, expected[label])
        except Exception as e:
            value, good = e, False
        if not good:
            bad += 1
            if bad > 10:
                break
            print("%s: %.200r is not %.200r" % (label, value, expected.get(label)), file=sys.stderr)
        seen.add(label)
    for label in expected.keys() - seen if not bad else ():
        bad += 1
        print("%s: missing" % label, file=sys.stderr)
    sys.exit(bad != 0)


{"write": write, "read": read}[sys.argv[1]]()
