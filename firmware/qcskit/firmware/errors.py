"""What goes wrong with firmware, each with the one line that the user reads."""

from qcskit.codec.errors import QcsError


class FirmwareError(QcsError):
    """A build failed, a board is unknown, or an emulator did not do what it should."""


class DoesNotFitError(FirmwareError):
    """A board has not the memory for a model; the message says how much is needed."""


class MissingToolError(FirmwareError):
    """A compiler or emulator is not installed; the message names the Debian package."""

    def __init__(self, tool: str, package: str, purpose: str) -> None:
        super().__init__(f"{tool} is not installed ({purpose}); run 'sudo apt-get install {package}'")
        self.tool, self.package = tool, package
