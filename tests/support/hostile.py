"""Files as an attacker or a bad disk leaves them: seeded mutants of JSON values and of bytes; odd things at a path."""

import contextlib
import copy
import io
import json
import os
import random
import re
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from qcskit.codec.files import sha256

NUMBERS = (0, -1, 1, 2**31, 2**63 - 1, 2**63, -(10**30), 10**400, 0.5, 1e300, -1e300, 5e-324, -0.0)
TEXTS = ("", "\0", "x" * 20_000, "\x1b[31m", "$\\frac{", "<script>", "\ud800", "../../x", "nan", "[red]", "\u202e")
OTHERS = (None, True, False, [], {}, [[]], {"": {}}, [None] * 3, [1, "a"], {"edges": [1], "counts": []})
WORDS = (0, 1, 2, 0x7F, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFFC)
_NO_VALUES = (
    "NaN", "Infinity", "-Infinity", "1e999", "[" * 100_000, '{"a":' * 50_000, "9" * 6000, "{", "", '{"a":1,"a":2}',
)  # fmt: skip
RAW = {f"raw text {number}": text for number, text in enumerate(_NO_VALUES)}
"""Stands for → text in place of a value: no JSON, or JSON that a careless reader dies of."""


def json_mutants(
    value: Any, seed: int, count: int, forge: Callable[[Any], object] = lambda made: None
) -> Iterator[tuple[str, bytes]]:
    """Yield `count` mutants of a JSON value, each with words for what was done; all kinds come round.

    forge(mutant) makes its checksums fit, in place; where the mutant has no place for them it may raise.
    """
    rng = random.Random(seed)
    kinds: tuple[Callable[[Any, Any, random.Random], str], ...] = (
        _replaced, _numbered, _texted, _dropped, _added, _renamed, _swapped, _shortened, _lengthened, _raw,
    )  # fmt: skip
    for number in range(count):
        made = copy.deepcopy(value)
        spot = rng.choice(list(_places(made)))
        done = kinds[number % len(kinds)](made, spot, rng)
        with contextlib.suppress(KeyError, TypeError, AttributeError, ValueError, IndexError):
            forge(made)
        text = json.dumps(made)
        for stand_in, raw in RAW.items():
            text = text.replace(json.dumps(stand_in), raw)
        yield f"{number} {done} at {'.'.join(map(str, spot)) or 'top'}", text.encode()


def with_each_number(value: Any, number: int) -> Iterator[tuple[str, Any]]:
    """Yield (where, the JSON value with that one of its numbers replaced); truth values are none."""
    for spot in _places(value):
        own = type(_at(value, spot))
        if own in (int, float):
            made = copy.deepcopy(value)
            _put(made, spot, own(number))
            yield ".".join(map(str, spot)), made


def forge_evidence(made: Any) -> None:
    """Make the digest of `evidence` fit, at the top and of each device."""
    for holder in (made, *made.get("devices", ())):
        evidence = holder["evidence"]
        evidence["sha256"] = sha256(repr(sorted(evidence["parts"].items())).encode())


def byte_mutants(content: bytes, seed: int, count: int) -> Iterator[tuple[str, bytes]]:
    """Yield `count` mutants of a file's bytes: flips, stretches cut, doubled, zeroed or made noise, ends cut."""
    rng = random.Random(seed)
    for number in range(count):
        made, at = bytearray(content), rng.randrange(max(1, len(content)))
        width = rng.choice((1, 2, 4, 8, 64))
        kind = ("flip", "cut", "end", "double", "zero", "noise", "insert")[number % 7]
        if kind == "flip" and made:
            made[at] ^= 1 << rng.randrange(8)
        elif kind == "cut":
            del made[at : at + width]
        elif kind == "end":
            del made[at:]
        elif kind == "double":
            made[at:at] = made[at : at + width]
        elif kind == "zero":
            made[at : at + width] = bytes(len(made[at : at + width]))
        else:
            made[at : at + width * (kind == "noise")] = rng.randbytes(width)
        yield f"{number} {kind} {width} at {at}", bytes(made)


def word_mutants(content: bytes, seed: int, count: int) -> Iterator[tuple[str, bytes]]:
    """Yield `count` mutants with one to three aligned 16- or 32-bit words changed: offsets, sizes and numbers."""
    rng = random.Random(seed)
    for number in range(count):
        made, done = bytearray(content), []
        for _ in range(rng.choice((1, 1, 3))):
            width = rng.choice((2, 4, 4))
            at = rng.randrange(0, len(content) - width, width)
            own = int.from_bytes(made[at : at + width], "little")
            new = rng.choice((*WORDS, own + 1, own - 1, own + 4, own * 2, rng.getrandbits(32))) % (1 << 8 * width)
            made[at : at + width] = new.to_bytes(width, "little")
            done.append(f"{own:#x} to {new:#x} at {at}")
        yield f"{number} {', '.join(done)}", bytes(made)


def npz_mutants(content: bytes, seed: int, count: int) -> Iterator[tuple[str, bytes]]:
    """Yield `count` mutants of an .npz whose zip fits: other headers, shapes, types, values, names; members lost."""
    rng = random.Random(seed)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    for number in range(count):
        made, name = dict(members), rng.choice(list(members))
        kind = ("header", "value", "shape", "lost", "renamed", "swapped", "raw", "bytes")[number % 8]
        if kind == "header":
            made[name] = _other_header(made[name], rng)
        elif kind == "value":
            made[name] = _other_value(made[name], rng)
        elif kind == "shape":
            made[name] = _npy(_other_shape(np.load(io.BytesIO(made[name])), rng))
        elif kind == "lost":
            del made[name]
        elif kind == "renamed":
            made[rng.choice((*TEXTS[:2], "x", "../a.npy", "x.npy", "hidden9_bias.npy", "pickle.npy"))] = made.pop(name)
        elif kind == "swapped":
            made[name] = members[rng.choice(list(members))]
        elif kind == "raw":
            made[name] = rng.choice((b"", b"\x93NUMPY", b"\x93NUMPY\x03\x00", rng.randbytes(80), _npy(np.array([{}]))))
        else:
            made[name] = next(byte_mutants(made[name], rng.getrandbits(32), 1))[1]
        yield f"{number} {kind} of {name}", _zip(made, rng)


def odd_files(where: Path) -> Iterator[tuple[str, Path]]:
    """Yield what can stand at a path in place of a readable file: each with its name."""
    yield "missing", where / "missing"
    yield "directory", where
    fifo, loop, empty, big = where / "fifo", where / "loop", where / "empty", where / "big"
    os.mkfifo(fifo)
    yield "fifo", fifo
    loop.symlink_to(loop)
    yield "loop", loop
    yield "device", Path("/dev/zero")
    empty.touch()
    yield "empty", empty
    with big.open("wb") as file:
        file.truncate(1 << 40)
    yield "a terabyte", big
    yield "name with zero", where / "a\0b"


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from _places(child, (*path, key))


def _at(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


def _put(value: Any, path: tuple[Any, ...], new: Any) -> None:
    if path:
        _at(value, path[:-1])[path[-1]] = new
    elif isinstance(value, dict):
        value.clear()
        value["only"] = new


def _replaced(value: Any, path: tuple[Any, ...], rng: random.Random) -> str:
    new = rng.choice(OTHERS)
    _put(value, path, copy.deepcopy(new))
    return f"{new!r}"


def _numbered(value: Any, path: tuple[Any, ...], rng: random.Random) -> str:
    new = rng.choice(NUMBERS)
    _put(value, path, new)
    return f"{float(new) if abs(new) < 1e300 else 'huge'}"


def _texted(value: Any, path: tuple[Any, ...], rng: random.Random) -> str:
    new = rng.choice(TEXTS)
    _put(value, path, new)
    return f"{new[:9]!a}"


def _dropped(value: Any, path: tuple[Any, ...], rng: random.Random) -> str:
    if path:
        del _at(value, path[:-1])[path[-1]]
    return "dropped"


def _added(value: Any, path: tuple[Any, ...], rng: random.Random) -> str:
    place = _at(value, path)
    if isinstance(place, dict):
        place[rng.choice(TEXTS)] = copy.deepcopy(rng.choice(OTHERS))
    elif isinstance(place, list):
        place.insert(rng.randint(0, len(place)), copy.deepcopy(rng.choice(OTHERS)))
    return "added"


def _renamed(value: Any, path: tuple[Any, ...], rng: random.Random) -> str:
    place = _at(value, path)
    if isinstance(place, dict) and place:
        place[rng.choice(TEXTS)] = place.pop(rng.choice(list(place)))
    return "renamed"


def _swapped(value: Any, path: tuple[Any, ...], rng: random.Random) -> str:
    """Put another part of the same value here: everything is well formed, at the wrong place."""
    other = rng.choice(list(_places(value)))
    _put(value, path, copy.deepcopy(_at(value, other)))
    return f"{'.'.join(map(str, other)) or 'top'} put"


def _shortened(value: Any, path: tuple[Any, ...], rng: random.Random) -> str:
    lists = [place for place in _places(value) if isinstance(_at(value, place), list) and _at(value, place)]
    if lists:
        _at(value, rng.choice(lists)).pop()
    return "a list shortened"


def _lengthened(value: Any, path: tuple[Any, ...], rng: random.Random) -> str:
    lists = [place for place in _places(value) if isinstance(_at(value, place), list) and _at(value, place)]
    if lists:
        chosen = _at(value, rng.choice(lists))
        chosen.extend(copy.deepcopy(chosen) * rng.choice((1, 1, 5000 // len(chosen))))
    return "a list lengthened"


def _raw(value: Any, path: tuple[Any, ...], rng: random.Random) -> str:
    new = rng.choice(list(RAW))
    _put(value, path, new)
    return f"{RAW[new][:9]} put"


def _npy(array: Any) -> bytes:
    out = io.BytesIO()
    np.save(out, array, allow_pickle=True)
    return out.getvalue()


def _zip(members: dict[str, bytes], rng: random.Random) -> bytes:
    out = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore")  # two of one name are wanted
        for name, content in members.items():
            for _ in range(2 if rng.random() < 0.02 else 1):
                archive.writestr(name.replace("\0", "?") or "?", content)
    return out.getvalue()


def _other_header(npy: bytes, rng: random.Random) -> bytes:
    """Another type, order or shape in the words of the header; the data stays."""
    length = int.from_bytes(npy[8:10], "little")
    header, data = npy[10 : 10 + length].decode("latin1"), npy[10 + length :]
    shape = rng.choice(
        ("()", "(0,)", "(-1,)", "(3000000000,)", "(1, 2, 3)", "(1e3,)", "(True,)", "((2,),)", "5", "(2, 2")
    )
    kind = rng.choice(("<f4", "<i8", ">i2", "|O", "<U9", "|V8", "<c16", "<f2", "|b1", "[('a', '<i4')]", "x", "<m8"))
    rest = rng.choice(("{}", "[" * 3000, "None", "{'descr': '<i2'}", "1" * 3000, "x", "{'shape': (), 'descr': '<i2'}"))
    header = rng.choice((
        re.sub(r"'shape': \([^)]*\)", shape, header), re.sub(r"'descr': '[^']*'", f"'descr': '{kind}'", header),
        header.replace("False", "True"), rest,
    ))  # fmt: skip
    text = header.strip().encode("latin1")
    return b"\x93NUMPY\x01\x00" + (len(text) + 1).to_bytes(2, "little") + text + b"\n" + data


def _other_value(npy: bytes, rng: random.Random) -> bytes:
    array = np.load(io.BytesIO(npy)).copy()
    if array.size:
        place = rng.randrange(array.size)
        if array.dtype.kind == "f":
            with np.errstate(over="ignore"):
                array.flat[place] = rng.choice((np.nan, np.inf, -np.inf, 1e300, -1e300, 0.0, 5e-324))
        else:
            info = np.iinfo(array.dtype)
            array.flat[place] = rng.choice((info.min, info.max, 0, 1))
    return _npy(array)


def _other_shape(array: Any, rng: random.Random) -> Any:
    kind = rng.randrange(7)
    if kind == 0:
        return array[None]
    if kind == 1:
        return array[:-1] if array.ndim else array.reshape(1, 1)
    if kind == 2:
        return array[:0] if array.ndim else np.zeros(0, array.dtype)
    if kind == 3:
        return array.T if array.ndim > 1 else array.reshape(-1, 1)
    if kind == 4:
        return np.concatenate([array, array]) if array.ndim else array.reshape(1)
    if kind == 5:
        return array.astype(rng.choice((np.float32, np.int8, np.uint64, np.float64, bool)))
    return np.zeros((1 << 19, 16), array.dtype)  # a few kB in the file
