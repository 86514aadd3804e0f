"""The C sources, the boards they run on, how to build them and how to start an emulated board.

Imports nothing else of qcskit: simulation and hardware-in-the-loop runs both stand on it.
"""

from qcskit.firmware.boards import Board, boards, find_board
from qcskit.firmware.build import build
from qcskit.firmware.counting import Counts, Place, count, count_instructions
from qcskit.firmware.emulator import Emulator, start
from qcskit.firmware.errors import FirmwareError, MissingToolError
from qcskit.firmware.host import HostCodec, HostModel, build_host_library
from qcskit.firmware.running import BoardEncoder
from qcskit.firmware.sources import sources
from qcskit.firmware.tools import Tool, tool_report

__all__ = [
    "Board",
    "BoardEncoder",
    "Counts",
    "Emulator",
    "FirmwareError",
    "HostCodec",
    "HostModel",
    "MissingToolError",
    "Place",
    "Tool",
    "boards",
    "build",
    "build_host_library",
    "count",
    "count_instructions",
    "find_board",
    "sources",
    "start",
    "tool_report",
]
