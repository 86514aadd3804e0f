"""The implementations that must agree, each one function: counts or network inputs (vectors, inputs) → packets."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from qcskit import firmware
from qcskit.codec.errors import MissingLibraryError
from qcskit.codec.interface import Codec, Encode, Packets
from qcskit.firmware import HostCodec
from qcskit.firmware_sim.config import SimulateConfig

Role = Literal["reference", "must agree", "oracle", "reported"]


@dataclass(frozen=True)
class Implementation:
    """One way to compute the encoder.

    role: `reported` ones are counted but do not fail the check. limit: most vectors of a run it computes, None = all.
    inputs_only: it takes network inputs alone. parts: what a board's firmware is (`firmware.build_parts`).
    """

    name: str
    role: Role
    encode: Encode
    limit: int | None = None
    inputs_only: bool = False
    parts: Mapping[str, str] = field(default_factory=dict)


def host_library(codec: Codec, compiler: str | None = None) -> Path:
    """Return the codec's own C, compiled for this machine."""
    return firmware.build_host_library(firmware.c_directory(codec.checked_c_files()), compiler=compiler)


def host_codec(codec: Codec, compiler: str | None = None) -> HostCodec:
    """Return the codec's own C, loaded. Raises QcsError if it is of another model."""
    host = HostCodec(host_library(codec, compiler), f"qcs_{codec.name}_codec")
    if host.model_id != codec.bundle.manifest.model_id:
        raise codec.bundle.fail(f"the C text is of model {host.model_id}, manifest.json of "
                                f"{codec.bundle.manifest.model_id}")  # fmt: skip
    return host


def implementations(codec: Codec, host: HostCodec) -> list[Implementation]:
    """Return what must agree: NumPy first (the reference), then the C, compiled for this machine."""
    found = [
        Implementation("numpy", "reference", codec.encode_any),
        Implementation("c-host", "must agree", _packets(host.encode)),
    ]
    if host.has_block:
        found.append(Implementation("c-block", "must agree", _packets(host.encode_block), inputs_only=True))
    return found


def oracle_implementations(codec: Codec, config: SimulateConfig) -> tuple[list[Implementation], dict[str, str]]:
    """Return the codec's oracles, or why they are not run: a library that is missing."""
    limits = {"oracle": config.oracle_vectors, "reported": config.reported_vectors}
    try:
        oracles = codec.oracles() if any(limits.values()) else ()
    except MissingLibraryError as error:
        return [], {"oracle": str(error)}
    found = [Implementation(each.name, each.role, each.encode, limits[each.role]) for each in oracles]
    return [implementation for implementation in found if implementation.limit], {}


def board_implementations(codec: Codec, boards: str, limit: int) -> tuple[list[Implementation], dict[str, str]]:
    """Return one implementation per emulated board, and of the others why they are not run.

    boards: 'all' for one of each processor that is installed (`native` is C on the host), or names. The firmware is
    built now and started at the first vectors. Raises FirmwareError for an unknown board, a missing tool, or a named
    board that cannot hold the model.
    """
    every = boards == "all"
    if every:
        wanted = firmware.one_per_processor(firmware.boards().values())
    else:
        wanted = [firmware.find_board(name.strip()) for name in boards.split(",") if name.strip()]
    c_dir = firmware.c_directory(codec.checked_c_files()) if wanted else None
    found: list[Implementation] = []
    not_run: dict[str, str] = {}
    for board in wanted:
        try:
            assert c_dir is not None
            encode = firmware.BoardEncoder(board, c_dir, codec.name).encode
            parts = firmware.build_parts(firmware.build(board, c_dir, codec.name), board.compiler)
            found.append(Implementation(board.name, "must agree", _packets(encode), limit, parts=parts))
        except (firmware.DoesNotFitError, firmware.MissingToolError) as error:
            if not every:
                raise
            not_run[board.name] = str(error)
    return found, not_run


def _packets(encode: Callable[[NDArray[Any]], Any]) -> Encode:
    """Return an encoder of rows and lengths as one of packets."""

    def encode_packets(values: NDArray[Any]) -> Packets:
        answer = encode(np.ascontiguousarray(values))
        return Packets.rows(answer.rows, answer.lengths)

    return encode_packets
