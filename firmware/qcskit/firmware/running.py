"""A model on an emulated board as a function: vectors in, packed bytes out."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcskit.firmware.boards import Board, find_board
from qcskit.firmware.build import build
from qcskit.firmware.emulator import Emulator, start
from qcskit.firmware.errors import FirmwareError
from qcskit.firmware.wire import Info, Wire

_ANSWER_S = 120.0
"""How long one batch may take; emulators share the machine with each other."""


class BoardEncoder:
    """Builds a model's firmware for a board and starts it at the first `encode`; `stop` ends the emulator.

    It also ends with this process. c_dir, model_name: as for `build`.
    """

    def __init__(self, board: str | Board, c_dir: Path, model_name: str) -> None:
        self.board = find_board(board) if isinstance(board, str) else board
        self._elf = build(self.board, c_dir, model_name)
        self._emulator: Emulator | None = None
        self._wire: Wire | None = None
        self._info: Info | None = None

    def encode(self, x: NDArray[Any]) -> NDArray[np.uint8]:
        """Return packed bytes (frames, packed_bytes) of int8 network inputs or int16 ADC counts (frames, M).

        Raises FirmwareError with what the emulator printed if it does not answer.
        """
        wire, info = self._connected()
        if x.ndim != 2 or x.shape[1] != info.inputs or x.dtype not in (np.int8, np.int16):
            raise FirmwareError(f"board input is {x.dtype} of shape {x.shape}, expected (frames, {info.inputs})")
        kind, room = (2 if x.dtype == np.int16 else 1), info.rx_bytes - 16 - info.rx_bytes // 254
        batch = max(1, min(info.max_batch, room // (x.itemsize * info.inputs)))
        packed = np.empty((len(x), info.packed_bytes), np.uint8)
        try:
            for at in range(0, len(x), batch):
                part = np.ascontiguousarray(x[at : at + batch])
                reply = wire.ask(2, bytes([kind, len(part)]) + part.tobytes())
                rows = np.frombuffer(reply[2:], np.uint8).reshape(len(part), -1)
                packed[at : at + batch] = rows[:, reply[1] :]
        except (OSError, ValueError) as error:  # TimeoutError is an OSError
            printed = self._emulator.log.strip() if self._emulator else ""
            raise FirmwareError(
                f"board '{self.board.name}' stopped answering ({error}); it printed: {printed}"
            ) from None
        return packed

    def stop(self) -> None:
        """End the emulator; a later `encode` starts it again."""
        if self._wire is not None:
            self._wire.__exit__()
        if self._emulator is not None:
            self._emulator.stop()
        self._emulator = self._wire = None

    def _connected(self) -> tuple[Wire, Info]:
        if self._wire is None or self._info is None:
            self._emulator = start(self.board, self._elf)
            self._wire = Wire(self._emulator.url, _ANSWER_S)
            self._info = Info.parse(self._wire.ask(1))
        return self._wire, self._info
