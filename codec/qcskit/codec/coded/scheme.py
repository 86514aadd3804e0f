"""The whole codec: dictionary, lattice code, sensing matrix, quantizer, adaptive decoder.

y = A x + z with A = a · lift(G · H): H (K, n) the dictionary, G (m, K) the polar code, both over F_p; `lift` takes an
entry mod p to an integer of the same residue. Folding y modulo p·a leaves a · (G u) + z with u = H x mod p, so
quantizing it is receiving the codeword of u over an additive channel (compute); u then gives x back (recover).
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field as Key

from qcskit.codec.coded import polar, sc_binary, sc_pary, schedule, scl_binary, scl_pary
from qcskit.codec.coded.dictionary import Dictionary, dictionary
from qcskit.codec.coded.recover import Recovered, recover, tables
from qcskit.codec.coded.sawtooth import effective_noise, noise_sigma, sawtooth
from qcskit.codec.config import Table
from qcskit.codec.errors import QcsError
from qcskit.codec.packing import Packing

Array = NDArray[np.float64]

TRUST_GAINS_DB = (0.5, 1.2)
"""How far below the design SNR the usual number of errors is trusted: after plain decoding, and after a list."""


class CodedConfig(Table):
    """Table `[coded]`: the coded compressive sensing scheme."""

    n: int = Key(511, ge=1, description="entries of x; at most p^r - 1")
    k: int = Key(5, ge=1, description="non-zero entries of x, at most")
    p: int = Key(2, ge=2, le=251, description="prime alphabet; p = 2 senses binary x, p > 2 integer x")
    r: int | None = Key(None, ge=1, description="field exponent; default the smallest that fits n")
    m: int = Key(256, ge=2, description="measurements per vector, a power of two")
    rows: Literal["independent", "all"] = Key("independent", description="rows of the dictionary that are measured")
    guard: bool = Key(True, description="one more symbol, so that k + 1 non-zeros are always noticed")
    gamma: int | None = Key(None, ge=1, description="kernel [[1,0],[gamma,1]]; default 1 for p = 2, 3, 2 above")
    design_snr_db: float | None = Key(None, description="SNR the frozen set is designed for; default from m and K")
    lists: tuple[int, ...] = Key(
        (1, 8, 32), description="list sizes tried in turn while the result is inconsistent; chooses the frozen set too"
    )
    snr_db: float | None = Key(
        None, description="SNR of the vectors drawn for tests; default 1.5 dB above the design's"
    )
    period_bits: int = Key(12, ge=2, le=16, description="the sawtooth's period is 2^period_bits ADC counts")
    values: Literal["centred", "unsigned"] = Key("centred", description="x in ±(p-1)/2 or in 0 ... p-1, for p > 2")


@dataclass(frozen=True)
class Decoded:
    """What came back. x: (frames, n), int8 (int16 for p > 127), zero where flagged. ok: (frames,), False = flagged.

    paths: (frames,), the list size that decided.
    """

    x: NDArray[np.int8] | NDArray[np.int16]
    ok: NDArray[np.bool_]
    paths: NDArray[np.int32]


class CodedScheme:
    """A coded compressive sensing codec with level spacing 1; see the module's text.

    info: positions of the information symbols, default designed from the configuration.
    Raises QcsError if the configuration cannot work: p not prime, n too large for the field, m not a power of two or
    too small for the symbols.
    """

    def __init__(self, config: CodedConfig, info: NDArray[np.integer[Any]] | None = None) -> None:
        self.config = config
        self.dictionary: Dictionary = dictionary(config.p, config.n, config.k, config.r, config.rows, config.guard)
        polar.check_length(config.m)
        for paths in config.lists:
            if not 1 <= paths <= 4096:
                raise QcsError(f"[coded] lists: {paths} is not a list size, 1 … 4096")
        self.gamma = (1 if config.p <= 3 else 2) if config.gamma is None else config.gamma % config.p
        if self.gamma == 0:
            raise QcsError(f"[coded] gamma: a multiple of p = {config.p} does not polarise; take 1 … {config.p - 1}")
        symbols = self.dictionary.symbols
        design = polar.design_snr_db(config.m, config.p, symbols)
        self.design_snr_db = design if config.design_snr_db is None else config.design_snr_db
        self.snr_db = self.design_snr_db + 1.5 if config.snr_db is None else config.snr_db
        if info is None:
            rates = polar.reliabilities(config.m, config.p, self.gamma, self.design_snr_db)
            lists = config.p == 2 and max(config.lists) > 1
            info = polar.list_positions(rates, symbols) if lists else polar.best_positions(rates, symbols)
        self.info = np.asarray(info, np.int64)
        distinct = np.unique(self.info)
        if self.info.shape != (symbols,) or distinct.shape != (symbols,) or distinct[0] < 0 or distinct[-1] >= config.m:
            raise QcsError(f"info: the frozen set must leave {symbols} distinct positions below m = {config.m}")
        self._tables = tables(self.dictionary)
        is_info = np.zeros(config.m, np.bool_)
        is_info[self.info] = True
        self._plain = schedule.build(is_info, free=config.p == 2)
        self._list = schedule.build(is_info, free=False)
        self._noise = effective_noise(config.p, self.design_snr_db)

    @property
    def rate_bits(self) -> float:
        """Bits sent per source entry."""
        return self.packing.packed_bits / self.config.n

    @cached_property
    def packing(self) -> Packing:
        """How m symbols become bytes."""
        return Packing(self.config.m, self.config.p)

    @cached_property
    def code(self) -> NDArray[np.uint8]:
        """C = G · H mod p, shape (m, n)."""
        units = np.eye(self.config.m, dtype=np.uint8)[self.info]
        g = polar.transform(units, self.config.p, self.gamma).T.astype(np.float64)
        return (g @ self.dictionary.rows.astype(np.float64) % self.config.p).astype(np.uint8)

    @cached_property
    def sensing_matrix(self) -> Array:
        """A (m, n) for level spacing 1: entries of `code` lifted to the integers nearest zero.

        For p = 2 the sign of a 1 is free (−1 ≡ 1 mod 2); signs alternate along a row, so measurements stay near zero.
        """
        lifted = self.code.astype(np.float64)
        if self.config.p == 2:
            lifted *= np.where(np.cumsum(self.code, axis=1) % 2 == 1, 1.0, -1.0)
        else:
            lifted[lifted > self.config.p // 2] -= self.config.p
        return lifted

    def draw(self, frames: int, rng: np.random.Generator, weight: int | None = None) -> NDArray[np.int16]:
        """Return x (frames, n) with exactly `weight` (default k) non-zero entries, uniform in place and value."""
        config, weight = self.config, self.config.k if weight is None else weight
        x = np.zeros((frames, config.n), np.int16)
        for start in range(0, frames, 4096):
            part = x[start : start + 4096]
            place = rng.random(part.shape).argpartition(max(weight - 1, 0), axis=1)[:, :weight]
            np.put_along_axis(part, place, rng.integers(1, config.p, place.shape).astype(np.int16), axis=1)
        return self.lift(x)

    def lift(self, x: NDArray[np.integer[Any]]) -> NDArray[np.int16]:
        """Return x (any shape) of residues 0 … p−1 in the configured range of values."""
        lifted: NDArray[np.int16] = np.array(x, np.int16)
        if self.config.p > 2 and self.config.values == "centred":
            lifted[lifted > self.config.p // 2] -= self.config.p
        return lifted

    def measure(self, x: NDArray[np.integer[Any]], snr_db: float, rng: np.random.Generator) -> Array:
        """Return y = A x + z (frames, m), in units of the level spacing, at (p·a)² / 12 σ² = snr_db."""
        y: Array = np.asarray(x, np.float64) @ self.sensing_matrix.T
        return y + noise_sigma(snr_db, 1.0, self.config.p) * rng.standard_normal(y.shape)

    def quantize(self, y: Array) -> NDArray[np.uint8]:
        """Return symbols (frames, m) of measurements y (frames, m) in units of the level spacing."""
        y = np.asarray(y)
        if y.ndim != 2 or y.shape[1] != self.config.m:
            raise QcsError(f"measurements have shape {y.shape}, expected (frames, {self.config.m})")
        if not np.isfinite(y).all():
            raise QcsError(f"measurement frame {int(np.argwhere(~np.isfinite(y))[0, 0])} holds NaN or infinity")
        return sawtooth(y, 1.0, self.config.p)

    def decode_symbols(self, q: NDArray[np.uint8], lists: tuple[int, ...] | None = None) -> Decoded:
        """Recover x from received symbols q (frames, m): the shortest list that gives a trustworthy result decides.

        Raises QcsError if q has another width or an entry >= p, or if numba is missing.
        """
        q = self._check_symbols(q)
        sizes = self.config.lists if lists is None else lists
        recovered, trusted = self._recover_once(q, sizes[0])
        used = np.full(q.shape[0], sizes[0], np.int32)
        for paths in sizes[1:]:
            again = np.flatnonzero(~trusted)
            if again.size == 0:
                break
            part, trusted[again] = self._recover_once(q[again], paths)
            recovered.positions[again], recovered.values[again] = part.positions, part.values
            recovered.ok[again], used[again] = part.ok, paths
        values = self.lift(recovered.values).astype(np.int8 if self.config.p < 128 else np.int16)
        return Decoded(recovered.dense(self.config.n, values), recovered.ok, used)

    def _check_symbols(self, q: NDArray[np.uint8]) -> NDArray[np.uint8]:
        q = np.asarray(q)
        if q.ndim != 2 or q.shape[1] != self.config.m:
            raise QcsError(f"received symbols have shape {q.shape}, expected (frames, {self.config.m})")
        if q.size and int(q.max()) >= self.config.p:
            raise QcsError(f"a received symbol is {int(q.max())}, largest allowed {self.config.p - 1}")
        return np.ascontiguousarray(q, np.uint8)

    def _recover_once(self, q: NDArray[np.uint8], paths: int) -> tuple[Recovered, NDArray[np.bool_]]:
        """Return each frame's first candidate that some x has the syndrome of, and which frames need no longer list."""
        u, distance = self._candidates(q, paths)
        result = recover(u.reshape(len(q) * paths, u.shape[-1]), self._tables)
        if paths > 1:
            ok = result.ok.reshape(-1, paths) & (distance >= 0)
            first = np.arange(len(q)) * paths + ok.argmax(axis=1)
            result = Recovered(result.positions[first], result.values[first], ok.any(axis=1))
            result.positions[~result.ok] = -1
            distance = distance.reshape(-1)[first]
        return result, result.ok & (distance <= self.trusted_distances[paths > 1])

    def _candidates(self, q: NDArray[np.uint8], paths: int) -> tuple[NDArray[np.uint8], NDArray[Any]]:
        """Return symbols (frames[, paths], K) and distances to q (frames[, paths]), −1 where a list is shorter.

        Distances are not known for p > 2: all count as 0.
        """
        if self.config.p == 2:
            if paths == 1:
                return sc_binary.decode(q, self._plain, self.info)
            return scl_binary.decode(q, self._list, self.info, paths)
        if paths == 1:
            u = sc_pary.decode(q, self._plain, self.info, self._noise, self.gamma)
            return u, np.zeros(len(q))
        u, cost = scl_pary.decode(q, self._list, self.info, self._noise, self.gamma, paths)
        return u, np.where(np.isfinite(cost), 0, -1)

    @cached_property
    def trusted_distances(self) -> tuple[int, int]:
        """Hamming distances up to which a consistent result of plain and of list decoding is final (p = 2).

        A word with no more errors than is usual there rarely decodes wrongly, and of the wrong results only one in
        2^(K − source bits) looks consistent; a word with more errors earns a longer list. Measured: as good
        as with the longest list alone.
        """
        if self.config.p > 2:
            return self.config.m, self.config.m
        usual = [effective_noise(2, self.design_snr_db - gain)[1] for gain in TRUST_GAINS_DB]
        return math.floor(self.config.m * usual[0]), math.floor(self.config.m * usual[1])
