"""The search for the step: at each one tables are trained on the training part, and tried on the validation part."""

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from qcskit.codec.errors import QcsError
from qcskit.codec.range_coder import MOST_INDEX
from qcskit.codec.sensor import CountGrid
from qcskit.codec.transform.bundle import Rebuild, check_last_try
from qcskit.codec.transform.config import TransformConfig
from qcskit.codec.transform.forward import accumulate, quantize, sums_of
from qcskit.codec.transform.packet import Decoded, decode, encode
from qcskit.codec.transform.tables import Ints, Tables
from qcskit.export.transform.basis import make_rows
from qcskit.export.transform.decoder import centroids
from qcskit.export.transform.fast_dct import LEAST_ROWS
from qcskit.export.transform.source import Source
from qcskit.export.transform.step import COARSEST, MOST_A, Step, best, finest, finest_of, step_of
from qcskit.export.transform.symbols import range_tables, rice_table

_NO_GRID = CountGrid(1.0, 0.0)
_VALIDATION_PACKETS = 500
_LOST = 1e-3
"""Rows are left out while that adds no more than this share to the error."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """Tables of one step. index, acc: of the training windows (windows, K)."""

    step: Step
    tables: Tables
    index: Ints
    acc: Ints


class Search:
    """Training and validation windows, and what they say about a step."""

    def __init__(self, config: TransformConfig, source: Source) -> None:
        self.config, self.source = config, source
        self.windows = source.training_windows()
        series = np.clip(source.training - source.centre, -32768, 32767)
        self.rows = make_rows(config.basis, series, source.config.n // config.decimate, config.decimate, config.rows)
        if config.rows > len(self.rows.integer):
            raise QcsError(f"[transform] rows = {config.rows}: a window keeps {len(self.rows.integer)} samples, and "
                           "as many rows are possible")  # fmt: skip
        self.low = finest_of(self.rows.fraction_bits)
        # Evenly spread packets know every phase; few that lie side by side make rate and error jump.
        self.validation = source.counts(source.packets("validation", config.windows, _VALIDATION_PACKETS))

    @cached_property
    def acc(self) -> Ints:
        """The accumulators of all rows (windows, n)."""
        x = np.clip(self.windows[:, :: self.config.decimate] - self.source.centre, -32768, 32767)
        return sums_of(self._bare(step_of(self.low, 0), len(self.rows.integer)), x)

    def candidate(self, number: int) -> Candidate:
        """Return the tables of a step."""
        adc, config = self.source.adc, self.config
        furthest = min(max(adc.high - self.source.centre, self.source.centre - adc.low), 32768)
        step = step_of(number, self.rows.reach * furthest, whole=bool(config.max_bytes))
        bare = self._bare(step, len(self.rows.integer))
        index = quantize(bare, self.acc)
        count = config.rows or max(_fewest(index, self.acc, step.size), LEAST_ROWS if self.rows.fast else 1)
        index, acc = index[:, :count], self.acc[:, :count]
        bare = self._bare(step, count)
        tables = replace(bare, **(range_tables if config.coder == "range" else rice_table)(bare, index))
        tables.check()
        return Candidate(step, tables, index, acc)

    def _bare(self, step: Step, count: int) -> Tables:
        """Return tables that know no symbols yet."""
        config, source = self.config, self.source
        sums: dict[str, Any] = self.rows.first(count).arrays
        return Tables(
            windows=config.windows, samples=source.config.n // config.decimate, stride=config.decimate, rows=count,
            centre=source.centre, bits=source.adc.bits, low=source.adc.low, max_bytes=config.max_bytes or 0,
            crc=config.crc, fraction_bits=self.rows.fraction_bits, **vars(step), **sums,
        )  # fmt: skip

    def chosen(self) -> Candidate:
        """Return the tables that the configuration asks for. Raises QcsError if there are none."""
        return self._bounded() if self.config.max_bytes else self._at_rate()

    def _at_rate(self) -> Candidate:
        """Return the finest step whose validation packets take no more than `bits_per_sample`, in whole bytes."""
        samples, wanted = self.validation.size, self.config.bits_per_sample

        def meets(number: int) -> bool:
            candidate = self.candidate(number)
            if self._clips(candidate):
                return False
            return 8 * int(encode(candidate.tables, self.validation).lengths.sum()) <= wanted * samples

        found = finest(meets, self.low)
        if found is None:
            least = 8 * (1 + self.config.crc) / self.validation.shape[1]
            raise QcsError(f"[transform] bits_per_sample = {wanted:g}: a packet has at least a byte, {least:.3g} bits "
                           "per sample; raise bits_per_sample or transform.windows")  # fmt: skip
        return self.candidate(found)

    def _bounded(self) -> Candidate:
        """Return the step with the least validation error where no packet has more than `max_bytes`."""
        check_last_try(self.candidate(COARSEST).tables)

        def meets(number: int) -> bool:
            candidate = self.candidate(number)
            if not _last_try_fits(candidate.tables) or self._clips(candidate):
                return False
            return not self._sent(candidate).quality.any()

        start = finest(meets, self.low)
        assert start is not None  # the coarsest step sends nothing but empty windows
        found = self.candidate(best(self._error, start, self.low))
        check_last_try(found.tables)
        return found

    def _clips(self, candidate: Candidate) -> bool:
        """Tell whether a window has a coefficient beyond what an index says."""
        acc = max(np.abs(candidate.acc).max(), np.abs(accumulate(candidate.tables, self.validation)).max())
        magnitude = quantize(candidate.tables, acc)
        return bool(acc >> candidate.step.accumulator_shift > MOST_A or magnitude >= MOST_INDEX)

    def _sent(self, candidate: Candidate) -> Decoded:
        """Return what the validation packets stand for."""
        return decode(candidate.tables, encode(candidate.tables, self.validation))

    def _error(self, number: int) -> float:
        """Return the squared error of the validation part, less its energy; infinite where a packet may not fit."""
        candidate = self.candidate(number)
        if not _last_try_fits(candidate.tables) or self._clips(candidate):
            return math.inf
        sent, acc = self._sent(candidate), accumulate(candidate.tables, self.validation).astype(np.float64)
        rebuild = Rebuild(centroids(candidate.index, candidate.acc, candidate.step.size), np.empty(0), _NO_GRID)
        rebuilt = rebuild.coefficients(sent.index, sent.quality).reshape(acc.shape) * candidate.step.size
        return float(((acc - rebuilt) ** 2).sum() - (acc**2).sum())


def _last_try_fits(tables: Tables) -> bool:
    try:
        check_last_try(tables)
    except QcsError:
        return False
    return True


def _fewest(index: Ints, acc: Ints, step: float) -> int:
    """Return how many rows must be sent so that the others add next to nothing to the error.

    index, acc: of all rows (windows, n).
    """
    coded = ((np.abs(acc) - np.abs(index) * step) ** 2).sum(axis=0)
    gained = np.cumsum(((acc.astype(np.float64) ** 2).sum(axis=0) - coded)[::-1])[::-1]
    return max(1, int((gained > _LOST * coded.sum()).sum()))
