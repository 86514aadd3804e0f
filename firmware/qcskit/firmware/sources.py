"""Where the C tree is: beside this package in a checkout, inside it in an installed wheel."""

from pathlib import Path

from qcskit.firmware.errors import FirmwareError


def sources() -> Path:
    """Return the directory that holds include/, src/, app/ and ports/.

    Raises FirmwareError if the installation lacks it.
    """
    package = Path(__file__).resolve().parent
    for root in (package / "c", package.parents[1]):
        if (root / "include" / "qcs.h").is_file() and (root / "src").is_dir():
            return root
    raise FirmwareError(f"the C sources are missing beside '{package}'; reinstall qcskit")
