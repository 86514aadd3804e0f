"""One chunk of vectors through every implementation, compared with the reference."""

import time
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.bundle import Bundle
from qcskit.codec.codecs import load_codec
from qcskit.codec.errors import QcsError
from qcskit.codec.evidence import Evidence, common_parts
from qcskit.codec.interface import Codec, Packets
from qcskit.codec.metrics import Clipped
from qcskit.codec.own_data import OwnData
from qcskit.firmware import HostCodec, build_parts, host_compiler
from qcskit.firmware_sim.config import SimulateConfig
from qcskit.firmware_sim.implementations import (
    Implementation,
    board_implementations,
    host_codec,
    host_library,
    implementations,
    oracle_implementations,
)
from qcskit.firmware_sim.vectors import CHUNK_VECTORS, Part, chunk_count, draw_chunk, golden_chunk, own_chunk
from qcskit.firmware_sim.verdict import CountsCheck, Mismatch, RecoveryFacts, Tally, recovery_of

_STEP = 8192
_SENSED = ("source", "data")
"""Sets that a sensor gives: how many of their counts are clipped says something."""


@dataclass(frozen=True)
class ChunkResult:
    """What one chunk gave: a tally per implementation, vectors per set, the first mismatch of those that must agree."""

    number: int
    tallies: tuple[Tally, ...]
    sets: dict[str, int]
    mismatch: Mismatch | None
    recovery: RecoveryFacts | None
    clipped: dict[str, Clipped] = field(default_factory=dict)
    guarded: dict[str, int] = field(default_factory=dict)


class Checker:
    """The implementations of one bundle, made once per process; checks chunk after chunk."""

    def __init__(self, bundle: Bundle, config: SimulateConfig, data: OwnData | None = None) -> None:
        self.config, self.codec, self.data = config, load_codec(bundle), data
        self.host = host_codec(self.codec, config.compiler)
        oracles, no_oracle = oracle_implementations(self.codec, config)
        boards, no_board = board_implementations(self.codec, config.boards, config.board_vectors)
        self.not_run = no_oracle | no_board
        self.own = 0 if data is None else len(data.counts)
        """How many vectors of the user's own there are."""
        self.found: list[Implementation] = [*implementations(self.codec, self.host), *oracles, *boards]
        self.defined = any(implementation.role == "oracle" for implementation in oracles)
        """Whether the codec's definition is compared with."""

    @cached_property
    def evidence(self) -> Evidence:
        """All that runs here; processes change nothing."""
        config, compiler = self.config, self.config.compiler or host_compiler()
        parts = common_parts(self.codec.bundle)
        parts |= {"configuration": config.model_dump_json(exclude={"processes"})}
        parts |= {} if self.data is None else {"data": self.data.evidence}
        parts |= build_parts(host_library(self.codec, config.compiler), compiler)
        for implementation in self.found:
            parts |= {f"{name} of {implementation.name}": text for name, text in implementation.parts.items()}
        return Evidence.of(parts)

    def chunk(self, number: int) -> ChunkResult:
        """Check chunk `number`; −1 is the golden vectors, which the file's own packets must answer as well.

        The chunks of the user's own data follow those that are drawn; everyone computes all of them.
        """
        golden, own = number < 0, number - chunk_count(self.config)
        whole = golden or own >= 0
        if golden:
            parts = golden_chunk(self.codec)
        elif whole:
            assert self.data is not None
            parts = own_chunk(self.data, own)
        else:
            parts = draw_chunk(self.codec, self.config.seed, number, chunk_vectors(self.config, number))
        chosen = [None if whole or i.limit is None else share(i.limit, self.config, number) for i in self.found]
        tallies = [Tally(name=i.name, role=i.role) for i in self.found]
        stored = Tally(name="golden file", role="must agree")
        mismatch, recovery = None, RecoveryFacts() if self.codec.exact else None
        first, guarded = 0, {}
        for part in parts:
            reference, wrong = self._compare(part, first, chosen, tallies)
            first += len(part.values)
            if golden:
                differs = reference.differ(self._stored(part.name))
                stored = stored.plus(Tally(name="", role="", vectors=len(differs), mismatches=int(differs.sum())))
                wrong |= differs
            if mismatch is None and wrong.any():
                mismatch = self._describe(number, part, int(np.flatnonzero(wrong)[0]))
            marks = self.codec.guarded(reference) if part.name in _SENSED else None
            if marks is not None:
                guarded[part.name] = int(marks.sum())
            if recovery is not None and part.x is not None:
                recovery = recovery.plus(recovery_of(self.codec.decode(reference), part.x))
        sets = {part.name: len(part.values) for part in parts}
        clipped = {part.name: self._clipped(part) for part in parts if part.name in _SENSED}
        return ChunkResult(number, (*tallies, *([stored] if golden else ())), sets, mismatch, recovery, clipped,
                           guarded)  # fmt: skip

    def _clipped(self, part: Part) -> Clipped:
        return Clipped.of(len(part.values), self.codec.clipped(part.values).mean(axis=0))

    def _compare(
        self, part: Part, first: int, chosen: list[NDArray[np.intp] | None], tallies: list[Tally]
    ) -> tuple[Packets, NDArray[np.bool_]]:
        """Run every implementation on a part, add to the tallies; return the reference's packets, and who is wrong.

        first: the part's first vector in the chunk. chosen: vectors of the chunk that each one computes, None: all.
        """
        total, wrong = len(part.values), np.zeros(len(part.values), bool)
        reference = Packets.of([])
        for place, (implementation, numbers) in enumerate(zip(self.found, chosen, strict=True)):
            own = np.arange(total) if numbers is None else numbers - first
            own = own[(own >= 0) & (own < total)]
            if not len(own) or (implementation.inputs_only and part.values.dtype != np.int8):
                continue
            start = time.perf_counter()
            packets = implementation.encode(part.values[own])
            seconds = time.perf_counter() - start
            if place == 0:
                reference = packets
            differs = packets.differ(reference if len(own) == total else reference.select(own))
            more = Tally(name="", role="", vectors=len(own), mismatches=int(differs.sum()), seconds=seconds)
            tallies[place] = tallies[place].plus(more)
            if implementation.role != "reported":
                wrong[own] |= differs
        return reference, wrong

    def _stored(self, name: str) -> Packets:
        """Return the packets that the bundle stores for a part of the golden chunk."""
        vectors, prefix = self.codec.bundle.vectors, "input_" if name == "golden inputs" else ""
        return Packets(vectors[f"{prefix}packed"], vectors[f"{prefix}packed_offsets"])

    def _describe(self, number: int, part: Part, frame: int) -> Mismatch:
        """Return the vector and what everyone makes of it, including those that had skipped it."""
        values = part.values[frame : frame + 1]
        taking = [i for i in self.found if not i.inputs_only or values.dtype == np.int8]
        packets = {implementation.name: implementation.encode(values)[0] for implementation in taking}
        if number < 0:
            packets["golden file"] = self._stored(part.name)[frame]
        return Mismatch(
            chunk=number, frame=frame, set=part.name, input=values[0].tolist(),
            packets={name: packet.hex() for name, packet in packets.items()},
            explained={name: explained(self.codec, packet) for name, packet in packets.items()},
        )  # fmt: skip


def explained(codec: Codec, packet: bytes) -> list[int] | str:
    """Return the numbers that a packet stands for, or why it stands for none."""
    try:
        return list(codec.explain(packet))
    except QcsError as error:
        return str(error)


def check_counts(codec: Codec, host: HostCodec, defined: bool) -> CountsCheck:
    """Compare on all 65,536 counts: the C with NumPy with every count at every input; if `defined`, the integers with
    the codec's definition.
    """
    every = np.arange(-32768, 32768).astype(np.int16)
    definition: int | None = 0 if defined else None
    wrong_counts, encoded_wrong, m = [], 0, codec.inputs
    shifts = (np.arange(m) * max(1, 65536 // m)).astype(np.uint16)
    for start in range(0, len(every), _STEP):
        part = every[start : start + _STEP]
        if definition is not None:
            rows = np.repeat(part[:, None], m, axis=1)
            differs = codec.encode_counts(rows).differ(codec.definition(rows))
            definition += int(differs.sum())
            wrong_counts += part[differs].tolist()
        vectors = (part.view(np.uint16)[:, None] + shifts).view(np.int16)
        answer = host.encode(vectors)
        encoded_wrong += int(Packets.rows(answer.rows, answer.lengths).differ(codec.encode_counts(vectors)).sum())
    front_end = _front_end_differs(codec, host, every)
    if front_end is not None:
        wrong_counts += every[front_end].tolist()
    return CountsCheck(
        counts=len(every), definition_mismatches=definition,
        front_end_mismatches=None if front_end is None else int(front_end.sum()),
        first_mismatch=min(wrong_counts) if wrong_counts else None, encoded_vectors=len(every),
        encoded_mismatches=encoded_wrong,
    )  # fmt: skip


def _front_end_differs(codec: Codec, host: HostCodec, counts: NDArray[np.int16]) -> NDArray[Any] | None:
    if not codec.takes_inputs:
        return None
    rows = np.repeat(counts[:, None], codec.inputs, axis=1)
    found = host.network_input(rows)
    if found is None:
        raise codec.bundle.fail("its C text has no front end, its tables have one")
    differs: NDArray[Any] = (found != codec.network_input(rows)).any(axis=1)
    return differs


def chunk_vectors(config: SimulateConfig, number: int) -> int:
    """Return the vectors of chunk `number`."""
    return min(CHUNK_VECTORS, config.vectors - number * CHUNK_VECTORS)


def share(limit: int, config: SimulateConfig, number: int) -> NDArray[np.intp]:
    """Return which vectors of a chunk an implementation with a limit computes: over all chunks they are the limit.

    Evenly spaced from a random place, so that every set comes into it, in a long run with a small limit too.
    """
    vectors, begin = chunk_vectors(config, number), number * CHUNK_VECTORS
    limit = min(limit, config.vectors)
    count = (begin + vectors) * limit // config.vectors - begin * limit // config.vectors
    start = int(np.random.default_rng([config.seed, number, 1]).integers(vectors))
    return (np.arange(count, dtype=np.intp) * vectors + start) // max(count, 1)
