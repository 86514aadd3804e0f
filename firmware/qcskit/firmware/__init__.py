"""The C sources, the boards they run on, how to build them and how to start an emulated board.

Imports nothing else of qcskit: simulation and hardware-in-the-loop runs both stand on it.
"""

from qcskit.firmware.errors import FirmwareError, MissingToolError
from qcskit.firmware.host import HostCodec, HostModel, build_host_library
from qcskit.firmware.sources import sources

__all__ = [
    "FirmwareError",
    "HostCodec",
    "HostModel",
    "MissingToolError",
    "build_host_library",
    "sources",
]
