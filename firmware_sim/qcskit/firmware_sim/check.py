"""One chunk of vectors through every implementation, compared with the reference."""

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qcskit.codec import fast, integer
from qcskit.codec.bundle import Bundle
from qcskit.firmware_sim.implementations import Implementation, host_model, host_quantize
from qcskit.firmware_sim.vectors import Chunk
from qcskit.firmware_sim.verdict import CountsCheck, Mismatch, Tally


@dataclass(frozen=True)
class ChunkResult:
    """What one chunk gave: a tally per implementation, vectors per set, the first mismatch of those that must agree."""

    number: int
    tallies: tuple[Tally, ...]
    sets: dict[str, int]
    mismatch: Mismatch | None


def check_chunk(bundle: Bundle, found: list[Implementation], chunk: Chunk, shares: list[int]) -> ChunkResult:
    """Compare all implementations on a chunk; found[0] is the reference, shares[i] how many vectors found[i] computes.

    Golden chunks (number −1) are compared with the indices and packed bytes stored in the bundle as well.
    """
    reference, seconds = _timed(found[0], chunk.x)
    tallies = [Tally(name=found[0].name, role=found[0].role, vectors=len(chunk.x), seconds=seconds)]
    wrong = np.zeros(len(chunk.x), bool)
    for implementation, share in zip(found[1:], shares[1:], strict=True):
        chosen = _spread(len(chunk.x), share)
        packed, seconds = _timed(implementation, chunk.x[chosen])
        differs = (packed != reference[chosen]).any(axis=1)
        tallies.append(Tally(name=implementation.name, role=implementation.role, vectors=len(chosen),
                             mismatches=int(differs.sum()), seconds=seconds))  # fmt: skip
        if implementation.role != "reported":
            wrong[chosen] |= differs
    if chunk.number < 0:
        differs = _differs_from_golden(bundle, reference)
        tallies.append(
            Tally(name="golden file", role="must agree", vectors=len(differs), mismatches=int(differs.sum()))
        )
        wrong |= differs
    sets = {name: int((chunk.sets == i).sum()) for i, name in enumerate(chunk.names)}
    mismatch = _describe(bundle, found, chunk, int(np.flatnonzero(wrong)[0])) if wrong.any() else None
    return ChunkResult(chunk.number, tuple(tallies), sets, mismatch)


def check_counts(bundle: Bundle, compiler: str | None = None) -> CountsCheck:
    """Compare the ADC front end on all 65,536 counts, then the whole counts path with every count at every input."""
    front_end = bundle.tables.front_end
    counts = np.arange(-32768, 32768).astype(np.int16)
    reference = integer.quantize_counts(front_end, counts)
    differs = np.flatnonzero(host_quantize(front_end, counts, compiler) != reference)
    adc, grid = bundle.manifest.adc, bundle.input_grid
    exact = (counts.astype(np.float64) - adc.offset_counts) * adc.scale / grid.scale + grid.zero_point
    deviation = np.abs(exact.clip(-128, 127) - reference)
    # Two roundings: to 2^-right steps, then to whole ones; the multiplier itself is exact to 31 bits.
    right = max(-front_end.shift, 0)
    allowed = 0.5 + (2.0 ** -(right + 1) if right else 0.0) + 1e-3
    m = bundle.manifest.inputs
    vectors = (np.arange(-32768, 32768)[:, None] + np.arange(m) * (65536 // m)).astype(np.int16)
    packed = host_model(bundle, compiler).encode(vectors)
    expected = fast.encode_packed(bundle.tables, integer.quantize_counts(front_end, vectors))
    return CountsCheck(
        counts=len(counts), mismatches=len(differs),
        first_mismatch=int(counts[differs[0]]) if len(differs) else None,
        largest_deviation=float(deviation.max()), allowed_deviation=allowed, encoded_vectors=len(vectors),
        encoded_mismatches=int((packed != expected).any(axis=1).sum()),
    )  # fmt: skip


def _timed(implementation: Implementation, x: NDArray[np.int8]) -> tuple[NDArray[np.uint8], float]:
    start = time.perf_counter()
    packed = implementation.encode(x)
    return packed, time.perf_counter() - start


def _spread(frames: int, share: int) -> NDArray[np.intp]:
    """Return `share` frame numbers spread evenly over all sets of a chunk."""
    return np.arange(frames) if share >= frames else np.arange(share, dtype=np.intp) * frames // max(share, 1)


def _differs_from_golden(bundle: Bundle, packed: NDArray[np.uint8]) -> NDArray[np.bool_]:
    stored = bundle.vectors
    differs: NDArray[np.bool_] = (packed != stored["packed"]).any(axis=1)
    differs |= (bundle.packing.pack(np.asarray(stored["index"], np.uint8)) != packed).any(axis=1)
    grid = integer.quantize_counts(bundle.tables.front_end, np.asarray(stored["counts"], np.int16))
    return differs | (grid != stored["counts_input"]).any(axis=1)


def _describe(bundle: Bundle, found: list[Implementation], chunk: Chunk, frame: int) -> Mismatch:
    """Return the vector and what everyone makes of it, including those that had skipped it."""
    x = chunk.x[frame : frame + 1]
    packed = {implementation.name: implementation.encode(x) for implementation in found}
    if chunk.number < 0:
        packed["golden file"] = np.asarray(bundle.vectors["packed"], np.uint8)[frame : frame + 1]
    return Mismatch(
        chunk=chunk.number, frame=frame, set=chunk.names[chunk.sets[frame]], input=x[0].tolist(),
        indices={name: bundle.packing.unpack(bits)[0].tolist() for name, bits in packed.items()},
    )  # fmt: skip
