"""The C sources, the boards they run on, how to build them and how to start an emulated board.

Of qcskit it imports errors, files and the registry of codecs: simulation and hardware-in-the-loop runs stand on it.
"""

from qcskit.firmware.boards import PROOFS, Board, board_problems, boards, find_board, one_per_processor
from qcskit.firmware.build import build
from qcskit.firmware.cores import CORES, Core
from qcskit.firmware.counting import Counts, Place, count
from qcskit.firmware.emulator import Emulator, start
from qcskit.firmware.errors import DoesNotFitError, FirmwareError, MissingToolError, install_command
from qcskit.firmware.host import HostCodec, build_host_library, c_directory, host_compiler
from qcskit.firmware.provenance import build_parts, image_digest
from qcskit.firmware.running import BoardEncoder
from qcskit.firmware.sources import sources
from qcskit.firmware.tools import Tool, tool_report

__all__ = [
    "CORES", "PROOFS", "Board", "BoardEncoder", "Core", "Counts", "DoesNotFitError", "Emulator", "FirmwareError",
    "HostCodec", "MissingToolError", "Place", "Tool", "board_problems", "boards", "build", "build_host_library",
    "build_parts", "c_directory", "count", "find_board", "host_compiler", "image_digest", "install_command",
    "one_per_processor", "sources", "start", "tool_report",
]  # fmt: skip
