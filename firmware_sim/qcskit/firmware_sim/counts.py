"""`simulate` for a bundle whose device takes ADC counts only (coded, scalar, tflm16): definition, integers, exported C.

A wide encoder (tflm16) meets the TFLite Micro runtime as well.

Of a coded bundle it says too how much of x its decoder gives back.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.bundle import Bundle
from qcskit.codec.decoder import load_counts_codec
from qcskit.codec.errors import QcsError
from qcskit.codec.interface import CountsCodec
from qcskit.codec.wide import WideBundleCodec, WideTables, last_accumulator, network_input
from qcskit.firmware import HostCodec, build_host_library
from qcskit.firmware_sim import tflm
from qcskit.firmware_sim.config import SimulateConfig
from qcskit.firmware_sim.vectors import edge_distance
from qcskit.firmware_sim.verdict import CountsCheck, Mismatch, RecoveryFacts, Tally, Verdict, environment

CHUNK_VECTORS = 10_000
SHARES = {"source": 0.5, "uniform": 0.3, "edges": 0.2}
"""What a chunk consists of: the bundle's source at its SNR, uniform counts, counts on threshold edges."""

_POOL_FACTOR = 8
"""Vectors drawn per one that is kept as an edge vector of a wide encoder."""

Encode = Callable[[NDArray[np.int16]], NDArray[np.uint8]]


def simulate_counts(
    bundle: Bundle, config: SimulateConfig, out: Path | None, progress: Callable[[int, int], None]
) -> Verdict:
    """Compare on config.vectors vectors beside the golden ones, stop at the first chunk with a mismatch.

    Vectors of a coded bundle are recovered too. out: verdict.json, written at the end. Raises QcsError if the exported
    C is of another model or does not compile, or if boards are asked for.
    """
    codec = load_counts_codec(bundle)
    if codec is None:
        raise QcsError(f"bundle '{bundle.path}' takes int8 network inputs")
    if config.boards:
        raise QcsError("--boards: a bundle that takes ADC counts meets boards in 'qcskit hil --port emu:BOARD'")
    subjects = implementations(bundle, codec, config)
    tallies = {name: Tally(name=name, role=subject.role) for name, subject in subjects.items()}
    sets: dict[str, int] = {}
    coded = bundle.manifest.coded
    recovery = RecoveryFacts(snr_db=coded.snr_db) if coded else None
    mismatch = None
    counts_check = check_counts(codec, subjects["c-host"].encode)
    for number in range(-1, -(-config.vectors // CHUNK_VECTORS)):
        counts, x, named = _chunk(bundle, codec, config, number)
        mismatch = _compare(subjects, tallies, counts, named, number, codec)
        if number < 0 and mismatch is None and (codec.encode_counts(counts) != bundle.vectors["packed"]).any():
            raise QcsError(f"bundle '{bundle.path}': vectors.npz does not hold what its tables give; export again")
        for name in named:
            sets[name] = sets.get(name, 0) + named[name]
        if recovery is not None:
            recovery = recovery.plus(codec.decode(codec.encode_counts(counts[: len(x)])), x)
        progress(max(0, min(config.vectors, (number + 1) * CHUNK_VECTORS)), config.vectors)
        if mismatch is not None:
            break
    verdict = Verdict(
        bundle=bundle.manifest.name, model_id=bundle.manifest.model_id, config=config,
        passed=mismatch is None and counts_check.passed, complete=True, vectors=sum(sets.values()), sets=sets,
        implementations=list(tallies.values()), counts=counts_check, first_mismatch=mismatch, recovery=recovery,
        environment=environment(),
    )  # fmt: skip
    if out:
        verdict.write(out)
    return verdict


@dataclass(frozen=True)
class Subject:
    """One way to compute a codec, counts → packed bytes. share: of the vectors that it computes."""

    role: str
    encode: Encode
    share: float = 1.0


def implementations(bundle: Bundle, codec: CountsCodec, config: SimulateConfig) -> dict[str, Subject]:
    """Return what can compute this bundle's codec here, by name; the first is the reference."""
    library = build_host_library(bundle.path / "c", compiler=config.compiler)
    host = HostCodec(library, f"qcs_codec_{bundle.manifest.name}")
    if host.model_id != bundle.manifest.model_id:
        raise QcsError(f"bundle '{bundle.path}': the C text is of model {host.model_id}, manifest.json of "
                       f"{bundle.manifest.model_id}; run 'qcskit export' again")  # fmt: skip
    found = {
        "numpy": Subject("reference", codec.encode_counts),
        "definition": Subject("must agree", lambda counts: codec.packing.pack(codec.definition(counts))),
        "c-host": Subject("must agree", host.encode),
    }
    if isinstance(codec, WideBundleCodec) and config.tflm_vectors:
        share = min(1.0, config.tflm_vectors / config.vectors)
        found["tflm"] = Subject("oracle", tflm_encode(bundle, codec), share)
    return found


def tflm_encode(bundle: Bundle, codec: WideBundleCodec) -> Encode:
    """Return the oracle of a wide encoder: its flatbuffer in the TFLite Micro runtime, then the float thresholds."""
    runtime = tflm.TflmRuntime(bundle.file("encoder.tflite").read_bytes(), np.int16)
    thresholds = bundle.manifest.thresholds
    if (runtime.inputs, runtime.outputs) != (codec.tables.inputs, codec.tables.outputs):
        raise QcsError(f"bundle '{bundle.path}': encoder.tflite has {runtime.inputs} inputs and {runtime.outputs} "
                       f"outputs, tables.npz {codec.tables.inputs} and {codec.tables.outputs}; "
                       f"run 'qcskit export' again")  # fmt: skip

    def encode(counts: NDArray[np.int16]) -> NDArray[np.uint8]:
        output = runtime.run(network_input(codec.tables, counts))
        return codec.packing.pack(tflm.index(output, runtime.output_grid, thresholds))

    return encode


def check_counts(codec: CountsCodec, encode: Encode) -> CountsCheck:
    """Compare with the definition on all 65,536 counts, and the C with NumPy with every count at every input."""
    every, m = np.arange(-32768, 32768).astype(np.int16), codec.inputs
    rows = np.repeat(every[:, None], m, axis=1)
    differs = np.flatnonzero((index_of(codec, rows) != codec.definition(rows)).any(axis=1))
    wrong = encoded = 0
    for start in range(0, 65536, 8192):
        part = (np.arange(start, start + 8192)[:, None] + np.arange(m) * max(1, 65536 // m)).astype(np.uint16)
        counts = part.view(np.int16)
        wrong += int((encode(counts) != codec.encode_counts(counts)).any(axis=1).sum())
        encoded += len(counts)
    return CountsCheck(
        counts=len(every), mismatches=len(differs), first_mismatch=int(every[differs[0]]) if len(differs) else None,
        largest_deviation=0.0, allowed_deviation=0.0, encoded_vectors=encoded, encoded_mismatches=wrong,
    )  # fmt: skip


def index_of(codec: CountsCodec, counts: NDArray[np.int16]) -> NDArray[np.uint8]:
    """Return the indices (frames, m) that the integers give for counts (frames, m)."""
    return codec.packing.unpack(codec.encode_counts(counts))


def _chunk(
    bundle: Bundle, codec: CountsCodec, config: SimulateConfig, number: int
) -> tuple[NDArray[np.int16], NDArray[np.floating[Any]], dict[str, int]]:
    """Return counts (frames, m), x of its first frames, and how many vectors each set has; −1 is the golden chunk."""
    if number < 0:
        counts = np.ascontiguousarray(bundle.vectors["counts"], np.int16)
        return counts, np.asarray(bundle.vectors["x"], np.float64), {"golden": len(counts)}
    frames = min(CHUNK_VECTORS, config.vectors - number * CHUNK_VECTORS)
    uniform, edges = round(frames * SHARES["uniform"]), round(frames * SHARES["edges"])
    rng = np.random.default_rng([config.seed, number])
    x, y = codec.draw(frames - uniform - edges, [config.seed, number, 1])
    m = codec.inputs
    any_counts = rng.integers(-32768, 32768, (uniform, m)).astype(np.int16)
    if isinstance(codec, WideBundleCodec):
        on_edges = wide_edges(codec.tables, edges, rng)
    else:
        on_edges = np.stack([own[rng.integers(0, len(own), edges)] for own in edge_counts(codec)], axis=1)
    named = {"source": len(x), "uniform": uniform, "edges": edges}
    return np.concatenate([codec.counts(y), any_counts, on_edges]), x, named


def edge_counts(codec: CountsCodec) -> list[NDArray[np.int16]]:
    """Return, per input, every count at which its index differs from that of the count before, and the count before."""
    every = np.arange(-32768, 32768).astype(np.int16)
    index = index_of(codec, np.repeat(every[:, None], codec.inputs, axis=1))
    found = []
    for column in index.T:
        changes = np.flatnonzero(column[1:] != column[:-1]) + 1
        found.append(np.unique(np.concatenate([every[changes], every[changes - 1], every[[0, -1]]])))
    return found


def wide_edges(tables: WideTables, frames: int, rng: np.random.Generator) -> NDArray[np.int16]:
    """Return counts of which some last accumulator lies closest to a threshold, from a pool of all scales."""
    pool = rng.integers(-32768, 32768, (frames * _POOL_FACTOR, tables.inputs))
    pool = (pool >> tables.input_shift + rng.integers(0, 9, (len(pool), 1))) + tables.offset
    counts = pool.clip(-32768, 32767).astype(np.int16)
    acc = last_accumulator(tables, network_input(tables, counts))
    distance = edge_distance(tables.thresholds, acc)
    return counts[np.argsort(distance, kind="stable")[:frames]]


def _compare(
    subjects: dict[str, Subject], tallies: dict[str, Tally], counts: NDArray[np.int16],
    named: dict[str, int], number: int, codec: CountsCodec,
) -> Mismatch | None:  # fmt: skip
    """Run all implementations on one chunk, add to their tallies, return the first vector that differs."""
    reference: NDArray[np.uint8] | None = None
    first = len(counts)
    for name, subject in subjects.items():
        size = max(1, round(len(counts) * subject.share))
        chosen = np.arange(size, dtype=np.intp) * len(counts) // size  # spread evenly over the sets
        start = time.perf_counter()
        packed = subject.encode(counts[chosen])
        seconds = time.perf_counter() - start
        reference = packed if reference is None else reference
        differs = chosen[(packed != reference[chosen]).any(axis=1)]
        first = min(first, int(differs[0])) if len(differs) else first
        more = Tally(name=name, role=subject.role, vectors=size, mismatches=len(differs), seconds=seconds)
        tallies[name] = tallies[name].plus(more)
    if first == len(counts):
        return None
    names, ends = list(named), np.cumsum(list(named.values()))
    return Mismatch(
        chunk=number, frame=first, set=names[int(np.searchsorted(ends, first, side="right"))],
        input=counts[first].tolist(),
        indices={
            name: codec.packing.unpack(subject.encode(counts[first : first + 1]))[0].tolist()
            for name, subject in subjects.items()
        },
    )  # fmt: skip
