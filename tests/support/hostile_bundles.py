"""Bundles of which one file is damaged and every hash made to fit: what then may happen, and what may not."""

import itertools
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from support import hostile
from support.tflite import frames

from qcskit.codec.codecs import open_codec
from qcskit.codec.errors import QcsError
from qcskit.codec.files import manifest_checksum, sha256
from qcskit.codec.interface import Codec, Packets
from qcskit.codec.stream import DecodeConfig, decode_packets
from qcskit.export.config import ExportConfig
from qcskit.export.learned.tflite_model import export_tflite
from qcskit.firmware_sim.vectors import corners

SLOW_S = 10.0
_FEW = ExportConfig(golden_frames=8, test_windows=20)


@dataclass(frozen=True)
class Result:
    """What a bundle is worth: its packets for golden counts, its C text, what its decoder makes of golden packets."""

    packets: bytes
    c_text: tuple[tuple[str, str], ...]
    x_hat: Any

    def same(self, other: "Result") -> bool:
        """Tell whether nothing that counts differs."""
        close = self.x_hat.shape == other.x_hat.shape and np.allclose(
            self.x_hat, other.x_hat, rtol=0, atol=2e-3 * max(1.0, np.abs(np.nan_to_num(other.x_hat)).max(initial=0)),
            equal_nan=True,
        )  # fmt: skip
        return close and (self.packets, self.c_text) == (other.packets, other.c_text)


def worth(path: Path, packets: Packets | None = None) -> Result:
    """Return what every verb would do with a bundle, in this process. packets: decoded; default its golden ones."""
    codec = open_codec(path)
    text = tuple(sorted(codec.checked_c_files().items()))
    for rows in (codec.describe(), codec.cost(), codec.curves()):
        json.dumps(rows)
    counts = codec.bundle.vectors["counts"][:8]
    answer, stored = codec.encode_counts(counts), golden(codec).select(slice(len(counts)))
    for oracle in codec.oracles():
        if oracle.role == "oracle" and oracle.encode(counts).differ(answer).any():
            raise QcsError("the definition differs")
    if answer.differ(stored).any():
        raise QcsError("a golden packet differs")
    blocks = decode_packets(codec, [packets or golden(codec)], DecodeConfig()) if codec.decodes else ()
    return Result(answer.bytes.tobytes(), text, np.concatenate([np.zeros((0, codec.width)), *blocks]))


def golden(codec: Codec) -> Packets:
    """Return the golden packets of a codec."""
    return Packets(codec.bundle.vectors["packed"], codec.bundle.vectors["packed_offsets"])


def mutants(path: Path, name: str, seed: int, count: int) -> Iterator[tuple[str, bytes]]:
    """Yield `count` mutants of one file of a bundle."""
    content = (path / name).read_bytes()
    if name == "manifest.json":
        yield from hostile.json_mutants(json.loads(content), seed, count, _seal)
    elif name.endswith(".npz"):
        kinds = (hostile.npz_mutants(content, seed, count), hostile.byte_mutants(content, seed, count))
        yield from itertools.islice(_in_turn(kinds, (4, 1)), count)
    elif name.endswith(".tflite"):
        yield from tflite_mutants(content, seed, count)
    else:
        yield from hostile.byte_mutants(content, seed, count)


def tflite_mutants(content: bytes, seed: int, count: int) -> Iterator[tuple[str, bytes]]:
    """Yield `count` mutants of a flatbuffer."""
    kinds = (hostile.word_mutants(content, seed, count), hostile.byte_mutants(content, seed, count))
    yield from itertools.islice(_in_turn(kinds, (3, 1)), count)


def export_mutant(content: bytes) -> str:
    """Export a damaged file of tests/data/tflite; return how that ended: refused, or same: it computes what TFLM does.

    Raises AssertionError if it computes something else, or an error has two lines; and whatever the kit lets through.
    """
    refusal = ""
    with TemporaryDirectory() as folder:
        try:
            codec = export_tflite(content, frames(20), out=Path(folder) / "b", levels=5, config=_FEW)
            inputs = np.concatenate(
                [codec.bundle.vectors["input"], corners(codec.inputs, 20, np.random.default_rng(0), np.int8)]
            )
            own = codec.encode_inputs(inputs)
            wrong = [o.name for o in codec.oracles() if o.role == "oracle" and o.encode(inputs).differ(own).any()]
            assert not wrong, f"{wrong} differ"
        except QcsError as error:
            refusal = str(error)
    assert "\n" not in refusal, f"several lines: {refusal}"
    return "refused" if refusal else "same"


def attempt(path: Path, name: str, content: bytes, expected: Result, packets: Packets) -> str:
    """Put a mutant in its place, hashes made to fit, and use the bundle; return how that ended: refused, or same.

    Anything else is raised: AssertionError if the result is another one, an error of two lines or one that came late;
    and whatever the kit lets through.
    """
    before = {file: (path / file).read_bytes() for file in ("manifest.json", name)}
    manifest = json.loads(before["manifest.json"])
    start = time.monotonic()
    refusal, found = "", expected
    try:
        (path / name).write_bytes(content)
        if name != "manifest.json":
            manifest["files"][name] = sha256(content)
            _seal(manifest)
            (path / "manifest.json").write_text(json.dumps(manifest))
        found = worth(path, packets)
    except QcsError as error:
        refusal = str(error)
    finally:
        for file, own in before.items():
            (path / file).write_bytes(own)
    assert "\n" not in refusal, f"several lines: {refusal}"
    assert time.monotonic() - start < SLOW_S, "slow"
    assert found.same(expected), "another result"
    return "refused" if refusal else "same"


def _seal(manifest: Any) -> None:
    manifest["checksum"] = manifest_checksum(manifest)


def _in_turn(sources: tuple[Iterator[Any], ...], times: tuple[int, ...]) -> Iterator[Any]:
    while True:
        for source, each in zip(sources, times, strict=True):
            for _ in range(each):
                yield next(source)
