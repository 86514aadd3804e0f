"""From answers to figures: comparison with the reference, NMSE, ticks, round trips (schema: docs/hil.md)."""

import contextlib
import threading
from collections import Counter
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qcskit.codec.errors import QcsError
from qcskit.codec.interface import Array, Codec, Packets, Raw
from qcskit.codec.metrics import Clipped, decibels
from qcskit.codec.stream import DecodeConfig, decode_packets
from qcskit.firmware.protocol.messages import Info
from qcskit.hil.config import HilConfig
from qcskit.hil.distribution import QUANTILES, Distribution
from qcskit.hil.fidelity import MOST_DISTINCT, RunningFidelity
from qcskit.hil.stream import Vectors
from qcskit.hil.vectors import VectorSet

SCHEMA_VERSION = 4
NOT_MEASURED = "not measured"
OFF_DESIGN = "flagged as off the codec's design"
"""What `guarded` is called where people read it."""
MAX_SEGMENTS = 500
_MIN_SEGMENT = 100
_LISTED_MISMATCHES = 100
_GO_ON = DecodeConfig.model_validate({"on_damage": "nan"})
"""Rows of NaN where a packet is flagged, or none that an encoder gives."""
_COMPARING = threading.Lock()
"""Boards of a fleet share the codec, and a decoder's interpreter serves one at a time."""


class Score:
    """Comparison of answers with the reference, segment by segment; memory does not grow with the vectors."""

    def __init__(self, vectors: VectorSet) -> None:
        self._vectors, self._codec = vectors, vectors.codec
        self.segment_vectors = max(_MIN_SEGMENT, -(-vectors.count // MAX_SEGMENTS))
        self.frames = self.mismatches = 0
        self.guarded: int | None = None
        """Source vectors that the board's encoder marked as off its design; None: the codec marks nothing."""
        self.lengths = Distribution()
        self._clipped: Clipped | None = None
        self._saturated = 0
        self._close = RunningFidelity(self._codec.bundle.manifest.signal.offset)
        self._device_error = self._deployed_error = 0.0
        self._perfect = self._flagged = self._undecodable = 0
        self._first: list[dict[str, Any]] = []
        self._wrong_outputs: Counter[int] = Counter()
        self._segments: list[list[int]] = []
        self._segment_nmse: list[float | None] = []

    def add(self, start: int, got: Packets) -> None:
        """Compare one segment: what came back for vectors start … start + len(got) − 1."""
        values, x = self._vectors.part(start, start + len(got))
        self.frames += len(got) * self._codec.windows
        self._note_clipped(values)
        self.lengths.add(got.lengths)
        with _COMPARING:
            expected = self._vectors.expected(values)
            wrong = np.flatnonzero(got.differ(expected))
            for number in wrong.tolist():
                self._note_mismatch(start + number, expected[number], got[number])
            self._note_guarded(got, expected, wrong)
            if self._codec.decodes and x is not None:
                self._note_error(x, got, expected, wrong)
        if len(wrong):
            self.mismatches += len(wrong)
            self._note_segment(start // self.segment_vectors, len(wrong))

    def _note_clipped(self, values: Vectors) -> None:
        outside = _outside(self._codec, values)
        found = Clipped.of(len(values), outside.mean(axis=0))
        self._clipped = found if self._clipped is None else self._clipped.plus(found)
        self._saturated += int(outside.all(axis=1).sum())

    def _note_segment(self, segment: int, wrong: int) -> None:
        if not self._segments or self._segments[-1][0] != segment:
            self._segments.append([segment, 0])
        self._segments[-1][1] += wrong

    def _note_mismatch(self, vector: int, expected: Raw, got: Raw) -> None:
        places = _places(self._codec, expected, got)
        self._undecodable += places is None
        self._wrong_outputs.update(places or ())
        if len(self._first) < _LISTED_MISMATCHES:
            self._first.append({"vector": vector, "expected": expected.hex(), "got": got.hex(), "outputs": places})

    def _note_guarded(self, got: Packets, expected: Packets, wrong: NDArray[np.intp]) -> None:
        marks = self._codec.guarded(expected)
        if marks is None:
            return
        right = np.delete(marks.reshape(len(got), -1), wrong, axis=0)
        self.guarded = (self.guarded or 0) + int(right.sum())
        for number in wrong.tolist():
            with contextlib.suppress(QcsError):  # nothing is marked in a packet that no encoder gives
                others = self._codec.guarded(Packets.of([got[number]]))
                self.guarded += 0 if others is None else int(others.sum())

    def _note_error(self, x: Array, got: Packets, expected: Packets, wrong: NDArray[np.intp]) -> None:
        deployed = self._codec.decode(expected)
        x_hat = deployed.copy()
        if len(wrong):
            damaged = np.concatenate(list(decode_packets(self._codec, [got.select(wrong)], _GO_ON)))
            x_hat.reshape(len(got), -1)[wrong] = damaged.reshape(len(wrong), -1)
        self._flagged += int(np.isnan(x_hat).any(axis=1).sum())
        self._perfect += int((x_hat == x).all(axis=1).sum())
        error, energy = self._close.add(x, x_hat)
        self._device_error += error
        self._deployed_error += float(self._close.squared_error(x, deployed).sum())
        self._segment_nmse.append(_rounded(decibels(error, energy)))

    def saturated(self) -> float:
        """Return the share of vectors of which every count is clipped, 0 … 1: they prove little."""
        return self._saturated / self._clipped.vectors if self._clipped else 0.0

    def clipped_facts(self) -> dict[str, Any] | str:
        """Return the share of counts that were clipped, in all and of each input."""
        return self._clipped.model_dump() if self._clipped else NOT_MEASURED

    def mismatch_facts(self) -> dict[str, Any]:
        """Return counts, the first mismatches in full, and where they lie."""
        return {
            "count": self.mismatches,
            "first": self._first,
            "per_output": [self._wrong_outputs[place] for place in range(max(self._wrong_outputs, default=-1) + 1)],
            "undecodable": self._undecodable,
            "segment_vectors": self.segment_vectors,
            "segments": self._segments,
        }

    def nmse_facts(self) -> dict[str, Any]:
        """Return NMSE of the board's packets and of the reference's, in dB, on the same vectors; further figures.

        Not measured without a decoder, and where the sources of the vectors are not known.
        """
        facts, measured = self._codec.bundle.manifest.nmse, self._codec.decodes and self._vectors.x_known
        return {
            "frames": self.frames,
            "device_db": _rounded(self._close.nmse_db(self._device_error)) if measured else NOT_MEASURED,
            "deployed_db": _rounded(self._close.nmse_db(self._deployed_error)) if measured else NOT_MEASURED,
            "float_db": NOT_MEASURED if facts.float_db is None else facts.float_db,
            "float_frames": facts.frames,
            "segment_vectors": self.segment_vectors,
            "per_segment_db": self._segment_nmse,
            "fidelity": self._close.figures().model_dump() if measured else NOT_MEASURED,
        }

    def recovery_facts(self) -> dict[str, Any] | str:
        """Return how many source vectors came back exactly, flagged or wrong; of an exact codec only."""
        if not (self._codec.exact and self._codec.decodes and self._vectors.x_known):
            return NOT_MEASURED
        return {
            "frames": self.frames,
            "perfect": self._perfect,
            "flagged": self._flagged,
            "wrong": self.frames - self._perfect - self._flagged,
            "probability": self._perfect / self.frames if self.frames else None,
        }

    def packet_bits(self) -> float:
        """Return the bits of a packet on the radio: those that the rate counts, or the bytes that there were."""
        codec, sent = self._codec, self.lengths.summary()
        return codec.rate_bits * codec.width * codec.windows if codec.fixed_size or not sent else 8.0 * sent["mean"]


def _outside(codec: Codec, values: Vectors) -> NDArray[np.bool_]:
    """Return which values (vectors, inputs), as they were sent, are clipped."""
    if values.dtype == np.int16:
        return codec.clipped(values.astype(np.int16, copy=False))
    return np.asarray((values == -128) | (values == 127))


def _places(codec: Codec, expected: Raw, got: Raw) -> list[int] | None:
    """Return which of the numbers that a packet stands for are wrong; None if no encoder gives it."""
    try:
        pairs = zip_longest(codec.explain(expected), codec.explain(got))
    except QcsError:
        return None
    return [place for place, (ours, theirs) in enumerate(pairs) if ours != theirs]


def _rounded(decibels: float | None) -> float | None:
    return None if decibels is None else round(decibels, 6)


def of_guard(entry: dict[str, Any]) -> str:
    """Return how many of a board's source vectors its encoder marked, in words; "" if the codec marks nothing."""
    found, of = entry.get("guarded"), entry["nmse"]["frames"]
    return "" if found is None else f"{found:,} of {of:,} vectors, sent coarsely"


def of_windows(entry: dict[str, Any]) -> str:
    """Return of how many different windows a board's vectors are, if they are fewer; else nothing."""
    found = entry["nmse"]["fidelity"]
    if isinstance(found, str) or found["distinct"] >= min(entry["nmse"]["frames"], MOST_DISTINCT):
        return ""
    return f", drawn from {found['distinct']:,} windows"


def microseconds(seconds: ArrayLike) -> dict[str, Any] | str:
    """Return the distribution of times, in µs."""
    distribution = Distribution()
    distribution.add(np.asarray(seconds) * 1e6)
    return distribution.summary() or NOT_MEASURED


def tick_facts(info: Info, ticks: Distribution) -> dict[str, dict[str, Any] | str]:
    """Return `ticks` per encode, with unit and Hz, and `device_time_us`, the same in µs.

    "not measured" where the port has no tick source, its rate is not known, or an encode took no cycle at all: zeros
    stand for answers without a measurement, and no figure over them means anything.
    """
    summary, hz = ticks.summary(), info.tick_hz or None
    counts_steps = info.tick_source in ("cycles", "instructions")
    if summary is None or info.tick_source == "none" or (counts_steps and summary["min"] == 0):
        return {"ticks": NOT_MEASURED, "device_time_us": NOT_MEASURED}
    figures = ("min", "mean", *QUANTILES, "max")
    time_us = {name: round(summary[name] * 1e6 / hz, 3) for name in figures} if hz else NOT_MEASURED
    return {"ticks": {"unit": info.tick_source, "hz": hz, **summary}, "device_time_us": time_us}


def energy_facts(config: HilConfig, ticks: dict[str, Any] | str, packet_bits: float) -> dict[str, Any] | str:
    """Return the estimate in µJ per packet from the user's own factors; "not measured" without them."""
    compute: float | str = NOT_MEASURED
    radio: float | str = NOT_MEASURED
    if config.uj_per_kilocycle is not None and not isinstance(ticks, str):
        compute = round(config.uj_per_kilocycle * ticks["mean"] / 1000.0, 6)
    if config.nj_per_bit is not None:
        radio = round(config.nj_per_bit * packet_bits / 1000.0, 6)
    if compute == radio == NOT_MEASURED:
        return NOT_MEASURED
    factors = config.model_dump(include={"uj_per_kilocycle", "nj_per_bit"})
    return {"kind": "estimate", "encode_uj": compute, "radio_uj": radio, **factors}
