"""One run: a bundle's vectors through one board, every byte compared, everything measured."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qcskit.codec.bundle import Bundle
from qcskit.hil.config import HilConfig
from qcskit.hil.device import Device
from qcskit.hil.distribution import Distribution
from qcskit.hil.errors import DeviceError
from qcskit.hil.exchange import HostCounts
from qcskit.hil.journal import Journal, Recorder
from qcskit.hil.messages import Counts
from qcskit.hil.results import (
    NOT_MEASURED,
    SCHEMA_VERSION,
    Progress,
    device_time_us,
    energy_facts,
    score,
    tick_facts,
)
from qcskit.hil.series import LinkSeries
from qcskit.hil.vectors import VectorSet, vector_set

_PINGS = 30
_SINGLES = 100


def no_progress(stage: str, done: int, total: int) -> None:
    """Show nothing."""


@dataclass
class Run:
    """What one port's run needs beside the bundle."""

    port: str
    config: HilConfig
    journal_path: Path | None = None
    resume: bool = False
    progress: Progress = no_progress
    on_text: Callable[[bytes], None] | None = None
    label: str | None = None
    open_options: dict[str, Any] = field(default_factory=dict)


def run_device(bundle: Bundle, run: Run) -> dict[str, Any]:
    """Run one port and return its entry of `devices` in results.json.

    Raises QcsError (and subclasses) if the run cannot be completed; answers so far stay in the journal.
    """
    config = run.config
    run.progress("connect", 0, 1)
    with Device.open(
        run.port, bundle, baud=config.baud, timeout_s=config.timeout_s, give_up_s=config.give_up_s, batch=config.batch,
        on_text=run.on_text, **({} if run.port.startswith("emu:") else {"reconnect_s": config.reconnect_s}),
    ) as device:  # fmt: skip
        run.progress("connect", 1, 1)
        if config.fast_baud is not None:
            device.change_baud(config.fast_baud)
        return run_session(device, vector_set(bundle, config.vectors, config.seed, config.input), run)


def run_session(device: Device, vectors: VectorSet, run: Run) -> dict[str, Any]:
    """Run all vectors on an open device and return its entry of `devices`."""
    recorder = Recorder(vectors.count, device.info.packed_bytes)
    journal = None if run.journal_path is None else Journal(run.journal_path, identity(vectors, run.label or run.port))
    resumed = 0
    if journal is not None:
        if run.resume:
            resumed = journal.load(recorder)
        else:
            journal.discard()
    round_trips = measure_round_trips(device, vectors)
    device.reset_counts()
    before = HostCounts(**device.exchange.counts.as_dict())
    bytes_before = device.link.bytes_sent, device.link.bytes_received
    start = time.monotonic()
    series = _stream(device, vectors, recorder, journal, run.progress)
    seconds = time.monotonic() - start
    traffic = device.link.bytes_sent - bytes_before[0], device.link.bytes_received - bytes_before[1]
    if not recorder.answered.all():
        raise DeviceError(f"port '{run.port}': {int((~recorder.answered).sum())} vectors have no answer")
    board_counts = device.stats()
    entry = _entry(device, vectors, recorder, run, resumed)
    entry["round_trip_us"] = round_trips | {"answer": _microseconds(recorder.seconds)}
    entry["throughput"] = {
        "seconds": round(seconds, 6),
        "vectors": vectors.count - resumed,
        "vectors_per_s": round((vectors.count - resumed) / seconds, 3) if seconds > 0 else None,
        "bytes_sent": traffic[0],
        "bytes_received": traffic[1],
    }
    entry["link"] = link_facts(device, before, board_counts)
    entry["series"] = series.columns
    if journal is not None:
        entry["journal"] = str(journal.path)
    return entry


def identity(vectors: VectorSet, label: str) -> dict[str, Any]:
    """Return what must be equal for a run to be resumed."""
    return {
        "qcskit_journal": 1, "model_id": vectors.bundle.manifest.model_id, "vectors": vectors.count,
        "seed": vectors.seed, "input": vectors.kind, "board": label,
    }  # fmt: skip


def _stream(
    device: Device, vectors: VectorSet, recorder: Recorder, journal: Journal | None, progress: Progress
) -> LinkSeries:
    inputs = vectors.inputs()
    series = LinkSeries(time.monotonic())
    done = int(recorder.answered.sum())
    if journal is not None:
        journal.__enter__()
    try:
        for answer in device.stream(inputs, recorder.missing()):
            recorder.take(answer)
            if journal is not None:
                journal.append(answer)
            done += len(answer.packed)
            series.note(time.monotonic(), done, device.exchange)
            progress("run", done, vectors.count)
    finally:
        if journal is not None:
            journal.__exit__()
    return series


def measure_round_trips(device: Device, vectors: VectorSet) -> dict[str, Any]:
    """Return idle round trips in µs: ECHO of one vector's size, and ENCODE of one vector."""
    inputs, _ = vectors.part(0, min(_SINGLES, vectors.count))
    payload = bytes(inputs[:1].nbytes)
    single = []
    for row in range(len(inputs)):
        single += [a.seconds for a in device.stream(inputs, [(row, row + 1)]) if a.attempts == 1]
    return {
        "echo": _microseconds([device.echo(payload) for _ in range(_PINGS)]),
        "single": _microseconds(single),
    }


def _microseconds(seconds: list[float]) -> dict[str, Any] | str:
    distribution = Distribution()
    distribution.add([value * 1e6 for value in seconds])
    return distribution.summary() or NOT_MEASURED


def _entry(device: Device, vectors: VectorSet, recorder: Recorder, run: Run, resumed: int) -> dict[str, Any]:
    ticks = Distribution()
    if recorder.has_ticks:
        ticks.add(recorder.ticks)
    facts = tick_facts(device, ticks)
    result = score(vectors, recorder, run.progress)
    return {
        **device_facts(device, run.label),
        "vectors": vectors.count,
        "answered": int(recorder.answered.sum()),
        "resumed": resumed,
        "mismatches": result.mismatch_facts(),
        "nmse": result.nmse_facts(),
        "recovery": result.recovery_facts(),
        "ticks": facts,
        "device_time_us": device_time_us(facts),
        "energy": energy_facts(run.config, facts, vectors.bundle.manifest.packed_bits),
    }


def device_facts(device: Device, label: str | None = None) -> dict[str, Any]:
    """Return who the board is."""
    info = device.info
    return {
        "port": device.link.name,
        "label": label or device.link.name,
        "board": device.board,
        "baud": device.link.baud,
        "firmware": info.firmware_version,
        "protocol": info.protocol,
        "model_id": info.model_id,
        "tick_source": info.tick_source,
        "rx_buffer_bytes": info.rx_buffer_bytes,
        "max_batch": info.max_batch,
    }


def link_facts(device: Device, before: HostCounts, board: Counts) -> dict[str, Any]:
    """Return both ends' counts since `before`, and whether they agree.

    The board cannot have taken more frames than were sent, nor fewer than it answered; on a clean line they are equal.
    """
    exchange = device.exchange
    host = {name: value - getattr(before, name) for name, value in exchange.counts.as_dict().items()}
    clean = not (host["retries"] or board.crc_errors or board.overruns or host["reconnects"])
    restarted = board.frames < host["replies"]
    agree = board.frames == host["frames_sent"] if clean else board.frames <= host["frames_sent"]
    return {
        "host": host,
        "board": {"frames": board.frames, "crc_errors": board.crc_errors, "overruns": board.overruns,
                  "duplicates": board.duplicates},
        "agree": agree and not restarted,
        "board_restarted": restarted,
        "not_frames": exchange.parser.text_stretches,
        "log_bytes": exchange.parser.text_bytes,
        "byte_loss_estimate": max(model.byte_loss for model in device.models.values()),
        "batch": max(model.batch for model in device.models.values()),
        "repeats": 1 << max(model.repeat_exponent for model in device.models.values()),
    }  # fmt: skip


def results_of(bundle: Bundle, config: HilConfig, devices: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the whole of results.json for the entries of all boards."""
    manifest = bundle.manifest
    failed = [entry["label"] for entry in devices if entry_fails(entry, config)]
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "hil",
        "bundle": {
            "path": str(bundle.path), "name": manifest.name, "model_id": manifest.model_id, "codec": manifest.codec,
            "n": manifest.signal.n, "m": manifest.inputs, "outputs": manifest.outputs, "levels": manifest.levels,
            "packed_bytes": manifest.packed_bytes, "packed_bits": manifest.packed_bits, "rate_bits": manifest.rate_bits,
        },
        "settings": config.model_dump() | ({"input": "counts"} if bundle.counts_only else {}),
        "devices": devices,
        "verdict": {
            "ok": not failed,
            "vectors": sum(entry.get("vectors", 0) for entry in devices),
            "mismatches": sum(entry["mismatches"]["count"] for entry in devices if "mismatches" in entry),
            "failed": failed,
        },
    }  # fmt: skip


def entry_fails(entry: dict[str, Any], config: HilConfig) -> bool:
    """Return whether a board's entry is a failure: an error, a mismatch, or NMSE off the reference's."""
    if "error" in entry or entry["mismatches"]["count"]:
        return True
    device_db, int8_db = entry["nmse"]["device_db"], entry["nmse"]["int8_db"]
    if isinstance(device_db, float) and isinstance(int8_db, float):
        return abs(device_db - int8_db) > config.nmse_tolerance_db
    return False
