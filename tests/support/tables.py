"""Encoder tables without a bundle: random ones, their C text, the packets NumPy gives for them, and vectors."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcskit import firmware
from qcskit.codec.learned.bundle import ARITHMETICS, Arithmetic
from qcskit.codec.learned.chain import DenseChain, FrontEnd
from qcskit.codec.learned.edges import POOL_FACTOR, on_edges
from qcskit.codec.learned.int8 import Int8Layer, Int8Tables
from qcskit.codec.text import c_files
from qcskit.firmware_sim.vectors import corners

Vectors = NDArray[Any]
"""int8 network inputs, or int16 ADC counts, (frames, M)."""


def arithmetic(tables: DenseChain) -> Arithmetic:
    """Return the arithmetic of tables."""
    return next(found for found in ARITHMETICS.values() if isinstance(tables, found.tables))


def index_of(tables: DenseChain, vectors: Vectors) -> NDArray[np.uint8]:
    """Return the indices that the definition gives, (frames, K)."""
    return tables.encode_index(vectors if vectors.dtype == np.int8 else tables.network_input(vectors))


def packed_of(tables: DenseChain, vectors: Vectors) -> NDArray[np.uint8]:
    """Return the packets that the fast NumPy encoder gives, (frames, packed_bytes)."""
    inputs = vectors if vectors.dtype == np.int8 else tables.network_input(vectors)
    return tables.packing.pack(arithmetic(tables).encode_index(tables, inputs))


def c_text(name: str, tables: DenseChain) -> dict[str, str]:
    """Return qcs_model_<name>.h and .c as the exporter makes them."""
    return c_files(arithmetic(tables).c_text.c_model(name, tables, 1))


def c_dir(name: str, tables: DenseChain) -> Path:
    """Return a directory that holds the C text of a model, for `firmware.build`."""
    return firmware.c_directory(c_text(name, tables))


def vectors_type(tables: DenseChain) -> type[np.integer[Any]]:
    """Return what the device takes: int8 network inputs where it can, else int16 counts."""
    return np.int8 if arithmetic(tables).dtype == np.int8 else np.int16


def uniform_vectors(tables: DenseChain, frames: int, rng: np.random.Generator, *, counts: bool = False) -> Vectors:
    """Return uniform entries. counts: ADC counts, also where the device takes network inputs."""
    kind = np.int16 if counts else vectors_type(tables)
    info = np.iinfo(kind)
    return rng.integers(info.min, info.max, (frames, tables.inputs), kind, endpoint=True)


def corner_vectors(tables: DenseChain, frames: int, rng: np.random.Generator, *, counts: bool = False) -> Vectors:
    """Return extreme entries, which drive accumulators to where requantization saturates."""
    return corners(tables.inputs, frames, rng, np.int16 if counts else vectors_type(tables))


def edge_vectors(tables: DenseChain, frames: int, rng: np.random.Generator, *, counts: bool = False) -> Vectors:
    """Return vectors of which an accumulator lies on a threshold or one below, or close to it."""
    pool = uniform_vectors(tables, frames * POOL_FACTOR, rng, counts=counts)
    pool >>= rng.integers(0, 5 if pool.itemsize == 1 else 12, (len(pool), 1), pool.dtype)

    def accumulator(vectors: Vectors) -> NDArray[np.int64]:
        return tables.accumulator(vectors if vectors.itemsize == 1 else tables.network_input(vectors))

    return on_edges(accumulator, tables.thresholds, pool, 1, rng)


def edge_distances(tables: DenseChain, vectors: Vectors) -> NDArray[np.int64]:
    """Return how far the nearest vector is from each edge, (K, 2 (I−1)): thresholds, then one below each."""
    acc = tables.accumulator(vectors if vectors.itemsize == 1 else tables.network_input(vectors))
    edges = np.concatenate([tables.thresholds, tables.thresholds.astype(np.int64) - 1], axis=1)
    return np.abs(acc[:, :, None] - edges).min(axis=0)


def random_tables(rng: np.random.Generator, widths: list[int], levels: int) -> Int8Tables:
    """Return int8 tables whose accumulators spread over the whole grid and over all thresholds."""
    hidden = tuple(_random_layer(rng, a, b) for a, b in pairwise(widths[:-1]))
    weights = rng.integers(-127, 128, (widths[-1], widths[-2]), np.int8)
    spread = int(3 * np.sqrt((weights.astype(float) ** 2).sum(axis=1).max()) * 70) + levels
    thresholds = np.sort(rng.integers(-spread, spread, (widths[-1], levels - 1), np.int32), axis=1)
    front_end = FrontEnd(int(rng.integers(-2000, 2000)), int(rng.integers(1 << 30, 1 << 31)),
                         int(rng.integers(-10, 3)), int(rng.integers(-128, 128)))  # fmt: skip
    return Int8Tables(hidden, weights, thresholds, front_end)


def _random_layer(rng: np.random.Generator, inputs: int, outputs: int) -> Int8Layer:
    weights = rng.integers(-127, 128, (outputs, inputs), np.int8)
    gain = 60.0 / (70.0 * np.sqrt((weights.astype(float) ** 2).sum(axis=1)) + 1)  # acc → about ±180 on the grid
    mantissa, exponent = np.frexp(gain)
    return Int8Layer(
        weights=weights,
        bias=rng.integers(-20000, 20000, outputs, np.int32),
        multiplier=np.minimum(np.round(mantissa * 2**31), 2**31 - 1).astype(np.int32),
        shift=exponent.astype(np.int8),
        zero_point=int(rng.integers(-128, 128)),
        activation=np.sort(rng.integers(-128, 128, 256, np.int8)),
    )
