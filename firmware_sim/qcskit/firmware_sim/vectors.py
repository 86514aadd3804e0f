"""Vectors to compare on, drawn in chunks: chunk c of seed s is the same wherever and whenever it is drawn."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.interface import Codec
from qcskit.codec.own_data import OwnData
from qcskit.firmware_sim.config import SimulateConfig

CHUNK_VECTORS = 10_000

SHARES = {"source": 0.4, "uniform": 0.15, "corners": 0.1, "edges": 0.2, "inputs": 0.15}
"""What a chunk consists of: counts of the bundle's source, uniform ones of all scales, saturating corners, counts on
decision boundaries; and network inputs, where a codec takes them (else more of the source).
"""


@dataclass(frozen=True)
class Part:
    """One set of a chunk. values: int16 counts, or int8 network inputs, (vectors, inputs). x: sources, if known."""

    name: str
    values: NDArray[Any]
    x: NDArray[np.floating[Any]] | None = None


def chunk_count(config: SimulateConfig, own: int = 0) -> int:
    """Return how many chunks a run's vectors make, and behind them the `own` ones of the user."""
    return math.ceil(config.vectors / CHUNK_VECTORS) + math.ceil(own / CHUNK_VECTORS)


def draw_chunk(codec: Codec, seed: int, number: int, vectors: int) -> list[Part]:
    """Return chunk `number` of `vectors` vectors, all sets of `SHARES` in it."""
    rng = np.random.default_rng([seed, number])
    counts = {name: round(vectors * share) for name, share in SHARES.items()}
    if not codec.takes_inputs:
        counts["inputs"] = 0
    counts["source"] += vectors - sum(counts.values())
    x, y = codec.draw(counts["source"], int(rng.integers(2**32)))
    parts = [
        Part("source", codec.counts(y), x),
        Part("uniform", uniform_counts(codec, counts["uniform"], rng)),
        Part("corners", corners(codec.inputs, counts["corners"], rng, np.int16)),
        Part("edges", codec.edges(counts["edges"], rng)),
        Part("inputs", corners(codec.inputs, counts["inputs"], rng, np.int8)),
    ]
    return [part for part in parts if len(part.values)]


def golden_chunk(codec: Codec) -> list[Part]:
    """Return the inputs that vectors.npz holds, as chunk −1."""
    vectors = codec.bundle.vectors
    parts = [Part("golden", np.ascontiguousarray(vectors["counts"], np.int16), vectors["x"])]
    if codec.takes_inputs:
        parts.append(Part("golden inputs", np.ascontiguousarray(vectors["input"], np.int8)))
    return parts


def own_chunk(data: OwnData, number: int) -> list[Part]:
    """Return chunk `number` of the user's own counts."""
    return [Part("data", data.counts[number * CHUNK_VECTORS : (number + 1) * CHUNK_VECTORS])]


def uniform_counts(codec: Codec, vectors: int, rng: np.random.Generator) -> NDArray[np.int16]:
    """Return counts about the ADC's offset, uniform in ranges from all of int16 down to 256 counts."""
    values = rng.integers(-32768, 32768, (vectors, codec.inputs)) >> rng.integers(0, 9, (vectors, 1))
    return (values + codec.centre).clip(-32768, 32767).astype(np.int16)


def corners(inputs: int, vectors: int, rng: np.random.Generator, dtype: type[np.integer[Any]]) -> NDArray[Any]:
    """Return vectors of extreme entries: each one of the two least or two largest, or (a part of them) uniform.

    They drive accumulators to where requantization saturates.
    """
    info = np.iinfo(dtype)
    extremes = np.array([info.min, info.min + 1, info.max - 1, info.max], dtype)
    mixed = rng.random((vectors, inputs)) < rng.random((vectors, 1))
    uniform = rng.integers(info.min, info.max, (vectors, inputs), endpoint=True).astype(dtype)
    return np.where(mixed, uniform, extremes[rng.integers(0, 4, (vectors, inputs))])
