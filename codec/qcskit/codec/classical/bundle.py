"""A bundle of a classical codec with scalar quantizers: thresholds in ADC counts for the device, a host decoder.

tables.npz: `thresholds` int16 (M, I−1), the first counts of the next cell, ascending; `points` (M, I), what indices
are rebuilt as; `dictionary` (M, N) = Φ Ψ and, unless Ψ is the identity, `basis` (N, N) = Ψ. Which decoder, and what was
fitted for it, stands in the manifest.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from qcskit.codec import codecs
from qcskit.codec.arrays import check_ascending, check_finite, check_names, take_table
from qcskit.codec.bundle import Bundle, CodecFacts
from qcskit.codec.classical._source import analyse, dictionary
from qcskit.codec.classical.codecs import quantize
from qcskit.codec.classical.recovery import Front, Recover, decoder_name, recover_with
from qcskit.codec.errors import QcsError
from qcskit.codec.files import tables_id
from qcskit.codec.indexed import Index, IndexCodec
from qcskit.codec.interface import Array, Counts, Oracle
from qcskit.codec.packing import Packing
from qcskit.codec.sensor import CountGrid, grid_of
from qcskit.codec.text import CModel, c_files, c_struct, c_table, id_bytes

TABLES_VERSION = 1
"""Version of the integers' meaning; the model id depends on it."""


class Facts(CodecFacts):
    """The classical codec of a bundle: its name, and what was fitted for its decoder."""

    kind: Literal["classical"] = "classical"
    method: str
    levels: int
    packed_bits: int
    tuning: dict[str, float]
    train_frames: int
    seed: int


def model_id(facts: Facts, arrays: Mapping[str, NDArray[Any]], grid: CountGrid) -> str:
    """Return the id of all that device and decoder must agree on, as 16 hex digits."""
    word = f"qcs-classical-{TABLES_VERSION}:{facts.method}:{sorted(facts.tuning.items())}"
    return tables_id(f"{word}:{grid.step!r}:{grid.centre!r}", arrays)


@dataclass(frozen=True)
class CountCells:
    """The device's quantizers: `thresholds` int16 (M, I−1) in ADC counts, and what a count is on the codec's scale."""

    thresholds: NDArray[np.int16]
    grid: CountGrid

    @cached_property
    def edges(self) -> Array:
        """Thresholds on the codec's own scale: halfway between the count that reaches one and the count below."""
        return (self.thresholds.astype(np.float64) - self.grid.centre - 0.5) * self.grid.step

    def index(self, counts: Counts) -> Index:
        """Return the indices (frames, M) of ADC counts (frames, M): how many thresholds are <= count."""
        rows = zip(self.thresholds, counts.T, strict=True)
        return np.stack([np.searchsorted(row, column, side="right") for row, column in rows], axis=1).astype(np.uint8)


def count_cells(thresholds: Array, grid: CountGrid) -> CountCells:
    """Return the integer thresholds of real ones (M, I−1) that lie halfway between counts.

    Raises QcsError if one is outside int16.
    """
    counts = np.rint(thresholds / grid.step + 0.5 + grid.centre)
    worst = float(counts.flat[np.abs(counts).argmax()])
    if abs(worst) > 32767:
        raise QcsError(f"a threshold at {worst:.0f} ADC counts is outside int16; lower adc.bits or "
                       f"adc.offset_counts")  # fmt: skip
    return CountCells(counts.astype(np.int16), grid)


class ClassicalCodec(IndexCodec):
    """A bundle's classical codec. cells: what the device does. recover: indices (packets, M) → coefficients."""

    def __init__(self, bundle: Bundle, facts: Facts, cells: CountCells, recover: Recover) -> None:
        inputs, steps = cells.thresholds.shape
        super().__init__(bundle, Packing(inputs, steps + 1), inputs)
        self.facts, self.cells, self._recover = facts, cells, recover

    def index(self, counts: Counts) -> Index:
        """Return the indices (packets, M) of counts (packets, M)."""
        return self.cells.index(counts)

    def decode_index(self, index: Index) -> Array:
        """Return x_hat (packets, N) of indices (packets, M)."""
        if not len(index):
            return np.empty((0, self.width))
        c, psi = self._recover(index), self.bundle.arrays.get("basis")
        return c if psi is None else c @ psi.T

    def oracles(self) -> tuple[Oracle, ...]:
        """Return the definition: the cells in which the measurements lie that counts stand for, in floating point."""
        grid, edges = self.cells.grid, self.cells.edges

        def encode(counts: Counts) -> Any:
            return self.pack(quantize(edges, (counts.astype(np.float64) - grid.centre) * grid.step))

        return (Oracle("definition", "oracle", encode),)

    def c_files(self) -> dict[str, str]:
        """Return the C text that the thresholds make."""
        packing, model = self.packing, self.bundle.manifest
        members = {
            "id": id_bytes(model.model_id), "inputs": self.inputs, "levels": packing.levels,
            "packed_bytes": packing.packed_bytes, "group_symbols": packing.group[0], "group_bits": packing.group[1],
            "thresholds": "thresholds",
        }  # fmt: skip
        table = c_table("thresholds", self.cells.thresholds, "QCS_ROM")
        return c_files(CModel(
            self.name, model.model_id, f"{self.facts.method}: {self.inputs} measurements, {packing.levels} cells each, "
            f"{packing.packed_bits} bits per vector.", "classical", codecs.find_family(self.kind).number, self.inputs,
            packing.packed_bytes, f"{table}\n\nstatic const qcs_classical_model_t model = {c_struct(members)};\n",
            outputs=packing.count, levels=packing.levels,
        ), self.sensor_macros())  # fmt: skip

    def describe(self) -> dict[str, str]:
        """Return method, quantizers and fit in words."""
        facts = self.facts
        fitted = ", ".join(f"{key} {value:.4g}" for key, value in facts.tuning.items()) or "nothing"
        return {
            "method": facts.method,
            "quantizer": f"{facts.levels} cells per measurement, thresholds between ADC counts",
            "fitted": f"{fitted}; on {facts.train_frames:,} frames",
            **self.size_rows(),
        }


def read(bundle: Bundle) -> ClassicalCodec:
    """Return the codec of a classical bundle. Raises QcsError if its tables are not those that its id names."""
    facts, manifest, arrays = bundle.manifest.codec, bundle.manifest, bundle.arrays
    assert isinstance(facts, Facts)
    grid = grid_of(manifest.signal, manifest.adc)
    found = model_id(facts, arrays, grid)
    if found != manifest.model_id:
        raise bundle.fail(f"tables.npz is of model {found}, manifest.json of {manifest.model_id}")
    m, n = manifest.inputs, manifest.signal.n
    bundle.check_equal("signal.m", manifest.signal.m, m, "inputs of manifest.json")
    try:
        cells = CountCells(take_table(arrays, "thresholds", np.int16, (m, facts.levels - 1)), grid)
        check_ascending("thresholds", cells.thresholds)
        front = Front(cells.edges, take_table(arrays, "points", np.float64, (m, facts.levels)))
        phi_psi = take_table(arrays, "dictionary", np.float64, (m, n))
        if "basis" in arrays:
            take_table(arrays, "basis", np.float64, (n, n))
        check_names(arrays, {"thresholds", "points", "dictionary", "basis"})
        for name in arrays:
            check_finite(name, arrays[name])
    except QcsError as error:
        raise bundle.fail(f"tables.npz does not go with manifest.json: {error}") from None
    try:
        recover = recover_with(decoder_name(facts.method), facts.tuning, front, phi_psi, bundle.signal.s)
    except KeyError as error:
        raise bundle.fail(f"manifest.json: tuning holds no {error}") from None
    codec = ClassicalCodec(bundle, facts, cells, recover)
    bundle.check_equal("codec.packed_bits", facts.packed_bits, codec.packing.packed_bits)
    _check_source(bundle, phi_psi)
    return codec


def _check_source(bundle: Bundle, phi_psi: Array) -> None:
    """Raise QcsError that names a key of `signal` which is not the source that the decoder was fitted to."""
    signal = bundle.signal
    if not np.allclose(dictionary(signal, bundle.sensor.phi), phi_psi, rtol=0, atol=1e-6):
        raise bundle.fail(f"manifest.json: signal.matrix '{signal.matrix}' and signal.basis '{signal.basis}' do not "
                          "give the dictionary of tables.npz")  # fmt: skip
    if signal.source != "recorded" and bundle.has("vectors.npz"):
        nonzero = (np.abs(analyse(signal, bundle.vectors["x"])) > 1e-9).sum(axis=1)
        bundle.check_equal("signal.s", signal.s, int(nonzero.max()), "vectors.npz")
