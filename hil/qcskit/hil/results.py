"""From answers to figures: comparison with the reference, NMSE, ticks, round trips (schema: docs/hil.md)."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.bundle import Bundle
from qcskit.codec.errors import QcsError
from qcskit.hil.config import HilConfig
from qcskit.hil.device import Device
from qcskit.hil.distribution import Distribution
from qcskit.hil.journal import Recorder
from qcskit.hil.vectors import VectorSet

SCHEMA_VERSION = 1
NOT_MEASURED = "not measured"
MAX_SEGMENTS = 500
_MIN_SEGMENT = 100
_LISTED_MISMATCHES = 100
Progress = Callable[[str, int, int], None]
"""progress(stage, done, total)"""


class Score:
    """Comparison of answers with the reference, segment by segment; memory does not grow with the vectors."""

    def __init__(self, vectors: VectorSet) -> None:
        self._vectors = vectors
        self.bundle = vectors.bundle
        self.segment_vectors = max(_MIN_SEGMENT, -(-vectors.count // MAX_SEGMENTS))
        self._decode = decoder_of(self.bundle)
        self._energy = 0.0
        self._device_error = self._int8_error = 0.0
        self.frames = 0
        self.mismatches = 0
        self._perfect = self._flagged = 0
        self._undecodable = 0
        self._first: list[dict[str, Any]] = []
        self._per_output = np.zeros(self.bundle.manifest.outputs, np.int64)
        self._segments: list[list[int]] = []
        self._segment_nmse: list[float | None] = []

    def add(self, start: int, got: NDArray[np.uint8]) -> None:
        """Compare one segment: packed bytes that came back for vectors start … start + len(got) − 1."""
        inputs, x = self._vectors.part(start, start + len(got))
        expected = self._vectors.expected(inputs)
        wrong = np.flatnonzero((got != expected).any(axis=1))
        self.frames += len(got)
        self._note_mismatches(start, got, expected, wrong)
        self._segment_nmse.append(self._note_error(x, got, expected, wrong))

    def _note_mismatches(
        self, start: int, got: NDArray[np.uint8], expected: NDArray[np.uint8], wrong: NDArray[np.intp]
    ) -> None:
        if not len(wrong):
            return
        self.mismatches += len(wrong)
        self._segments.append([start // self.segment_vectors, len(wrong)])
        packing = self.bundle.packing
        for row in wrong:
            try:
                self._per_output += packing.unpack(got[row : row + 1])[0] != packing.unpack(expected[row : row + 1])[0]
            except QcsError:
                self._undecodable += 1
            if len(self._first) < _LISTED_MISMATCHES:
                self._first.append(
                    {
                        "vector": int(start + row),
                        "expected": expected[row].tobytes().hex(),
                        "got": got[row].tobytes().hex(),
                    }
                )

    def _note_error(
        self, x: NDArray[np.float64], got: NDArray[np.uint8], expected: NDArray[np.uint8], wrong: NDArray[np.intp]
    ) -> float | None:
        if self._decode is None:
            return None
        reference = self._decode(expected)
        error8 = float(np.sum((x - np.nan_to_num(reference)) ** 2))
        x_hat = reference.copy()
        if len(wrong):
            try:
                x_hat[wrong] = self._decode(got[wrong])
            except QcsError:  # bytes that no indices give: an estimate of zero
                x_hat[wrong] = 0.0
        # A codec that flags vectors says so with NaN; here that is an estimate of zero.
        flagged = np.isnan(x_hat).any(axis=1)
        self._flagged += int(flagged.sum())
        self._perfect += int((x_hat == x).all(axis=1).sum())
        error = float(np.sum((x - np.nan_to_num(x_hat)) ** 2))
        energy = float(np.sum(x**2))
        self._energy += energy
        self._device_error += error
        self._int8_error += error8
        return _db(error, energy)

    def mismatch_facts(self) -> dict[str, Any]:
        """Return counts, the first mismatches in full, and where they lie."""
        return {
            "count": self.mismatches,
            "first": self._first,
            "per_output": self._per_output.tolist(),
            "undecodable": self._undecodable,
            "segment_vectors": self.segment_vectors,
            "segments": self._segments,
        }

    def nmse_facts(self) -> dict[str, Any]:
        """Return NMSE of the board's bytes and of the reference's, in dB, on the same vectors."""
        facts = self.bundle.manifest.nmse
        return {
            "frames": self.frames,
            "device_db": _db(self._device_error, self._energy) if self._decode else NOT_MEASURED,
            "int8_db": _db(self._int8_error, self._energy) if self._decode else NOT_MEASURED,
            "float_db": NOT_MEASURED if facts.float_db is None else facts.float_db,
            "float_frames": facts.frames,
            "segment_vectors": self.segment_vectors,
            "per_segment_db": self._segment_nmse if self._decode else [],
        }

    def recovery_facts(self) -> dict[str, Any] | str:
        """Return how many vectors the board's bytes give back exactly, flagged or wrong; of a coded codec only."""
        if self.bundle.manifest.coded is None:
            return NOT_MEASURED
        wrong = self.frames - self._perfect - self._flagged
        return {
            "frames": self.frames, "perfect": self._perfect, "flagged": self._flagged, "wrong": wrong,
            "probability": self._perfect / self.frames if self.frames else None,
            "snr_db": self.bundle.manifest.coded.snr_db,
        }  # fmt: skip


def _db(error: float, energy: float) -> float | None:
    return round(10.0 * float(np.log10(error / energy)), 6) if error > 0 and energy > 0 else None


def decoder_of(bundle: Bundle) -> Callable[[NDArray[np.uint8]], NDArray[np.float64]] | None:
    """Return packed → x_hat of the bundle's decoder, None if the bundle holds none."""
    if bundle.manifest.codec == "deepqcs" and "decoder.tflite" not in bundle.manifest.files:
        return None
    from qcskit.codec.decoder import load_codec

    decode: Callable[[NDArray[np.uint8]], NDArray[np.float64]] = load_codec(bundle).decode
    return decode


def score(vectors: VectorSet, recorder: Recorder, progress: Progress) -> Score:
    """Compare all answers with the reference."""
    result = Score(vectors)
    for start in range(0, vectors.count, result.segment_vectors):
        result.add(start, recorder.packed[start : start + result.segment_vectors])
        progress("compare", min(vectors.count, start + result.segment_vectors), vectors.count)
    return result


def tick_facts(device: Device, ticks: Distribution) -> dict[str, Any] | str:
    """Return the distribution of ticks per encode, with unit and Hz; "not measured" if the port has no tick source."""
    summary = ticks.summary()
    if summary is None or device.info.tick_source == "none":
        return NOT_MEASURED
    return {"unit": device.info.tick_source, "hz": device.info.tick_hz or None, **summary}


def device_time_us(ticks: dict[str, Any] | str) -> dict[str, float] | str:
    """Return the board's time per encode in µs where ticks have a known rate."""
    if isinstance(ticks, str) or not ticks["hz"]:
        return NOT_MEASURED
    return {name: round(ticks[name] * 1e6 / ticks["hz"], 3) for name in ("min", "mean", "p50", "p95", "p99", "max")}


def energy_facts(config: HilConfig, ticks: dict[str, Any] | str, packed_bits: int) -> dict[str, Any] | str:
    """Return the estimate in µJ per vector from the user's own factors; "not measured" without them."""
    compute = radio = None
    if config.uj_per_kilocycle is not None and not isinstance(ticks, str):
        compute = round(config.uj_per_kilocycle * ticks["mean"] / 1000.0, 6)
    if config.nj_per_bit is not None:
        radio = round(config.nj_per_bit * packed_bits / 1000.0, 6)
    if compute is None and radio is None:
        return NOT_MEASURED
    return {
        "kind": "estimate",
        "encode_uj": NOT_MEASURED if compute is None else compute,
        "radio_uj": NOT_MEASURED if radio is None else radio,
        "uj_per_kilocycle": config.uj_per_kilocycle,
        "nj_per_bit": config.nj_per_bit,
    }
