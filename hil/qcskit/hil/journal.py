"""Results as they arrive, on disk: an append-only file from which a broken run resumes.

One JSON line that says what run this is, then records, each with its own CRC-32; a record cut short by a crash is
dropped. Every vector is taken once, whatever the file holds.
"""

import json
import struct
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.errors import QcsError
from qcskit.hil.stream import Answer

_RECORD = struct.Struct("<IHBfI")  # start, count, has ticks, seconds, attempts
_FLUSH_S = 0.2


class Recorder:
    """Answers of one run, in memory: packed (N, packed_bytes), ticks (N,), answered (N,); refuses a second answer.

    seconds, attempts: one entry per answered frame.
    """

    def __init__(self, count: int, packed_bytes: int) -> None:
        self.packed = np.zeros((count, packed_bytes), np.uint8)
        self.ticks: NDArray[np.uint32] = np.zeros(count, np.uint32)
        self.has_ticks = False
        self.answered = np.zeros(count, bool)
        self.seconds: list[float] = []
        self.attempts: list[int] = []

    def take(self, answer: Answer) -> None:
        """Store one answer. Raises QcsError if any of its vectors was answered before."""
        stretch = slice(answer.start, answer.start + len(answer.packed))
        if self.answered[stretch].any() or answer.start + len(answer.packed) > len(self.answered):
            raise QcsError(
                f"vectors {stretch.start} … {stretch.stop - 1} were answered twice: this is a bug, report it"
            )
        self.answered[stretch] = True
        self.packed[stretch] = answer.packed
        if answer.ticks is not None:
            self.ticks[stretch] = answer.ticks
            self.has_ticks = True
        self.seconds.append(answer.seconds)
        self.attempts.append(answer.attempts)

    def missing(self) -> list[tuple[int, int]]:
        """Return the ranges (start, stop) that have no answer yet."""
        edges = np.flatnonzero(np.diff(np.concatenate([[True], self.answered, [True]]).astype(np.int8)))
        return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


class Journal:
    """The file beside the results of a run; a context manager that appends."""

    def __init__(self, path: Path, identity: dict[str, Any]) -> None:
        self.path, self._identity = path, identity
        self._flushed_s = 0.0

    def load(self, into: Recorder) -> int:
        """Read an earlier run's records into `into`; return how many vectors they answer, 0 if there is no file.

        Raises QcsError if the file belongs to a run with other settings.
        """
        if not self.path.is_file():
            return 0
        content = self.path.read_bytes()
        line, _, body = content.partition(b"\n")
        if json.loads(line or b"null") != self._identity:
            raise QcsError(f"'{self.path}' is of another run (bundle, vectors, seed, input or board differ); "
                           "delete it or leave out --resume")  # fmt: skip
        length = len(line) + 1
        for answer, end in _records(body, into.packed.shape[1]):
            into.take(answer)
            length = len(line) + 1 + end
        with self.path.open("r+b") as file:
            file.truncate(length)
        return int(into.answered.sum())

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = not self.path.is_file()
        self._file = self.path.open("ab")
        if fresh:
            self._file.write(json.dumps(self._identity).encode() + b"\n")
            self._file.flush()
        return self

    def __exit__(self, *exc: object) -> None:
        self._file.close()

    def append(self, answer: Answer) -> None:
        """Add one answer; it is on its way to disk within 0.2 s."""
        ticks = b"" if answer.ticks is None else answer.ticks.astype("<u4").tobytes()
        head = _RECORD.pack(answer.start, len(answer.packed), bool(ticks), answer.seconds, answer.attempts)
        record = head + ticks + answer.packed.tobytes()
        self._file.write(record + zlib.crc32(record).to_bytes(4, "little"))
        now = time.monotonic()
        if now - self._flushed_s > _FLUSH_S:
            self._file.flush()
            self._flushed_s = now

    def discard(self) -> None:
        """Delete the file: the results are complete."""
        self.path.unlink(missing_ok=True)


def _records(body: bytes, packed_bytes: int) -> Iterator[tuple[Answer, int]]:
    position = 0
    while position + _RECORD.size <= len(body):
        start, count, has_ticks, seconds, attempts = _RECORD.unpack_from(body, position)
        ticks_at = position + _RECORD.size
        packed_at = ticks_at + 4 * count * has_ticks
        end = packed_at + count * packed_bytes
        if end + 4 > len(body) or zlib.crc32(body[position:end]) != int.from_bytes(body[end : end + 4], "little"):
            return
        ticks = np.frombuffer(body, "<u4", count, ticks_at) if has_ticks else None
        packed = np.frombuffer(body, np.uint8, count * packed_bytes, packed_at).reshape(count, packed_bytes)
        position = end + 4
        yield Answer(start, packed, ticks, seconds, attempts), position
