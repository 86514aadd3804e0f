"""Φ Ψ as integers: the fraction bits with which every proof of `codec.sparse.tables` holds, and the guard's limit."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.errors import QcsError
from qcskit.codec.sensor import Adc, CountGrid
from qcskit.codec.sparse.tables import Tables, check_columns, check_pairs, check_residual

Array = NDArray[np.float64]
_PHI_BITS = range(15, 7, -1)
_MOST_PAIR_BITS, _LEAST_PAIR_BITS = 14, 7
"""Of u: 1 … 255 in int16."""
_ALIKE = 1e-9
_SIGMAS = 4.0
_MOST_UNEVEN = 10
"""Times that a column may be shorter than another: what is found there is divided by its length."""


def unit_columns(dictionary: Array) -> tuple[Array, Array]:
    """Return the columns of Φ Ψ (M, N) at unit norm, and their norms. Raises QcsError that names what cannot be told.

    Two columns that are equal up to their sign and size leave a support open.
    """
    norms = np.linalg.norm(dictionary, axis=0)
    if (norms <= _ALIKE * norms.max()).any():
        raise QcsError(f"[signal] Φ: column {int(norms.argmin())} is zero, its coefficient cannot be measured")
    if norms.max() > _MOST_UNEVEN * norms.min():
        times = f"{norms.max() / norms.min():.0f} times shorter than the longest, at most {_MOST_UNEVEN}"
        raise QcsError(f"[signal] Φ: column {int(norms.argmin())} (of Φ Ψ) is {times}: noise would stand for its "
                       f"coefficient; take another signal.matrix")  # fmt: skip
    return dictionary / norms, norms


def correlations(columns: Array) -> Array:
    """Return g of every pair in lexicographic order. Raises QcsError that names two columns that are one."""
    first, second = np.triu_indices(columns.shape[1], 1)
    g = np.asarray((columns.T @ columns)[first, second])
    worst = int(np.abs(g).argmax())
    if abs(g[worst]) > 1 - _ALIKE:
        raise QcsError(f"[signal] Φ: columns {first[worst]} and {second[worst]} are equal up to sign and size, nothing "
                       "tells their coefficients apart; take another signal.matrix_seed, or a larger m")  # fmt: skip
    return g


def pair_table(columns: Array) -> tuple[NDArray[np.int16], int]:
    """Return (u, v) of every pair and their fraction bits. Raises QcsError that names a pair that int16 cannot hold."""
    g = correlations(columns)
    u = 1 / np.sqrt(1 - g**2)
    bits = min(_MOST_PAIR_BITS, int(np.floor(np.log2(32767.0 / u.max()))))
    if bits < _LEAST_PAIR_BITS:
        place = [int(index[u.argmax()]) for index in np.triu_indices(columns.shape[1], 1)]
        raise QcsError(f"[signal] Φ: columns {place[0]} and {place[1]} are nearly one, u = {u.max():.0f} of this pair "
                       f"leaves int16; take another signal.matrix_seed, or a larger m")  # fmt: skip
    return np.rint(np.stack([u, g * u], axis=1) * 2.0**bits).astype(np.int16), bits


def alignment(adc: Adc, centre: int) -> int:
    """Return how far counts less the centre are shifted left to fill int16."""
    reach = max(adc.high - centre + 1, centre - adc.low)
    return max(0, 15 - int(np.ceil(np.log2(reach))))


def limit_of(tables: Tables, grid: CountGrid, noise_variance: float) -> tuple[int, int]:
    """Return the guard's limit and residual_shift: σ² (M − S + 4 √(2 (M − S))) in squares of what is left of y.

    σ² is the noise's variance and that of the ADC's rounding. Raises QcsError if there is no noise to compare with.
    """
    free = tables.inputs - tables.sparsity
    if not noise_variance > 0 or free < 1:
        why = "noise_variance is 0" if free >= 1 else f"m = {tables.inputs} leaves no residual"
        raise QcsError(f"[sparse] guard: {why}, so nothing says what a residual may be; set signal.noise_variance "
                       "(m > s), or sparse.guard = false")  # fmt: skip
    sigma2 = noise_variance / grid.step**2 + 1 / 12
    limit = sigma2 * 4.0**tables.align * (free + _SIGMAS * np.sqrt(2 * free))
    shift = 0
    while limit / 4.0**shift * tables.inputs >= 2.0**31:
        shift += 1
    return max(1, int(limit / 4.0**shift)), shift


def integer_tables(columns: Array, adc: Adc, grid: CountGrid, noise_variance: float | None, **sizes: Any) -> Tables:
    """Return tables without a code: the most fraction bits of Φᵀ with which no input overflows.

    columns: as `unit_columns`. noise_variance: None without a guard. sizes: sparsity, windows, bits. Raises QcsError
    that names the pair at fault if there are none.
    """
    m, n = columns.shape
    centre, none = grid.centre_counts, np.empty(0, np.int16)
    pairs, pair_bits = pair_table(columns) if sizes["sparsity"] == 2 else (np.empty((0, 2), np.int16), 0)
    if sizes["sparsity"] == 1:
        correlations(columns)
    tables = Tables(
        inputs=m, entries=n, low=adc.low, high=adc.high, centre=centre, align=alignment(adc, centre), phi_bits=15,
        pair_bits=pair_bits, residual_shift=0, limit=0, phi=np.empty((n, m), np.int16), pairs=pairs, thresholds=none,
        coarse=none, plane=np.empty((0, 2), np.int16), axis=none, **sizes,
    )  # fmt: skip
    if noise_variance is not None:
        limit, shift = limit_of(tables, grid, noise_variance)
        tables = replace(tables, limit=limit, residual_shift=shift)
    fault: QcsError | None = None
    for bits in _PHI_BITS:
        phi = np.rint(columns.T * 2.0**bits)
        if np.abs(phi).max() > 32767:
            continue
        tried = replace(tables, phi=phi.astype(np.int16), phi_bits=bits)
        try:
            _prove(tried)
        except QcsError as error:
            fault = error
            continue
        return tried
    raise QcsError(f"[signal] Φ: no fraction bits fit its {m} x {n} entries ({fault}); lower m")


def _prove(tables: Tables) -> None:
    check_columns(tables)
    check_pairs(tables)
    if tables.limit:
        check_residual(tables)
