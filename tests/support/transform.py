"""Tables of transform codecs of every shape, made up: no recording, no design."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.matrices import dct_rows
from qcskit.codec.range_coder import TOTAL
from qcskit.codec.transform.tables import CONTEXTS, Tables
from qcskit.export.transform.fast_dct import fast_dct


def upper_ends(rng: np.random.Generator, symbols: int, steep: float = 0.5) -> NDArray[np.uint16]:
    """Return the upper ends of one table whose frequencies fall."""
    weights = rng.dirichlet(np.exp(-steep * np.arange(symbols)) * symbols) * (TOTAL - symbols)
    frequencies = 1 + weights.astype(np.int64)
    frequencies[0] += TOTAL - frequencies.sum()
    return np.cumsum(frequencies).astype(np.uint16)


def symmetric_rows(rng: np.random.Generator, n: int, rows: int) -> NDArray[np.int64]:
    """Return orthonormal rows (rows, n), scaled by 2^11, symmetric and antisymmetric in no order."""
    half = np.linalg.qr(rng.standard_normal((n // 2, n // 2)))[0] / np.sqrt(2)
    full = [np.concatenate([row, sign * row[::-1]]) for row in half for sign in (1, -1)]
    return np.rint(2048 * np.array(full)[rng.permutation(n)[:rows]]).astype(np.int64)


def folded_rows(n: int, folds: int, rows: NDArray[Any]) -> list[tuple[int, NDArray[Any]]]:
    """Return the blocks (half, weights (rows, half)) of full rows (K, n) with the symmetry that `folds` folds need.

    Row by row the block is found by the symmetry; the caller keeps the rows of a block in the order given.
    """
    blocks: list[tuple[int, NDArray[Any]]] = []
    left, size = rows, n
    for _ in range(folds):
        half = size // 2
        odd = (left[:, :half] == -left[:, : half - 1 - size : -1]).all(axis=1) & left[:, :half].any(axis=1)
        blocks.append((half, left[odd][:, half - 1 :: -1] if half else left[odd]))
        left, size = left[~odd][:, :half], half
    return [*blocks, (size, left)]


def fast_sums(n: int, rows: int) -> dict[str, NDArray[Any]]:
    """Return the network of the first rows of a DCT, times 2^11."""
    return fast_dct(n, rows, 11).arrays


def folded_sums(basis: str, n: int, rows: int, rng: np.random.Generator) -> dict[str, NDArray[Any]]:
    """Return blocks, weights and positions of a DCT or of symmetric rows in no order, times 2^11."""
    folds = (n & -n).bit_length() - 1 if basis == "dct" else 1
    full = np.rint(2048 * dct_rows(n, n)[:rows]) if basis == "dct" else symmetric_rows(rng, n, rows)
    blocks = folded_rows(n, folds, full.astype(np.int64))
    # Which row is where: found again by what the blocks unfold to.
    order: list[int] = []
    place = np.arange(rows)
    left, size = full.astype(np.int64), n
    for _ in range(folds):
        odd = (left[:, : size // 2] == -left[:, : size // 2 - 1 - size : -1]).all(axis=1)
        order += place[odd].tolist()
        left, place, size = left[~odd][:, : size // 2], place[~odd], size // 2
    return {
        "blocks": np.array([(half, len(w)) for half, w in blocks], np.uint16),
        "weights": np.concatenate([w.ravel() for _, w in blocks]).astype(np.int16),
        "positions": np.array([*order, *place], np.uint16),
    }


def transform_tables(
    *, seed: int = 1, n: int = 16, rows: int = 9, windows: int = 2, stride: int = 1, basis: str = "dct",
    coder: str = "range", crc: bool = False, max_bytes: int = 0, bits: int = 12, low: int = -2048, centre: int = 70,
    step: float = 37.0, shift: int = 8,
) -> Tables:  # fmt: skip
    """Return checked tables. n: kept samples. basis: klt, dct, or fast: a DCT by a network.

    step: about, in counts. shift: if small, loud windows find no index.
    """
    rng = np.random.default_rng(seed)
    sums = fast_sums(n, rows) if basis == "fast" else folded_sums(basis, n, rows, rng)
    wanted = step * 2048 / 2**shift
    index_shift = next(bits for bits in range(25) if 1024 <= 2**bits / wanted < 2047)
    multiplier = round(2**index_shift / wanted)
    groups = -(-rows // -(-n // 16))
    classes = np.minimum(np.arange(rows), 15).astype(np.uint8)
    own: dict[str, Any] = {"rice": rng.integers(0, 9, rows).astype(np.uint8)}
    if coder == "range":
        own = {
            "classes": classes,
            "contexts": rng.integers(0, 5, (int(classes.max()) + 1, CONTEXTS)).astype(np.uint8),
            "symbols": np.stack([upper_ends(rng, 16) for _ in range(5)]),
            "ends": upper_ends(rng, groups + 1, 0.0),
        }
    tables = Tables(
        windows=windows, samples=n, stride=stride, rows=rows, centre=centre, bits=bits, low=low, max_bytes=max_bytes,
        crc=crc, fraction_bits=11, accumulator_shift=shift, multiplier=multiplier, index_shift=index_shift,
        rounding=int(0.36 * 2**index_shift), **sums, **own,
    )  # fmt: skip
    tables.check()
    return tables


SHAPES: dict[str, dict[str, Any]] = {
    "plain": {},
    "klt": {"basis": "klt", "n": 24, "rows": 11, "windows": 3},
    "one": {"windows": 1, "n": 8, "rows": 1, "step": 5.0},
    "long": {"n": 128, "rows": 100, "windows": 1, "bits": 16, "low": -32768, "step": 300.0},
    "odd": {"n": 24, "rows": 24, "bits": 11, "low": 0, "centre": 1000},
    "stride": {"stride": 2, "crc": True},
    "fine": {"step": 1.0, "rows": 16, "windows": 4},
    "control": {"max_bytes": 9, "windows": 3},
    "control_crc": {"max_bytes": 12, "windows": 4, "crc": True, "basis": "klt"},
    "narrow": {"step": 14.0, "shift": 1},
    "narrow_control": {"step": 14.0, "shift": 1, "max_bytes": 12},
    "narrow_rice": {"coder": "rice", "step": 14.0, "shift": 1, "basis": "klt"},
    "rice": {"coder": "rice"},
    "fast": {"basis": "fast", "n": 64, "rows": 64, "windows": 3},
    "fast_control": {"basis": "fast", "n": 128, "rows": 41, "max_bytes": 30, "crc": True, "bits": 16, "low": -32768},
    "fast_rice": {"basis": "fast", "n": 72, "rows": 9, "stride": 2, "coder": "rice", "step": 5.0},
    "rice_control": {"coder": "rice", "max_bytes": 11, "crc": True, "n": 32, "rows": 20},
    "rice_fine": {"coder": "rice", "step": 1.0, "rows": 16, "crc": True},
}
"""Every option and edge of the tables: name → arguments."""


def counts_of(tables: Tables, packets: int, seed: int = 2) -> NDArray[np.int16]:
    """Return counts (packets, inputs) of every loudness: silence, walks, noise, full scale, alternating, constant."""
    rng, size = np.random.default_rng(seed), (packets, tables.inputs)
    high = tables.low + 2**tables.bits - 1
    loud = 10 ** rng.uniform(0, np.log10(high - tables.low), (packets, 1))
    noise = rng.standard_normal(size) * loud / 4
    walk = np.cumsum(noise, axis=1) / 3
    kind = rng.integers(0, 6, packets)[:, None]
    ends = np.where(rng.random(size) < 0.5, tables.low, high) - tables.centre
    alternating = np.where(np.arange(size[1]) % 2, high, tables.low) - tables.centre
    chosen = np.select([kind == 0, kind == 1, kind == 2, kind == 3, kind == 4],
                       [np.zeros(size), noise, walk, ends, alternating], loud)  # fmt: skip
    return np.clip(np.rint(chosen) + tables.centre, tables.low, high).astype(np.int16)
