"""Errors a user can act on; the command line prints the message and exits with `exit_code`."""


class FirmwareError(Exception):
    """A build failed, a board is unknown, or an emulator did not do what it should."""

    exit_code = 2


class MissingToolError(FirmwareError):
    """A compiler or emulator is not installed; the message names the Debian package."""

    def __init__(self, tool: str, package: str, purpose: str) -> None:
        super().__init__(f"{tool} is not installed ({purpose}); run 'sudo apt-get install {package}'")
        self.tool, self.package = tool, package
