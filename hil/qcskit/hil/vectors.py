"""The vectors of a run: the bundle's golden ones first, then fresh ones drawn from its source model."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from qcskit.codec import integer
from qcskit.codec.bundle import Bundle
from qcskit.codec.decoder import load_counts_codec
from qcskit.codec.interface import CountsCodec
from qcskit.codec.signal import SignalConfig, draw_frames
from qcskit.hil.stream import Vectors

BLOCK = 8192
_SEED_OFFSET = 7_000_003
"""Keeps clear of the seeds that training and export draw from."""

InputKind = Literal["int8", "counts"]


@dataclass(frozen=True)
class VectorSet:
    """`count` vectors of one bundle, reproducible from seed; `part(a, b)` gives any stretch of them."""

    bundle: Bundle
    count: int
    seed: int = 1
    kind: InputKind = "int8"
    _drawn: dict[int, tuple[NDArray[np.float64], NDArray[np.float64]]] = field(default_factory=dict, repr=False)
    """The block drawn last."""

    @cached_property
    def golden(self) -> int:
        """How many of them are golden vectors of the bundle."""
        return min(self.count, len(self.bundle.golden_inputs))

    def part(self, start: int, stop: int) -> tuple[Vectors, NDArray[np.float64]]:
        """Return inputs (stop − start, M) as the board takes them, and sources x (stop − start, N)."""
        inputs, sources = [], []
        if start < self.golden:
            cut = slice(start, min(stop, self.golden))
            name = "input" if self.kind == "int8" else "counts"
            inputs.append(self.bundle.vectors[name][cut])
            sources.append(self.bundle.vectors["x"][cut])
        first, last = max(start - self.golden, 0), stop - self.golden
        while first < last:
            block = first // BLOCK
            cut = slice(first - block * BLOCK, min(last - block * BLOCK, BLOCK))
            x, y = self._draw(block)
            inputs.append(self._input(y[cut]))
            sources.append(x[cut])
            first = (block + 1) * BLOCK
        return np.concatenate(inputs), np.concatenate(sources)

    def inputs(self) -> Vectors:
        """Return all inputs (count, M)."""
        steps = range(0, self.count, BLOCK)
        return np.concatenate([self.part(a, min(a + BLOCK, self.count))[0] for a in steps])

    def expected(self, inputs: Vectors) -> NDArray[np.uint8]:
        """Return what the NumPy reference packs for these inputs."""
        tables = self.bundle.tables
        if inputs.dtype == np.int16:
            return integer.encode_packed(tables, integer.quantize_counts(tables.front_end, inputs.astype(np.int16)))
        return integer.encode_packed(tables, inputs.astype(np.int8))

    def _draw(self, block: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        if block not in self._drawn:
            facts = self.bundle.manifest.signal
            config = SignalConfig.model_validate(facts.model_dump())
            self._drawn.clear()
            self._drawn[block] = draw_frames(config, BLOCK, _SEED_OFFSET + self.seed * 1_000_003 + block)
        return self._drawn[block]

    def _input(self, y: NDArray[np.float64]) -> NDArray[Any]:
        if self.kind == "int8":
            return self.bundle.quantize_input(y)
        return self.bundle.to_counts(y)


class CountsVectorSet(VectorSet):
    """Vectors of a bundle whose device takes ADC counts only, drawn from the bundle's source."""

    @cached_property
    def _codec(self) -> CountsCodec:
        codec = load_counts_codec(self.bundle)
        assert codec is not None
        return codec

    @cached_property
    def golden(self) -> int:
        """How many of them are golden vectors of the bundle."""
        return min(self.count, len(self.bundle.vectors["counts"]))

    def expected(self, inputs: Vectors) -> NDArray[np.uint8]:
        """Return what the codec's integers pack for these counts."""
        return self._codec.encode_counts(inputs)

    def _draw(self, block: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        if block not in self._drawn:
            self._drawn.clear()
            x, y = self._codec.draw(BLOCK, [_SEED_OFFSET, self.seed, block])
            self._drawn[block] = x.astype(np.float64), y
        return self._drawn[block]

    def _input(self, y: NDArray[np.float64]) -> NDArray[Any]:
        return self._codec.counts(y)


def vector_set(bundle: Bundle, count: int, seed: int, kind: InputKind) -> VectorSet:
    """Return the vectors of a run; some bundles take counts whatever `kind` says."""
    if bundle.counts_only:
        return CountsVectorSet(bundle, count, seed, "counts")
    return VectorSet(bundle, count, seed, kind)
