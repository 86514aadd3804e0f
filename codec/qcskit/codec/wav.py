"""WAV files as they come from recorders: integers as counts, sizes that a writer never corrected.

SciPy gives 24-bit samples shifted and stops at sizes of 0, so the chunks are read here (Microsoft RIFF, WAVE format).
"""

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.errors import QcsError

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_STREAMED_BYTES = 0x7FFF0000
"""A size from here on, or 0, says that the writer did not know it: to a pipe, or broken off."""


@dataclass(frozen=True)
class _Format:
    tag: int
    channels: int
    rate_hz: int
    frame_bytes: int
    bits: int


def read_wav(path: Path) -> tuple[NDArray[np.float64], float]:
    """Return samples (frames, channels) as they stand in the file, and the rate in Hz.

    PCM of 8 bits is 0 … 255, of 16, 24 and 32 bits signed; floating point stays as it is.
    Raises QcsError for a file that is cut off or damaged, and for compressed samples.
    """
    content = path.read_bytes()
    form, data = _chunks(path, content)
    frames = np.frombuffer(data, np.uint8).reshape(-1, form.frame_bytes)
    return _samples(path, form, frames), float(form.rate_hz)


def _chunks(path: Path, content: bytes) -> tuple[_Format, bytes]:
    form, at = None, 12
    while at + 8 <= len(content):
        name, size = struct.unpack_from("<4sI", content, at)
        if name == b"data":
            if form is None:
                break
            return form, _data(path, content, at + 8, size, form)
        if name == b"fmt ":
            form = _format(path, content[at + 8 : at + 8 + size])
        at += 8 + size + size % 2
    raise QcsError(f"'{path}' is a WAV file without samples: it is cut off in its header; copy or export it again")


def _format(path: Path, fields: bytes) -> _Format:
    if len(fields) < 16:
        raise QcsError(f"'{path}' is a WAV file with a damaged header; export it again")
    tag, channels, rate_hz, _, frame_bytes, bits = struct.unpack_from("<HHIIHH", fields)
    if tag == _EXTENSIBLE and len(fields) >= 26:
        (tag,) = struct.unpack_from("<H", fields, 24)
    if tag not in (_PCM, _FLOAT) or bits not in ((8, 16, 24, 32) if tag == _PCM else (32, 64)):
        raise QcsError(f"'{path}' is a WAV file of format {tag:#x}, {bits} bits; export it as PCM or floating point")
    if channels == 0 or rate_hz == 0 or frame_bytes != channels * bits // 8:
        raise QcsError(
            f"'{path}' is a WAV file with a damaged header: {channels} channels of {bits} bits in {frame_bytes} bytes, "
            f"{rate_hz} Hz; export it again"
        )
    return _Format(tag, channels, rate_hz, frame_bytes, bits)


def _data(path: Path, content: bytes, start: int, size: int, form: _Format) -> bytes:
    there = len(content) - start
    if size == 0 or size >= _STREAMED_BYTES:
        return content[start : start + there - there % form.frame_bytes]
    if size > there or size % form.frame_bytes:
        raise QcsError(f"'{path}' is cut off: its header promises {size // form.frame_bytes:,} samples per channel, "
                       f"{there // form.frame_bytes:,} are there; copy or export it again")  # fmt: skip
    after = content[start + size + size % 2 :][:4]
    if after and not (len(after) == 4 and after.isascii() and after.decode().isprintable()):
        raise QcsError(f"'{path}': its header promises {size // form.frame_bytes:,} samples per channel, "
                       "and other bytes follow them; export it again")  # fmt: skip
    return content[start : start + size]


def _samples(path: Path, form: _Format, frames: NDArray[np.uint8]) -> NDArray[np.float64]:
    if form.tag == _FLOAT or form.bits in (8, 16, 32):
        kind = "f" if form.tag == _FLOAT else "u" if form.bits == 8 else "i"
        return frames.view(f"<{kind}{form.bits // 8}").astype(np.float64)
    low, middle, high = (frames[:, byte::3].astype(np.int32) for byte in range(3))
    return (low | middle << 8 | (high ^ 0x80) - 0x80 << 16).astype(np.float64)
