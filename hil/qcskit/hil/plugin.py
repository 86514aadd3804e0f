"""pytest plugin: a user's test talks to a board as prose (docs/hil.md).

Options --qcs-bundle, --qcs-port, --qcs-board, --qcs-baud, or the keys qcs_bundle, qcs_port … of the ini file; fixtures
qcs_codec, qcs_bundle, qcs_device; marker hardware.
The transcript of the link is attached to a failing test. Nothing heavy is imported before a test asks for it.
"""

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from qcskit.codec.bundle import Bundle
    from qcskit.codec.interface import Codec
    from qcskit.hil.device import Device


_OPTIONS = {
    "bundle": ("DIR", "", "bundle that 'qcskit export' wrote; in an ini file relative to it"),
    "port": ("PORT", "", "serial device or pyserial URL of a real board"),
    "board": ("NAME", "native", "emulated board if no port is given (native)"),
    "baud": ("N", "115200", "line rate of the port (115200)"),
}
"""Name → value, default, help: of the option --qcs-NAME, and of the key qcs_NAME of pytest.ini or pyproject.toml."""


def _asked(config: pytest.Config, name: str) -> str:
    """Return what the command line says, else the ini file."""
    given = config.getoption(f"--qcs-{name}")
    found = config.getini(f"qcs_{name}") if given is None else given
    if name == "bundle" and given is None and found and config.inipath:
        return str(config.inipath.parent / found)
    return str(found)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("qcskit", "boards with qcskit firmware")
    for name, (value, default, words) in _OPTIONS.items():
        group.addoption(f"--qcs-{name}", metavar=value, help=words)
        parser.addini(f"qcs_{name}", words, default=default)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line("markers", "hardware: needs a board on a serial port (--qcs-port)")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip tests marked `hardware` unless a port is given."""
    if _asked(config, "port"):
        return
    skip = pytest.mark.skip(reason="needs a board on a serial port: --qcs-port /dev/ttyACM0")
    for item in items:
        if item.get_closest_marker("hardware"):
            item.add_marker(skip)


@pytest.fixture(scope="session")
def qcs_codec(request: pytest.FixtureRequest) -> "Codec":
    """The codec of --qcs-bundle, the bundle's hashes checked."""
    from qcskit.codec.codecs import open_codec
    from qcskit.codec.errors import QcsError

    path = _asked(request.config, "bundle")
    if not path:
        pytest.fail("give the bundle: pytest --qcs-bundle DIR, or qcs_bundle in the ini file", pytrace=False)
    try:
        return open_codec(path)
    except QcsError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def qcs_bundle(qcs_codec: "Codec") -> "Bundle":
    """The bundle itself: manifest, golden vectors."""
    return qcs_codec.bundle


@pytest.fixture(scope="session")
def _qcs_open_device(request: pytest.FixtureRequest, qcs_codec: "Codec") -> "Iterator[Device]":
    from qcskit.codec.errors import QcsError
    from qcskit.hil.device import Device

    config = request.config
    port, baud = _asked(config, "port") or f"emu:{_asked(config, 'board')}", _asked(config, "baud")
    if not baud.isdecimal():
        pytest.fail(f"--qcs-baud {baud}: expected a line rate such as 115200", pytrace=False)
    try:
        device = Device.open(port, qcs_codec, baud=int(baud))
    except QcsError as error:
        pytest.fail(str(error), pytrace=False)
    with device:
        yield device


@pytest.fixture
def qcs_device(_qcs_open_device: "Device") -> "Device":
    """The board: opened once per session, its model checked against the codec; a fresh transcript per test."""
    _qcs_open_device.exchange.transcript.clear()
    return _qcs_open_device


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, None]:
    """Attach the transcript of the link to a failing test."""
    outcome = yield
    report = outcome.get_result()
    device = getattr(item, "funcargs", {}).get("qcs_device")
    if report.failed and device is not None:
        report.sections.append(("qcs link", str(device.exchange.transcript)))
