"""What can go wrong between host and board, each with the one line that the user reads."""

from qcskit.codec.errors import CheckFailedError, QcsError


class LinkError(QcsError):
    """The port cannot be opened or used."""


class LinkLostError(CheckFailedError):
    """The port was there and vanished: cable pulled, board unplugged, emulator ended."""


class SilentError(CheckFailedError):
    """Nothing valid came back for too long."""


class LineError(CheckFailedError):
    """The line between host and board changes bytes."""


class DeviceError(CheckFailedError):
    """The board answered, and its answer is that it cannot do this."""


class WrongDeviceError(QcsError):
    """The board answers, but is not the one meant: other model, other protocol version, no qcskit firmware."""
