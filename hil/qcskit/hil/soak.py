"""A run without end: rounds of drawn vectors until the time is over, a rolling summary, bounded memory."""

import time
from collections.abc import Callable
from typing import Any

from qcskit.codec.interface import Codec
from qcskit.hil.config import HilConfig
from qcskit.hil.device import Device
from qcskit.hil.journal import Recorder
from qcskit.hil.session import Measurement, open_device, results_of
from qcskit.hil.vectors import VectorSet

_ROUND_S = 1.0
_REPORT_S = 10.0
_WINDOWS = 60
_ENDLESS = 2_000_000_000
Report = Callable[[dict[str, Any]], None]


class Soak(Measurement):
    """Everything a soak run adds up, and its windows of time."""

    def __init__(self, device: Device, vectors: VectorSet, config: HilConfig, label: str, duration_s: float) -> None:
        super().__init__(device, vectors, config, label)
        self.duration_s, self._window_s = duration_s, max(1.0, duration_s / _WINDOWS)
        self._rounds, self._round_vectors = 0, 200
        self._windows: list[dict[str, Any]] = []

    def round(self) -> None:
        """Run one round of about a second and add it up."""
        begin_s, first, count = time.monotonic(), self.answered, self._round_vectors
        wrong, retries = self.score.mismatches, self.device.exchange.counts.retries
        values, _ = self.vectors.part(first, first + count)
        recorder = Recorder(count, self.device.info.packed_bytes_max)
        for answer in self.device.stream(values, [(0, count)]):
            recorder.take(answer)
        self.add(recorder, first)
        self.note_answered(count)
        self._rounds += 1
        self._note_window(count, self.score.mismatches - wrong, self.device.exchange.counts.retries - retries)
        taken_s = max(1e-3, time.monotonic() - begin_s)
        self._round_vectors = int(min(50_000, max(20, count * min(4.0, _ROUND_S / taken_s))))

    def _note_window(self, vectors: int, mismatches: int, retries: int) -> None:
        number = int(self.elapsed_s / self._window_s)
        if not self._windows or self._windows[-1]["window"] != number:
            start_s = round(number * self._window_s, 3)
            self._windows.append({"window": number, "t_s": start_s, "vectors": 0, "mismatches": 0, "retries": 0})
        for name, more in (("vectors", vectors), ("mismatches", mismatches), ("retries", retries)):
            self._windows[-1][name] += more

    def results(self) -> dict[str, Any]:
        """Return the whole of results.json so far; asks the board for its counters."""
        seconds = self.elapsed_s
        windows = {"rounds": self._rounds, "window_s": self._window_s, "windows": self._windows}
        entry = self.entry(seconds) | {"soak": {"seconds": round(seconds, 3), **windows}}
        entry["nmse"]["per_segment_db"] = []
        return results_of(self.vectors.codec, self.config, [entry], "soak")


def run_soak(
    codec: Codec, config: HilConfig, duration_s: float, report: Report, progress: Callable[[Soak, int], None]
) -> dict[str, Any]:
    """Run rounds on one board until duration_s have passed or Ctrl-C; `report` gets results about every ten seconds.

    Raises what a lost or silent board raises; the last report stands.
    """
    port = config.port[0]
    vectors = VectorSet(codec, _ENDLESS, config.seed, config.input)
    with open_device(codec, port, config) as device:
        soak, reported_s = Soak(device, vectors, config, port, duration_s), 0.0
        try:
            while soak.elapsed_s < duration_s:
                soak.round()
                progress(soak, soak.score.mismatches)
                if soak.elapsed_s - reported_s > _REPORT_S:
                    reported_s = soak.elapsed_s
                    report(soak.results())
        except KeyboardInterrupt:  # the user has seen enough: the summary so far is the result
            device.exchange.transcript.add("!", "interrupted")
        results = soak.results()
    report(results)
    return results


def parse_duration(text: str) -> float:
    """Return seconds of a duration such as 90, 90s, 10m, 2h. Raises ValueError.

    >>> parse_duration("10m"), parse_duration("1.5h"), parse_duration("20")
    (600.0, 5400.0, 20.0)
    """
    factor = {"s": 1.0, "m": 60.0, "h": 3600.0}.get(text[-1:], 0.0)
    seconds = float(text[:-1]) * factor if factor else float(text)
    if not 0 < seconds < 1e7:
        raise ValueError(f"a duration is positive, got {text}")
    return seconds
