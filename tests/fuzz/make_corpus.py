#!/usr/bin/python3
"""Writes the seeds of the fuzz targets to tests/fuzz/corpus/<target>/. Needs python3-mitogen.

The file names are made from the contents, so that running it again changes nothing."""

import hashlib
import os
import pickle
import struct
import sys

import mitogen.core as core

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "python", "mitosis"))
import modules  # noqa: E402


def put(target, data):
    folder = os.path.join(HERE, "corpus", target)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, hashlib.sha256(data).hexdigest()[:16]), "wb") as f:
        f.write(data)


def context(id, name=None):
    return core.Context(None, id, name)


VALUES = [
    None, True, False, 0, 1, 255, 256, 65535, 65536, -1, 2 ** 31, -2 ** 31, 2 ** 63, -2 ** 63, 2 ** 64, 2 ** 2040,
    0.0, -2.5, float("inf"), float("nan"),
    "", "text", "\u00e9\u20ac\U0001F41F", "\ud800", "nul\0", "x" * 300,
    b"", b"bytes", bytes(range(256)), b"\xff" * 300,
    (), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), [], [1], [1, 2], {}, {"a": 1}, {"a": 1, 2: b"x"},
    list(range(1002)), {i: None for i in range(1002)},
    [["x", b"y"], ("x", b"y"), {"x": b"y"}],
    (lambda x: [x, x, (x, x)])([1]),
    core.Blob(b"blob"), core.Blob(b""), core.Secret("secret"), core.Kwargs({"k": 1}), core.Kwargs({}),
    core.CallError("failed\n  at line 3"),
    context(7, "ssh.db1"), context(2 ** 32 - 1), core.Sender(context(8), 1001),
    (None, "main", None, "add", (2, 3), core.Kwargs({})),
    ("chain-1", "main", None, "f", (core.Blob(b"x"), core.Secret("s"), core.Sender(context(1), 1000)),
     core.Kwargs({"a": [1.5]})),
    (1000, 2000),
]

HOSTILE = [
    b"cos\nsystem\nX\2\0\0\0ls\x85R.",
    b"]q\0h\0a.",
    b"]q\0]q\1h\0ah\0h\1a.",
    b"]q\0(h\0h\0e]q\1(h\0h\0e.",
    b"(" + b"".join(b"](" + (b"N" if n == 0 else b"h" + bytes([n - 1])) * 10 + b"eq" + bytes([n]) for n in range(8)) + b"t.",
    b"N" + b"\x85" * 70 + b".",
    b"]" * 70 + b"a" * 69 + b".",
    b"X\xff\xff\xff\xff.",
    b"\x8e\xff\xff\xff\xff\xff\xff\xff\xff.",
    b"\x8b\xff\xff\xff\x7f.",
    b"Nr\xff\xff\xff\xff.",
    b"}(N]u.",
    b"U\3abcT\1\0\0\0x\x86.",
    b"\x8a\0\x8b\0\0\0\0\x86.",
]

FAILURES = [
    b"mitosis.dead: context 7 is gone", b"mitosis.user[1000]: mine", b"mitosis.user[2147483647]: x",
    b"mitosis.user[999]: x", b"mitosis.ok: x", b"mitosis.: ", b"mitosis.no_function: ",
    b"builtins.ValueError: no\n  File \"x.py\", line 3\n", b"", b"\x1b[2J\xff\xc2\x9b", "\u20ac".encode() * 200,
]

SIGNATURES = [
    (b"", None), (b"i", 1), (b"b", True), (b"d", 1.5), (b"s", "x"), (b"s", None), (b"y", b"x"), (b"n", None),
    (b"v", [1, {"a": 2}]), (b"B", core.Blob(b"x")), (b"S", core.Secret("x")), (b"c", context(1, "n")),
    (b"c", context(7)), (b"t", core.Sender(context(1), 1000)), (b"r", core.Sender(context(1), 1000)),
    (b"isyv", (1, "a", b"b", [])), (b"(i[s](n))", (1, ["a"], (None,))), (b"[cct]", [context(1), context(2), core.Sender(context(7), 1)]),
    (b"svi", ("a", "b", "c")), (b"i", 2 ** 70), (b"s", "a\0b"), (b"{si}", {"a": 1}), (b"((", 1), (b"(n()[n])", (None, (), [None])),
    (b"bidsyBScrtv", (True, 1, 1.5, "s", b"y", core.Blob(b""), core.Secret(""), context(1),
                      core.Sender(context(2), 1), core.Sender(context(3), 2), {})),
]

TEXTS = [
    b"", b"plain", b"a\tb\nc\x7f", "\u00e9\u20ac\U0001F41F".encode(), b"\xc2\x9b\xc2\xa0", b"\xed\xa0\x80", b"\xf4\x90\x80\x80",
    b"\xe2\x82", b"%41%zz", b"%00", b"a%20b", b"4294967295", b"4294967296", b"007", b"debug", b"timeout", b"x" * 299,
]

CONFIG = b"max=100,queue=100,level=2,uni=0,first=1,last=2,delay=0,rate=0"
CONFIGS = [
    b"id=1,parents=0," + CONFIG + b",title=mitosis:a@b:1,name=ssh.db1", b"id=4294967295,parents=3:2:0," + CONFIG,
    b"id=1,parents=0," + CONFIG + b",newer=7", b"id=1,parents=1::2," + CONFIG, b"id=1,parents=," + CONFIG,
    b"id=1,parents=0," + CONFIG + b",title=%41%zz", b"id=4294967296,parents=0," + CONFIG, b"id", b"", b",=,",
]


def frame(length, payload=b"", magic=0x4D4A):
    return struct.pack(">HLLLLLL", magic, 1, 2, 3, 101, 1000, length) + payload


STREAMS = [
    frame(0), frame(5, b"hello") + frame(0) + frame(3, b"abc"), frame(70000, b"x" * 70000) + frame(1, b"y"),
    frame(200 * 1024), frame(200 * 1024 + 1), frame((1 << 32) - 1, b"few"), frame(2, b"ok") + b"Welcome to db1!\r\n" * 3,
    frame(5, b"hello") + frame(5, b"hello", 0x4D4C), frame(5, b"hell"), frame(0)[:25],
]


def bundle(entries, count=None, magic=b"MITOIMG1"):
    """The section with images, of (kind, packed image, plain size)."""
    offset, table, images = 12 + 60 * len(entries), b"", b""
    for kind, packed, size in entries:
        table += struct.pack(">16sLLL32s", kind, offset + len(images), len(packed), size, kind * 4)
        images += packed
    return magic + struct.pack(">L", len(entries) if count is None else count) + table + images


def elf(bits, section, name=b".mitosis.images"):
    """An executable that has that section and nothing else."""
    names = b"\0.shstrtab\0" + name + b"\0"
    header = 52 if bits == 32 else 64
    at = [header, header + len(names)]
    table = at[1] + len(section)
    if bits == 32:
        start = struct.pack("<4sBBB9xHHLLLLLHHHHHH", b"\x7fELF", 1, 1, 1, 2, 40, 1, 0, 0, table, 0, 52, 0, 0, 40, 3, 1)
        row = "<LLLLLLLLLL"
    else:
        start = struct.pack("<4sBBB9xHHLQQQLHHHHHH", b"\x7fELF", 2, 1, 1, 2, 62, 1, 0, 0, table, 0, 64, 0, 0, 64, 3, 1)
        row = "<LLQQQQLLQQ"
    rows = struct.pack(row, *[0] * 10)
    rows += struct.pack(row, 1, 3, 0, 0, at[0], len(names), 0, 0, 1, 0)
    rows += struct.pack(row, 11, 1, 0, 0, at[1], len(section), 0, 0, 1, 0)
    return start + names + section + rows


SECTIONS = [
    bundle([]), bundle([(b"x86_64", b"packed", 9)]), bundle([(b"aarch64", b"one", 1), (b"armv7", b"two", 2)]),
    bundle([(b"i386", b"x", 0)]), bundle([(b"riscv64", b"", 3)]), bundle([(b"i386", b"x", 1)] * 2),
    bundle([(b"x86-64", b"x", 1)]), bundle([(b"i386", b"x", 1)], count=2), bundle([], count=17),
    bundle([(b"k%d" % n, b"x", 1) for n in range(16)]), bundle([], magic=b"MITOIMG2"), b"", b"MITOIMG1",
]


def found(name, payload=None, length=None):
    """What the interpreter of the master says that has found a module."""
    if payload is None:
        payload = modules.load_module(name, None, "/x.py", b"VALUE = 1\n", [])
    return b"found %s %d\n" % (name.encode(), len(payload) if length is None else length) + payload


START = modules.load_module("mitosis.python", ["(0, 3, 3)", "import os\n"], "", b"core", [])
MODULES = [
    b"missing a\n", b"missing a\nmissing a.b\nmissing b\nmissing mitosis.python\n", found("a"),
    found("b") + found("a", modules.load_module("a", ["b"], "/a", b"", ["b", "a", "a.b", "none"])) + found("a.b"),
    found("mitosis.python", START), found("mitosis.python"), found("nobody.asked") + b"missing nobody\n",
    found("mitosis.python", START[:-9]), found("a") * 3 + b"missing a\n",
    found("a", b""), found("a", b"N."), found("a", b"no pickle"), found("a", length=67108864),
    found("a", length=67108865), b"found a -1\nx", b"found a \nx", b"found a\n", b"found  7\nNNNNNN.", b"found \n",
    b"missing \n", b"missing\n", b"\n", b"Traceback (most recent call last):\n", b"x" * 600, b"missing " + b"a" * 503 + b"\n",
    b"missing " + b"a" * 502 + b"\n", b"missing a\0b\n", b"found a\0 3\nNN.", found("a")[:-1], b"missing a",
    b"found a 00000000000000000005\nN....",
]


def main():
    for value in VALUES:
        put("pickle", core.Message.pickled(value).data)
        for protocol in (2, 3, 4):
            put("pickle", pickle.dumps(value, protocol))
    for data in HOSTILE:
        put("pickle", data)
    for signature, value in SIGNATURES:
        put("signature", signature + b"\0" + core.Message.pickled(value).data)
        put("signature", signature + b"\0" + core.Message.pickled((value,)).data)
    for magic in (0x4D49, 0x4D4A, 0x4D4B, 0x4D4C):
        for length in (0, 5, 1 << 27, (1 << 27) + 1, (1 << 32) - 1):
            put("frame", struct.pack(">HLLLLLL", magic, 1, 2, 0xFFFFFFFF, 101, 999, length) + b"after")
    put("frame", b"Welcome to db1!\r\n\x1b[1mAuthorised users only\xff\r\n")
    put("frame", b"bash: line 1: mitosis: command not found\n" * 10)
    for text in CONFIGS:
        put("config", text)
    for data in STREAMS:
        for cut in (0, 25, 255):
            put("stream", bytes([cut]) + data)
    for section in SECTIONS:
        put("bundle", elf(32, section))
        put("bundle", elf(64, section))
    put("bundle", elf(64, SECTIONS[1], b".text"))
    put("bundle", elf(64, SECTIONS[1])[:-1])
    for data in MODULES:
        for cut in (0, 6, 63):
            put("modules", bytes([cut]) + data)
    for text in FAILURES:
        put("failure", text)
    for text in TEXTS:
        put("text", text)


sys.exit(main())
