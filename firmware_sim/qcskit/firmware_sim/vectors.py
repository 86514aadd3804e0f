"""Vectors to compare on, drawn in chunks: chunk c of seed s is the same wherever and whenever it is drawn."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qcskit.codec import integer
from qcskit.codec.bundle import Bundle
from qcskit.codec.integer import INT8_MAX, INT8_MIN
from qcskit.codec.signal import SignalConfig, draw_frames

CHUNK_VECTORS = 10_000

SHARES = {"source": 0.4, "uniform": 0.3, "corners": 0.1, "edges": 0.2}
"""What a chunk consists of: source model, uniform int8, saturating corners, vectors on threshold edges."""

_POOL_FACTOR = 8
"""Vectors drawn per one that is kept as an edge vector."""


@dataclass(frozen=True)
class Chunk:
    """Vectors x (frames, M) int8; sets[i] names the set of frame i, as an index into `names`."""

    number: int
    x: NDArray[np.int8]
    sets: NDArray[np.uint8]
    names: tuple[str, ...]


def draw_chunk(bundle: Bundle, seed: int, number: int, frames: int) -> Chunk:
    """Return chunk `number` of `frames` vectors, all sets of `SHARES` in it."""
    rng = np.random.default_rng([seed, number])
    names = tuple(SHARES)
    counts = [round(frames * share) for share in SHARES.values()]
    counts[0] += frames - sum(counts)
    parts = (
        source_vectors(bundle, counts[0], int(rng.integers(2**32))),
        uniform_vectors(bundle.manifest.inputs, counts[1], rng),
        corner_vectors(bundle.manifest.inputs, counts[2], rng),
        edge_vectors(bundle.tables, counts[3], rng),
    )
    sets = np.repeat(np.arange(len(names), dtype=np.uint8), [len(part) for part in parts])
    return Chunk(number, np.concatenate(parts), sets, names)


def golden_chunk(bundle: Bundle) -> Chunk:
    """Return the inputs that vectors.npz holds, as chunk −1."""
    x = np.ascontiguousarray(bundle.vectors["input"], np.int8)
    return Chunk(-1, x, np.zeros(len(x), np.uint8), ("golden",))


def source_vectors(bundle: Bundle, frames: int, seed: int) -> NDArray[np.int8]:
    """Return network inputs of frames drawn from the bundle's source model."""
    signal = SignalConfig.model_validate(bundle.manifest.signal.model_dump())
    return bundle.quantize_input(draw_frames(signal, frames, seed)[1])


def uniform_vectors(inputs: int, frames: int, rng: np.random.Generator) -> NDArray[np.int8]:
    """Return entries uniform over int8."""
    return rng.integers(INT8_MIN, INT8_MAX, (frames, inputs), np.int8, endpoint=True)


def corner_vectors(inputs: int, frames: int, rng: np.random.Generator) -> NDArray[np.int8]:
    """Return vectors of extreme entries: each −128, −127, 126, 127, or (a part of them) uniform.

    They drive accumulators to where requantization saturates.
    """
    extremes = np.array([INT8_MIN, INT8_MIN + 1, INT8_MAX - 1, INT8_MAX], np.int8)
    x = extremes[rng.integers(0, 4, (frames, inputs))]
    mixed = rng.random((frames, inputs)) < rng.random((frames, 1)) * 0.5
    return np.where(mixed, uniform_vectors(inputs, frames, rng), x)


def edge_vectors(tables: integer.EncoderTables, frames: int, rng: np.random.Generator) -> NDArray[np.int8]:
    """Return vectors of which some last accumulator lies closest to a threshold: on it, or one below.

    Chosen from a pool of differently scaled uniform vectors. There an error of one unit anywhere flips an index.
    """
    pool = uniform_vectors(tables.inputs, frames * _POOL_FACTOR, rng)
    pool >>= rng.integers(0, 5, (len(pool), 1), np.int8)
    distance = edge_distance(tables.thresholds, integer.last_accumulator(tables, pool))
    return pool[np.argsort(distance, kind="stable")[:frames]]


def edge_distance(thresholds: NDArray[np.int32], acc: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return, per vector, the smallest distance of a last accumulator to a threshold edge; 0: on it or one below.

    thresholds: (K, I−1); acc: (frames, K).
    """
    nearest = np.full(len(acc), np.iinfo(np.int64).max)
    for output, row in enumerate(thresholds):
        edges = row.astype(np.int64)
        above = np.searchsorted(edges, acc[:, output], side="right")
        below_edge = edges[np.maximum(above - 1, 0)]
        next_edge = edges[np.minimum(above, len(edges) - 1)]
        reached = np.where(above > 0, acc[:, output] - below_edge, np.iinfo(np.int64).max)
        missing = np.where(above < len(edges), next_edge - 1 - acc[:, output], np.iinfo(np.int64).max)
        np.minimum(nearest, np.minimum(reached, missing), out=nearest)
    return nearest
