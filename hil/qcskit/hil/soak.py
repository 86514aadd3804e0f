"""A run without end: rounds of fresh vectors until the time is over, a rolling summary, bounded memory."""

import time
from collections.abc import Callable
from typing import Any

from qcskit.codec.bundle import Bundle
from qcskit.hil.config import HilConfig
from qcskit.hil.device import Device
from qcskit.hil.distribution import Distribution
from qcskit.hil.exchange import HostCounts
from qcskit.hil.journal import Recorder
from qcskit.hil.results import Score, device_time_us, energy_facts, tick_facts
from qcskit.hil.series import LinkSeries
from qcskit.hil.session import device_facts, link_facts, measure_round_trips, results_of
from qcskit.hil.vectors import VectorSet, vector_set

_ROUND_S = 1.0
_WINDOWS = 60
_ENDLESS = 2_000_000_000
Report = Callable[[dict[str, Any]], None]


class Soak:
    """Everything a soak run adds up; `entry()` is a board's entry of results.json at any time."""

    def __init__(self, device: Device, vectors: VectorSet, config: HilConfig, label: str, duration_s: float) -> None:
        self._device, self._vectors, self._config, self._label = device, vectors, config, label
        self.duration_s = duration_s
        self._round_trips = measure_round_trips(device, vectors)
        device.reset_counts()
        self._before = HostCounts(**device.exchange.counts.as_dict())
        self._score = Score(vectors)
        self._ticks, self._answers = Distribution(), Distribution()
        self._start_s = time.monotonic()
        self._series = LinkSeries(self._start_s)
        self._position = self._rounds = 0
        self._round_vectors = 200
        self._windows: list[dict[str, Any]] = []
        self._window_s = max(1.0, duration_s / _WINDOWS)

    @property
    def elapsed_s(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._start_s

    @property
    def answered(self) -> int:
        """Vectors answered so far."""
        return self._position

    @property
    def mismatches(self) -> int:
        """Vectors whose bytes differ from the reference's, so far."""
        return self._score.mismatches

    def round(self) -> None:
        """Run one round of about a second and add it up."""
        begin = time.monotonic()
        start, stop = self._position, self._position + self._round_vectors
        inputs, _ = self._vectors.part(start, stop)
        recorder = Recorder(stop - start, self._device.info.packed_bytes)
        for answer in self._device.stream(inputs, [(0, stop - start)]):
            recorder.take(answer)
        if recorder.has_ticks:
            self._ticks.add(recorder.ticks)
        self._answers.add([seconds * 1e6 for seconds in recorder.seconds])
        before = self._score.mismatches
        self._score.add(start, recorder.packed)
        self._position, self._rounds = stop, self._rounds + 1
        self._series.note(time.monotonic(), stop, self._device.exchange)
        self._note_window(stop - start, self._score.mismatches - before)
        taken = max(1e-3, time.monotonic() - begin)
        self._round_vectors = int(min(50_000, max(20, self._round_vectors * min(4.0, _ROUND_S / taken))))

    def _note_window(self, vectors: int, mismatches: int) -> None:
        number = int(self.elapsed_s / self._window_s)
        if not self._windows or self._windows[-1]["window"] != number:
            self._windows.append({"window": number, "t_s": round(number * self._window_s, 3), "vectors": 0,
                                  "mismatches": 0, "retries": 0, "_retries_before": self._retries()})  # fmt: skip
        window = self._windows[-1]
        window["vectors"] += vectors
        window["mismatches"] += mismatches
        window["retries"] = self._retries() - window["_retries_before"]

    def _retries(self) -> int:
        return self._device.exchange.counts.retries - self._before.retries

    def entry(self) -> dict[str, Any]:
        """Return the board's entry; asks it for its counters."""
        ticks = tick_facts(self._device, self._ticks)
        seconds = self.elapsed_s
        link = link_facts(self._device, self._before, self._device.stats())
        return {
            **device_facts(self._device, self._label),
            "vectors": self._position, "answered": self._position, "resumed": 0,
            "mismatches": self._score.mismatch_facts(),
            "nmse": {**self._score.nmse_facts(), "per_segment_db": []},
            "recovery": self._score.recovery_facts(),
            "ticks": ticks,
            "device_time_us": device_time_us(ticks),
            "energy": energy_facts(self._config, ticks, self._vectors.bundle.manifest.packed_bits),
            "round_trip_us": self._round_trips | {"answer": self._answers.summary() or "not measured"},
            "throughput": {
                "seconds": round(seconds, 3), "vectors": self._position,
                "vectors_per_s": round(self._position / seconds, 3) if seconds else None,
                "bytes_sent": self._device.link.bytes_sent, "bytes_received": self._device.link.bytes_received,
            },
            "link": link,
            "series": self._series.columns,
            "soak": {
                "seconds": round(seconds, 3), "rounds": self._rounds, "window_s": self._window_s,
                "windows": [{k: v for k, v in w.items() if not k.startswith("_")} for w in self._windows],
            },
        }  # fmt: skip


def run_soak(
    bundle: Bundle, config: HilConfig, duration_s: float, report: Report, progress: Callable[[Soak, int], None]
) -> dict[str, Any]:
    """Run rounds on one board until duration_s have passed or Ctrl-C; `report` gets results about every ten seconds.

    Raises what a lost or silent board raises; the last report stands.
    """
    port = config.port[0]
    vectors = vector_set(bundle, _ENDLESS, config.seed, config.input)
    options: dict[str, Any] = {"timeout_s": config.timeout_s, "give_up_s": config.give_up_s, "batch": config.batch}
    if not port.startswith("emu:"):
        options["reconnect_s"] = config.reconnect_s
    with Device.open(port, bundle, baud=config.baud, **options) as device:
        soak = Soak(device, vectors, config, port, duration_s)
        reported_s = 0.0
        try:
            while soak.elapsed_s < duration_s:
                soak.round()
                progress(soak, soak.mismatches)
                if soak.elapsed_s - reported_s > 10.0:
                    reported_s = soak.elapsed_s
                    report(_results(bundle, config, soak))
        except KeyboardInterrupt:  # the user has seen enough: the summary so far is the result
            device.exchange.transcript.add("!", "interrupted")
        results = _results(bundle, config, soak)
    report(results)
    return results


def _results(bundle: Bundle, config: HilConfig, soak: Soak) -> dict[str, Any]:
    return {**results_of(bundle, config, [soak.entry()]), "kind": "soak"}


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
