"""One run: a bundle's vectors through one board, every packet compared, everything measured."""

import contextlib
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from qcskit.codec.interface import Codec
from qcskit.codec.own_data import OwnData
from qcskit.hil.config import HilConfig
from qcskit.hil.device import Device
from qcskit.hil.distribution import Distribution, LinkSeries
from qcskit.hil.evidence import image_parts, results_evidence, run_evidence
from qcskit.hil.exchange import OnText
from qcskit.hil.journal import Journal, Recorder
from qcskit.hil.results import NOT_MEASURED, SCHEMA_VERSION, Score, energy_facts, microseconds, tick_facts
from qcskit.hil.vectors import VectorSet

_PINGS = 30
_SINGLES = 100
_STRETCH_VECTORS = 32_768
"""How many answers are kept before they are compared, at least; the line rests meanwhile."""
Progress = Callable[[str, int, int], None]
"""progress(stage, done, total)"""


@dataclass
class Run:
    """What one port's run needs beside the codec. data: the user's own counts."""

    port: str
    config: HilConfig
    journal_path: Path | None = None
    resume: bool = False
    progress: Progress = lambda stage, done, total: None
    on_text: OnText = None
    label: str | None = None
    data: OwnData | None = None


def open_device(codec: Codec, port: str, config: HilConfig, on_text: OnText = None) -> Device:
    """Open a port the way the configuration says. Raises LinkError, WrongDeviceError, SilentError."""
    options = config.model_dump(include={"baud", "timeout_s", "give_up_s", "reconnect_s", "batch"})
    return Device.open(port, codec, on_text=on_text, **options)


def run_device(codec: Codec, run: Run) -> dict[str, Any]:
    """Run one port and return its entry of `devices` in results.json.

    Raises QcsError (and subclasses) if the run cannot be completed; answers so far stay in the journal.
    """
    vectors = VectorSet(codec, run.config.vectors, run.config.seed, run.config.input, run.data)
    run.progress("connect", 0, 1)
    with open_device(codec, run.port, run.config, run.on_text) as device:
        run.progress("connect", 1, 1)
        if run.config.fast_baud is not None:
            device.change_baud(run.config.fast_baud)
        return run_session(device, vectors, run)


def run_session(device: Device, vectors: VectorSet, run: Run) -> dict[str, Any]:
    """Run all vectors on an open device and return its entry of `devices`.

    Answers are compared stretch by stretch; only a run that goes on holds those of an earlier one.
    """
    label, room = run.label or run.port, device.info.packed_bytes_max
    evidence = run_evidence(vectors, label, image_parts(device))
    journal = None if run.journal_path is None else Journal(run.journal_path, evidence)
    earlier = Recorder(vectors.count if journal and run.resume else 0, room)
    resumed = journal.load(earlier) if journal and run.resume else 0
    if journal and not run.resume:
        journal.discard()
    with journal or contextlib.nullcontext():
        measured, seconds = Measurement(device, vectors, run.config, label, resumed), 0.0
        measured.add_times(earlier.seconds)
        for first in range(0, vectors.count, measured.stretch_vectors):
            stop = min(vectors.count, first + measured.stretch_vectors)
            recorder = earlier.part(first, stop) if resumed else Recorder(stop - first, room)
            values, start_s = vectors.values(first, stop), time.monotonic()
            for answer in device.stream(values, recorder.missing()):
                recorder.take(answer)
                if journal is not None:
                    journal.append(replace(answer, start=first + answer.start))
                measured.note_answered(answer.stop - answer.start)
                run.progress("run", measured.answered, vectors.count)
            seconds += time.monotonic() - start_s
            measured.add(recorder, first, run.progress)
        return measured.entry(seconds)


class Measurement:
    """What a run on an open device adds up; memory does not grow with the vectors."""

    def __init__(self, device: Device, vectors: VectorSet, config: HilConfig, label: str, resumed: int = 0) -> None:
        self.device, self.vectors, self.answered = device, vectors, resumed
        self.config, self._label, self._resumed = config, label, resumed
        self._round_trips = measure_round_trips(device, vectors)
        device.reset_counts()
        self.score = Score(vectors)
        segment = self.score.segment_vectors
        self.stretch_vectors = segment * -(-_STRETCH_VECTORS // segment)
        """How many vectors are run before they are compared: whole segments."""
        self._ticks, self._answer_us = Distribution(), Distribution()
        self._start_s = time.monotonic()
        self._series = LinkSeries(self._start_s)

    @property
    def elapsed_s(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._start_s

    def note_answered(self, vectors: int) -> None:
        """Take the number of vectors that were just answered."""
        self.answered += vectors
        exchange = self.device.exchange
        self._series.note(time.monotonic(), self.answered, exchange.counts.retries, exchange.parser.text_stretches)

    def add_times(self, seconds: list[float]) -> None:
        """Add up the times to answer, of one frame each."""
        self._answer_us.add(np.asarray(seconds) * 1e6)

    def add(self, recorder: Recorder, first: int, progress: Progress | None = None) -> None:
        """Add up the answers to vectors first, first + 1, … and compare them with the reference."""
        self._ticks.add(recorder.ticks)
        self.add_times(recorder.seconds)
        count = len(recorder.answered)
        for start in range(0, count, self.score.segment_vectors):
            stop = min(count, start + self.score.segment_vectors)
            self.score.add(first + start, recorder.packets(start, stop))
            if progress is not None:
                progress("compare", first + stop, self.vectors.count)

    def entry(self, seconds: float) -> dict[str, Any]:
        """Return the board's entry of `devices` after `seconds` of streaming; asks it for its counters."""
        link, info, score, done = self.device.link, self.device.info, self.score, self.answered - self._resumed
        ticks = tick_facts(info, self._ticks)
        return {
            "port": link.name, "label": self._label, "board": self.device.board, "baud": link.baud,
            "firmware": info.firmware_version, "protocol": info.protocol, "model_id": info.model_id,
            "tick_source": info.tick_source, "rx_buffer_bytes": info.rx_buffer_bytes, "max_batch": info.max_batch,
            "evidence": run_evidence(self.vectors, self._label, image_parts(self.device)).model_dump(),
            "vectors": self.answered, "answered": self.answered, "resumed": self._resumed,
            "saturated": round(score.saturated(), 6), "clipped": score.clipped_facts(),
            "guarded": score.guarded,
            "mismatches": score.mismatch_facts(),
            "nmse": score.nmse_facts(),
            "recovery": score.recovery_facts(),
            "packet_bytes": score.lengths.summary() or NOT_MEASURED,
            **ticks,
            "energy": energy_facts(self.config, ticks["ticks"], score.packet_bits()),
            "round_trip_us": self._round_trips | {"answer": self._answer_us.summary() or NOT_MEASURED},
            "throughput": {
                "seconds": round(seconds, 6),
                "vectors": done,
                "vectors_per_s": round(done / seconds, 3) if seconds > 0 else None,
                "bytes_sent": link.bytes_sent,
                "bytes_received": link.bytes_received,
            },
            "link": self._link_facts(),
            "series": self._series.columns,
        }  # fmt: skip

    def _link_facts(self) -> dict[str, Any]:
        """Return both ends' counts, and whether they agree.

        The board cannot have taken more frames than were sent, nor fewer than it answered; on a clean line both agree.
        """
        board, exchange, models = self.device.stats(), self.device.exchange, self.device.models.values()
        host, parser = exchange.counts, exchange.parser
        clean = not (host.retries or board.crc_errors or board.overruns or host.reconnects)
        restarted = board.frames < host.replies
        agree = board.frames == host.frames_sent if clean else board.frames <= host.frames_sent
        return {
            "host": asdict(host),
            "board": asdict(board),
            "agree": agree and not restarted,
            "board_restarted": restarted,
            "not_frames": parser.text_stretches,
            "log_bytes": parser.text_bytes,
            "byte_loss_estimate": max(model.byte_loss for model in models),
            "batch": max(model.batch for model in models),
            "repeats": 1 << max(model.repeat_exponent for model in models),
        }


def measure_round_trips(device: Device, vectors: VectorSet) -> dict[str, Any]:
    """Return idle round trips in µs: ECHO of one vector's size, and ENCODE of one vector."""
    values, _ = vectors.part(0, min(_SINGLES, vectors.count))
    answers = [answer for row in range(len(values)) for answer in device.stream(values, [(row, row + 1)])]
    single = [answer.seconds for answer in answers if answer.attempts == 1]
    payload = bytes(values[:1].nbytes)
    return {"echo": microseconds([device.echo(payload) for _ in range(_PINGS)]), "single": microseconds(single)}


def results_of(
    codec: Codec, config: HilConfig, devices: list[dict[str, Any]], kind: str = "hil", data: OwnData | None = None
) -> dict[str, Any]:
    """Return the whole of results.json for the entries of all boards. kind: hil or soak. data: the user's own."""
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": kind,
        "bundle": {
            "path": str(codec.bundle.path), "name": codec.name, "model_id": codec.bundle.manifest.model_id,
            "codec": codec.kind, "n": codec.width, "inputs": codec.inputs, "windows": codec.windows,
            "packed_bytes_max": codec.packed_bytes_max, "rate_bits": codec.rate_bits,
            "unit": codec.bundle.manifest.adc.unit, "source_windows": codec.source_windows,
        },
        "data": data and data.facts.model_dump(),
        "evidence": results_evidence(codec, config).model_dump(),
        "settings": config.model_dump(),
        "devices": devices,
        "verdict": verdict_of(devices, config),
    }  # fmt: skip


def verdict_of(devices: list[dict[str, Any]], config: HilConfig) -> dict[str, Any]:
    """Return `verdict` of results.json: all boards in short."""
    failed = [entry["label"] for entry in devices if failures(entry, config)]
    return {
        "ok": not failed,
        "vectors": sum(entry.get("vectors", 0) for entry in devices),
        "mismatches": sum(entry["mismatches"]["count"] for entry in devices if "mismatches" in entry),
        "failed": failed,
    }


def failures(entry: dict[str, Any], config: HilConfig) -> list[str]:
    """Return in words why a board's entry is a failure; empty if it is none.

    An error, a mismatch, NMSE off the reference's, counters that contradict each other, or vectors that prove nothing.
    """
    if "error" in entry:
        return [entry["error"]]
    wrong, link = entry["mismatches"]["count"], entry["link"]
    device_db, deployed_db = entry["nmse"]["device_db"], entry["nmse"]["deployed_db"]
    off = device_db != deployed_db  # one of them null: without any error, the other with some
    if isinstance(device_db, float) and isinstance(deployed_db, float):
        off = abs(device_db - deployed_db) > config.nmse_tolerance_db
    found = {
        f"{wrong:,} of {entry['vectors']:,} vectors differ from the reference": wrong > 0,
        f"NMSE is {device_db} dB, the reference's {deployed_db} dB": off,
        f"the board counted {link['board']['frames']:,} frames, the host sent {link['host']['frames_sent']:,}":
            not (link["agree"] or link["board_restarted"]),
        "every vector is saturated, so equal answers prove nothing; check the ADC's scale":
            entry["vectors"] > 0 and entry["saturated"] == 1,
    }  # fmt: skip
    return [what for what, holds in found.items() if holds]
