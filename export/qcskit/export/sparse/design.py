"""From a `[sparse]` table to a bundle: integer tables with their proofs, cells fitted to what the integers give."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcskit.codec import seeds
from qcskit.codec.bundle import Manifest
from qcskit.codec.config import Table
from qcskit.codec.matrices import sparsity_basis
from qcskit.codec.sensor import UNKNOWN_ADC, Adc, AdcConfig, SignalFacts, grid_of, sensed, source_arrays
from qcskit.codec.signal import SignalConfig, draw_frames, measurement_matrix, test_frames
from qcskit.codec.sparse.bundle import Facts, RangeFacts, SparseCodec, model_id
from qcskit.codec.sparse.config import SparseConfig
from qcskit.codec.sparse.search import aligned, search
from qcskit.codec.sparse.tables import MOST_LEVELS, Tables
from qcskit.export.config import ExportConfig
from qcskit.export.sparse.candidates import candidates as candidates
from qcskit.export.sparse.floating import float_nmse_db
from qcskit.export.sparse.integers import integer_tables, unit_columns
from qcskit.export.sparse.levels import Plane, lloyd_cells, nearest, plane_points, points_of_sizes
from qcskit.export.sparse.range_design import Sample, with_range
from qcskit.export.writer import Draft, measured, write_bundle

METHODS = ("sparse",)
TABLES: dict[str, type[Table]] = {"sparse": SparseConfig, "signal": SignalConfig, "adc": AdcConfig}
Array = NDArray[np.float64]
_FLAGGED = 1e-3
"""Share of vectors beyond the guard that a code is made for at least."""
_PLANE_VECTORS = 30_000
"""Of the training frames, to which points in the plane are fitted."""
_COARSE_SIZES = ((0, 1), (0, 3), (0, 6), (1, 6), (2, 8))
"""Points in a quadrant and on an axis, of flagged vectors, that are compared."""
_PLANE_LOSS = 1.6
"""What the code plane loses of a coefficient's power, times the words of a pair."""


def chosen(method: str) -> dict[str, dict[str, Any]]:
    """Return the keys, by table, that choose one of METHODS."""
    return {}


def design(out: Path, tables: dict[str, Any], export: ExportConfig) -> Manifest:
    """Write the bundle to `out` in one rename and return its manifest.

    tables: configurations by the names of TABLES. Of `[export]` it uses name, golden_frames and test_windows. Raises
    QcsError if the search does not fit the signal, or names the pair of columns that no integers tell apart.
    """
    signal: SignalConfig = tables["signal"]
    config = tables["sparse"].resolved(signal)
    draft = fit(export.name or "sparse", config, signal, tables.get("adc", UNKNOWN_ADC), export.test_windows)
    x, y = _frames(signal, config)
    codec = draft.codec()
    assert isinstance(codec, SparseCodec)
    columns, _ = unit_columns(measurement_matrix(signal) @ np.asarray(sparsity_basis(signal.basis, signal.n)))
    nmse = measured(codec, x, y, float_nmse_db(codec, columns, x, y))
    draft = replace(draft, nmse=nmse)
    if not codec.fixed_size:
        sent = 8 * float(codec.encode(draft.signal.y_units(y)).lengths.mean())
        draft = replace(draft, rate_bits=sent / (codec.windows * codec.width))
    return write_bundle(out, draft, export.golden_frames, config.seed)


def fit(name: str, config: SparseConfig, signal: SignalConfig, adc: AdcConfig, windows: int) -> Draft:
    """Return the fitted codec of a resolved configuration.

    The full scale of an ADC that is left to be chosen is the largest |y| among the training frames.
    """
    assert config.bits is not None
    assert config.windows is not None
    psi = np.asarray(sparsity_basis(signal.basis, signal.n))
    columns, norms = unit_columns(measurement_matrix(signal) @ psi)
    x, y = draw_frames(signal, config.train_frames, config.seed, part="train")
    facts_of_signal, converter = sensed(signal, adc, float(np.abs(y).max()))
    grid = grid_of(facts_of_signal, converter)
    tables = integer_tables(columns, converter, grid, signal.noise_variance if config.guard else None,
                            sparsity=signal.s, windows=config.windows, bits=config.bits)  # fmt: skip
    counts = converter.counts(facts_of_signal.y_units(y))
    found = search(tables, aligned(tables, counts))
    truth = np.take_along_axis((x @ psi) * norms, tables.supports[found.support], axis=1)
    tables, host = with_code(tables, config, Sample(found, truth))
    return _draft(name, config, tables, {**host, "decoder": psi / norms}, facts_of_signal, converter,
                  source_arrays(signal, facts_of_signal, windows))  # fmt: skip


def _draft(name: str, config: SparseConfig, tables: Tables, host: dict[str, Array], signal: SignalFacts,
           adc: Adc, source: dict[str, NDArray[Any]]) -> Draft:  # fmt: skip
    arrays = {**tables.arrays, **host}
    numbers = {key: value for key, value in vars(tables).items() if key in Facts.model_fields}
    if tables.code == "range":
        numbers["range"] = RangeFacts(**{key: getattr(tables, key) for key in RangeFacts.model_fields})
    facts = Facts(**numbers, train_frames=config.train_frames, seed=config.seed)
    ident = model_id(facts, tables.windows, adc, grid_of(signal, adc), arrays)
    return Draft(
        name, ident, facts, signal, adc, tables.windows * tables.inputs, tables.packed_bytes, tables.bits / signal.n,
        arrays, windows=tables.windows, source=source,
    )  # fmt: skip


def with_code(tables: Tables, config: SparseConfig, trained: Sample) -> tuple[Tables, dict[str, Array]]:
    """Return tables with cells, points or a step, and what the decoder rebuilds them as."""
    values, truth = trained.found.values.astype(np.float64), trained.truth
    flagged = max(float(trained.found.over.mean()), _FLAGGED) if tables.limit else 0.0
    if config.code == "range":
        return with_range(tables, trained, flagged)
    if config.code == "plane":
        return _with_plane(tables, trained, flagged, config.seed)
    fine, coarse = split_words(tables, flagged)
    host: dict[str, Array] = {}
    if tables.limit:
        cells = lloyd_cells(values, truth, coarse)
        tables, host = replace(tables, coarse=cells.thresholds), {"coarse_points": cells.points}
    cells = lloyd_cells(values, truth, fine)
    return replace(tables, thresholds=cells.thresholds), host | {"points": cells.points}


def _with_plane(tables: Tables, trained: Sample, flagged: float, seed: int) -> tuple[Tables, dict[str, Array]]:
    """Return tables with points in the plane and on its axes, and what the decoder rebuilds them as.

    Flagged vectors have few: as many as make what both lose together least.
    """
    words, few = 2**tables.bits, trained.found.values[:_PLANE_VECTORS].astype(np.float64)
    pairs, entries = len(tables.supports), tables.entries
    own: dict[str, Plane] = {}
    if flagged:
        power, tried = float((few**2).mean()), []
        for sizes in _COARSE_SIZES:
            taken = 4 * sizes[0] * pairs + 2 * sizes[1] * entries
            if words - taken >= 4 * pairs + 2 * entries:
                made = points_of_sizes(few, *sizes, seed)
                lost = flagged * made.distortion / 2 / power + _PLANE_LOSS * pairs / (words - taken)
                tried.append((lost, taken, made))
        _, taken, own["coarse_"] = min(tried, key=lambda one: one[0])
        words -= taken
    own[""] = plane_points(few, words, pairs, entries, seed)
    integers: dict[str, Any] = {}
    host: dict[str, Array] = {}
    for prefix, found in own.items():
        plane, axis = np.rint(found.plane), np.unique(np.rint(found.axis))
        integers |= {f"{prefix}plane": plane.astype(np.int16), f"{prefix}axis": axis.astype(np.int16)}
        points = _plane_means(plane, axis, trained)
        host |= {f"{prefix}{name}": table for name, table in points.items() if table.size}
    return replace(tables, **integers), host


def _plane_means(plane: Array, axis: Array, trained: Sample) -> dict[str, Array]:
    """Return what points stand for: the means of what came to them."""
    values, truth = trained.found.values.astype(np.float64), trained.truth
    number, alone, _ = nearest(plane, axis, np.abs(values))
    signed, lone = truth * np.where(values < 0, -1, 1), alone >= 0
    kept = np.where(alone == 1, signed[:, 1], signed[:, 0])
    step = float((values * truth).sum() / (values**2).sum())
    return {
        "plane_points": _means(number[~lone], signed[~lone], plane * step),
        "axis_points": _means(number[lone], kept[lone, None], axis[:, None] * step)[:, 0],
    }


def _means(number: NDArray[np.intp], signed: Array, points: Array) -> Array:
    """Return the mean of what came to each point; of one that nothing came to, itself."""
    count = np.bincount(number, minlength=len(points))[:, None]
    total = np.stack([np.bincount(number, column, len(points)) for column in signed.T], axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), points)


def split_words(tables: Tables, flagged: float) -> tuple[int, int]:
    """Return the cells of a coefficient, and of one of a flagged vector, of either an even number.

    flagged: share of vectors, 0 without a guard. The mean square of what is lost goes with 1 / cells²; the two together
    are made least.
    """
    s = tables.sparsity
    room = 2**tables.bits / len(tables.supports)

    def fine_of(coarse: int) -> int:
        left = max(room - (coarse**s if flagged else 0), 0.0)
        return min(int(left ** (1 / s) + 1e-9) // 2 * 2, MOST_LEVELS)

    def lost(coarse: int) -> float:
        cells = fine_of(coarse)
        return np.inf if cells < 2 else cells**-2.0 + flagged * coarse**-2.0

    coarse = min(range(2, max(3, int(room ** (1 / s))), 2), key=lost) if flagged else 2
    return fine_of(coarse), min(coarse, MOST_LEVELS)


def _frames(signal: SignalConfig, config: SparseConfig) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return x (frames, N) and y (packets, W · M) to measure on, whole packets."""
    x, y = test_frames(signal, config.test_frames, config.seed + seeds.TEST)
    windows = config.windows or 1
    packets = len(x) // windows
    x, y = x[: packets * windows], y[: packets * windows]
    return x, y.reshape(packets, -1)
