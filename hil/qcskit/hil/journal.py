"""Results as they arrive, on disk: an append-only file from which a broken run resumes.

One JSON line that says what run this is, then records, each with its own CRC-32; a record cut short by a crash is
dropped. Every vector is taken once, whatever the file holds.
"""

import json
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from qcskit.codec.errors import QcsError
from qcskit.codec.evidence import Evidence, check_same
from qcskit.codec.files import check_file, refusing, remove_file
from qcskit.codec.interface import Packets
from qcskit.codec.json_file import parse_json, read_bounded
from qcskit.firmware.protocol.messages import Answers
from qcskit.hil.stream import Answer

FORMAT = 3
_RECORD = struct.Struct("<IHfI")  # start, count, seconds, attempts; then packets, CRC-32
_CRC_BYTES = 4
_HEAD_BYTES = 1 << 20
_LONGEST_S = 1e9
_TODO = "delete it or leave out --resume"


class Recorder:
    """Answers of one run, in memory: packets, ticks (count,), answered (count,); refuses a second answer.

    seconds: one entry per answered frame.
    """

    def __init__(self, count: int, packed_bytes_max: int) -> None:
        self.rows = np.zeros((count, packed_bytes_max), np.uint8)
        self.lengths = np.zeros(count, np.uint16)
        self.ticks: NDArray[np.uint32] = np.zeros(count, np.uint32)
        self.answered = np.zeros(count, bool)
        self.seconds: list[float] = []

    def take(self, answer: Answer) -> None:
        """Store one answer. Raises QcsError if any of its vectors was answered before."""
        stretch = slice(answer.start, answer.stop)
        if self.answered[stretch].any() or answer.stop > len(self.answered):
            raise QcsError(f"vectors {answer.start} … {answer.stop - 1} were answered twice: this is a bug, report it")
        self.answered[stretch] = True
        self.rows[stretch], self.lengths[stretch], self.ticks[stretch] = answer.result
        self.seconds.append(answer.seconds)

    def packets(self, start: int = 0, stop: int | None = None) -> Packets:
        """Return the packets of vectors start … stop − 1; those without an answer are empty."""
        return Packets.rows(self.rows[start:stop], self.lengths[start:stop])

    def part(self, start: int, stop: int) -> "Recorder":
        """Return a recorder of vectors start … stop − 1 alone, numbered from 0, that shares their memory."""
        part, stretch = Recorder(0, self.rows.shape[1]), slice(start, stop)
        part.rows, part.lengths, part.ticks = self.rows[stretch], self.lengths[stretch], self.ticks[stretch]
        part.answered = self.answered[stretch]
        return part

    def missing(self) -> list[tuple[int, int]]:
        """Return the ranges (start, stop) that have no answer yet."""
        edges = np.flatnonzero(np.diff(np.concatenate([[True], self.answered, [True]]).astype(np.int8)))
        return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


class Journal:
    """The file beside the results of a run; a context manager that appends."""

    def __init__(self, path: Path, evidence: Evidence) -> None:
        self.path, self._evidence = path, evidence
        self._kept = 0

    def load(self, into: Recorder) -> int:
        """Read an earlier run's records into `into`; return how many vectors they answer, 0 if there is no file.

        Raises QcsError if the file is damaged or of another format, or, naming what differs, of another run.
        """
        if not os.path.lexists(self.path):
            return 0
        count, room = into.rows.shape
        most = _HEAD_BYTES + count * (_RECORD.size + _packet_type(room).itemsize + _CRC_BYTES)
        line, _, body = read_bounded(self.path, "journal", most).partition(b"\n")
        self._check_head(line)
        whole = 0
        for answer, end in _records(body, room):
            if not _possible(answer, into):
                raise self._useless("holds answers that no board gives")
            into.take(answer)
            whole = end
        os.truncate(self.path, len(line) + 1 + whole)
        self._kept = int(into.answered.sum())
        return self._kept

    def _check_head(self, line: bytes) -> None:
        try:
            head = parse_json(line, "")
            version = head["qcskit_journal"]
        except (QcsError, TypeError, KeyError):
            head = version = None
        if version != FORMAT:
            raise self._useless(f"is a journal of format {version!a:.20}, this qcskit goes on with {FORMAT} only")
        try:
            evidence = Evidence.model_validate(head.get("evidence"), strict=True)
        except ValidationError:
            raise self._useless("is damaged") from None
        check_same(evidence, self._evidence, f"journal '{self.path}'", _TODO)

    def _useless(self, why: str) -> QcsError:
        return QcsError(f"journal '{self.path}' {why}; {_TODO}")

    def __enter__(self) -> Self:
        check_file(self.path)
        with refusing(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            fresh = not self.path.is_file()
            self._file = self.path.open("ab", buffering=0)
        if fresh:
            head = {"qcskit_journal": FORMAT, "evidence": self._evidence.model_dump()}
            try:
                self._add(json.dumps(head).encode() + b"\n")
            except QcsError:
                self._file.close()
                self.discard()
                raise
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._file.close()
        if not self._kept:
            self.discard()
        if isinstance(error, Exception) and self._kept:
            error.args = (f"{error}; answers so far are kept, go on with --resume",)

    def append(self, answer: Answer) -> None:
        """Add one answer; it outlives this process, whatever ends it."""
        rows, lengths, ticks = answer.result
        packets = np.zeros(len(rows), _packet_type(rows.shape[1]))
        packets["tick"], packets["length"], packets["bytes"] = ticks, lengths, rows
        record = _RECORD.pack(answer.start, len(rows), answer.seconds, answer.attempts) + packets.tobytes()
        self._add(record + zlib.crc32(record).to_bytes(4, "little"))
        self._kept += len(rows)

    def _add(self, content: bytes) -> None:
        """Write all of it, or leave the file as it was. Raises QcsError that says why."""
        with refusing(self.path):
            before, rest = self._file.seek(0, os.SEEK_END), content
            try:
                while rest:
                    rest = rest[self._file.write(rest) :]
            except OSError:
                self._file.truncate(before)
                raise

    def discard(self) -> None:
        """Delete the file: another run's, or one whose results are complete."""
        remove_file(self.path)


def _possible(answer: Answer, into: Recorder) -> bool:
    """Tell whether a record can be an answer that was not taken yet; its CRC-32 fits, but anyone can compute that."""
    lengths, room = answer.result.lengths, into.rows.shape[1]
    return (
        0 < len(lengths) <= len(into.answered) - answer.start
        and not into.answered[answer.start : answer.stop].any()
        and bool(((lengths >= 1) & (lengths <= room)).all())
        and 0 <= answer.seconds < _LONGEST_S
    )


def _packet_type(room: int) -> np.dtype[np.void]:
    """Return the form of one packet in a record."""
    return np.dtype([("tick", "<u4"), ("length", "<u2"), ("bytes", np.uint8, (room,))])


def _records(body: bytes, packed_bytes_max: int) -> Iterator[tuple[Answer, int]]:
    """Yield each whole record and where it ends."""
    position, form = 0, _packet_type(packed_bytes_max)
    while position + _RECORD.size <= len(body):
        start, count, seconds, attempts = _RECORD.unpack_from(body, position)
        end = position + _RECORD.size + count * form.itemsize
        if body[end : end + 4] != zlib.crc32(body[position:end]).to_bytes(4, "little"):
            return
        packets = np.frombuffer(body, form, count, position + _RECORD.size)
        result = Answers(packets["bytes"], packets["length"].astype(np.int64), packets["tick"].astype(np.uint32))
        position = end + 4
        yield Answer(start, result, seconds, attempts), position
