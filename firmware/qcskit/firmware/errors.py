"""What goes wrong with firmware, each with the one line that the user reads."""

from qcskit.codec.errors import QcsError


class FirmwareError(QcsError):
    """A build failed, a board is unknown, or an emulator did not do what it should."""


class DoesNotFitError(FirmwareError):
    """A board has not the memory for a model; the message says how much is needed."""


def install_command(*packages: str) -> str:
    """Return the command that installs Debian packages, and Python packages, which are called "pip:<name>".

    >>> install_command("avrdude", "pip:pyocd", "stm32flash")
    'sudo apt-get install avrdude stm32flash; pip install pyocd'
    """
    python = [name.removeprefix("pip:") for name in packages if name.startswith("pip:")]
    debian = [name for name in packages if not name.startswith("pip:")]
    commands = []
    if debian:
        commands.append(f"sudo apt-get install {' '.join(debian)}")
    if python:
        commands.append(f"pip install {' '.join(python)}")
    return "; ".join(commands)


class MissingToolError(FirmwareError):
    """A compiler or emulator is not installed; the message names its package."""

    def __init__(self, tool: str, package: str, purpose: str) -> None:
        super().__init__(f"{tool} is not installed ({purpose}); run '{install_command(package)}'")
        self.tool, self.package = tool, package
