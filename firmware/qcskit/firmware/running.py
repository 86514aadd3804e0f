"""A model on an emulated board as a function: inputs in, packed bytes out."""

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from qcskit.firmware.boards import Board, find_board
from qcskit.firmware.build import build
from qcskit.firmware.emulator import Emulator, start
from qcskit.firmware.errors import FirmwareError
from qcskit.firmware.protocol.messages import Answers, Info
from qcskit.firmware.protocol.wire import Wire

_ANSWER_S = 120.0
"""How long one batch may take; emulators share the machine with each other."""


class BoardEncoder:
    """Builds a model's firmware for a board and starts it at the first `encode`; `stop` ends the emulator.

    It also ends with this process. c_dir, model_name: as for `build`.
    """

    def __init__(self, board: str | Board, c_dir: Path, model_name: str) -> None:
        self.board = find_board(board) if isinstance(board, str) else board
        self._elf = build(self.board, c_dir, model_name)
        self._running: tuple[Emulator, Wire, Info] | None = None

    def encode(self, x: NDArray[Any]) -> Answers:
        """Return the answers to int8 network inputs or int16 ADC counts (packets, inputs).

        Raises FirmwareError with what the emulator printed if it does not answer.
        """
        emulator, wire, info = self._running = self._running or self._start()
        try:
            return wire.encode(info, x)
        except OSError as error:  # TimeoutError is one
            printed = emulator.log.strip()
            raise FirmwareError(
                f"board '{self.board.name}' stopped answering ({error}); it printed: {printed}"
            ) from None

    def stop(self) -> None:
        """End the emulator; a later `encode` starts it again."""
        if self._running is not None:
            self._running[1].__exit__()
            self._running[0].stop()
        self._running = None

    def _start(self) -> tuple[Emulator, Wire, Info]:
        emulator = start(self.board, self._elf)
        wire = Wire(emulator.url, _ANSWER_S)
        return emulator, wire, wire.info()
