"""A JSON file of unknown origin: read whole and bounded, or refused in one line."""

import json
import math
import os
import stat
from pathlib import Path
from typing import Any, NoReturn

from pydantic import ValidationError

from qcskit.codec.errors import QcsError

_MAX_DEPTH = 64
_MAX_INTEGER = 2**63 - 1
"""What NumPy, and any other reader, still takes as an integer."""


def read_json(path: Path, what: str, max_bytes: int = 64 << 20) -> Any:
    """Return the value that a UTF-8 JSON file holds: finite numbers, integers of 64 bits, no key twice, 64 levels.

    Raises QcsError that begins with `what` and the path if the file is missing, not a regular file (a FIFO, a device,
    a directory), larger than `max_bytes`, or not such JSON.
    """
    return parse_json(read_bounded(path, what, max_bytes), f"{what} '{path}'")


def read_bounded(path: Path, what: str, max_bytes: int) -> bytes:
    """Return the content of a regular file of at most `max_bytes`. Raises QcsError as `read_json` does."""
    try:
        # Opened without waiting: a FIFO that nobody writes to would hold the run for ever.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        raise QcsError(f"{what} '{path}' does not exist") from None
    except (OSError, ValueError) as error:
        raise QcsError(f"{what} '{path}' cannot be read: {_reason(error)}") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise QcsError(f"{what} '{path}' is not a regular file")
    try:
        with os.fdopen(descriptor, "rb") as file:
            content = file.read(max_bytes + 1)
    except OSError as error:
        raise QcsError(f"{what} '{path}' cannot be read: {_reason(error)}") from None
    if len(content) > max_bytes:
        raise QcsError(f"{what} '{path}' is larger than {max_bytes:,} bytes")
    return content


def why_invalid(error: ValidationError) -> str:
    """Return in one line what pydantic found first: the key, and which rule it breaks."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    key = ".".join(str(part)[:40] for part in first["loc"][:8])
    known = {"missing": "is missing", "extra_forbidden": "is no key of this version"}
    reason = " ".join(known.get(first["type"], first["msg"].removeprefix("Value error, ")).split())[:160]
    return f"{ascii(key)[1:-1]}: {reason}" if key else reason


def parse_json(content: bytes, where: str) -> Any:
    """Return the value of a JSON text, as `read_json` does. Raises QcsError that begins with `where`.

    >>> parse_json(b'{"a": [1, 2.5]}', "x")
    {'a': [1, 2.5]}
    """
    try:
        value = json.loads(
            content.decode("utf-8"), parse_constant=_refuse, parse_int=_integer, parse_float=_finite,
            object_pairs_hook=_unique,
        )  # fmt: skip
    except RecursionError:
        raise QcsError(f"{where} is not valid JSON: nested too deeply") from None
    except ValueError as error:  # JSONDecodeError and UnicodeDecodeError are ValueErrors
        raise QcsError(f"{where} is not valid JSON: {_reason(error)}") from None
    _check_tree(value, where)
    return value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a JSON number")


def _integer(text: str) -> int:
    if len(text) > len(str(-_MAX_INTEGER)) or abs(int(text)) > _MAX_INTEGER:
        raise ValueError(f"{text[:20]} … is no integer of 64 bits")
    return int(text)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]} is not a finite number")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"key {next(k for k in keys if keys.count(k) > 1)[:40]!a} stands twice")
    return found


def _check_tree(value: Any, where: str) -> None:
    """Raise QcsError if lists and objects stand too deep in each other, or a text is none (half a surrogate pair)."""
    layer = [value]
    for _ in range(_MAX_DEPTH):
        texts = [node for node in layer if isinstance(node, str)]
        layer = [child for node in layer for child in _children(node)]
        try:
            "".join(texts).encode("utf-8")
        except UnicodeEncodeError:
            raise QcsError(f"{where} is not valid JSON: a text holds half a surrogate pair") from None
        if not layer:
            return
    raise QcsError(f"{where} is not valid JSON: nested too deeply")


def _children(node: Any) -> list[Any]:
    if isinstance(node, dict):
        return [*node, *node.values()]
    return node if isinstance(node, list) else []


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return (error.strerror or str(error)).lower()
    return " ".join(str(error).split())[:160]
