"""Which serial ports are there, and which of them answer HELLO; boards by USB serial number."""

import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError
from serial.tools import list_ports

from qcskit.codec.config import Table, nearest
from qcskit.codec.errors import QcsError
from qcskit.codec.json_file import read_bounded
from qcskit.firmware.protocol.messages import Info
from qcskit.hil.device import Device

_PROBE_S, _PATIENCE_S = 0.6, 3.0
"""Time-out of a reply, and the silence that a board may need which restarts when its port is opened."""
_BENCH_BYTES = 1 << 20


@dataclass(frozen=True)
class PortFacts:
    """One port. vid, pid: USB ids in hex. info: what answered HELLO, else None and `note` says why.

    note of a port that answered: that opening it restarts the board, if so.
    """

    device: str
    description: str
    vid: str | None = None
    pid: str | None = None
    serial_number: str | None = None
    info: Info | None = None
    note: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return asdict(self)


class BenchBoard(Table):
    """One `[[board]]` of a bench file: a name and where it is, by USB serial number or by port."""

    name: str
    serial_number: str | None = None
    port: str | None = None
    baud: int | None = Field(default=None, ge=300, le=20_000_000)


class Bench(Table):
    """A bench file."""

    board: list[BenchBoard] = Field(default=[])


@dataclass(frozen=True)
class Target:
    """A board of a run: port, the label it has in tables, its own line rate if it has one."""

    port: str
    label: str
    baud: int | None = None


def find_ports(probe: bool, baud: int = 115_200, extra: tuple[str, ...] = ()) -> list[PortFacts]:
    """Return every serial port, and the pyserial URLs of `extra`; with `probe`, ask each for HELLO (all at once).

    Opening a port may reset its board (Arduino's DTR).
    """
    found = [
        PortFacts(p.device, p.description or "", _hex(p.vid), _hex(p.pid), p.serial_number)
        for p in sorted(list_ports.comports(), key=lambda p: str(p.device))
    ] + [PortFacts(url, "given") for url in extra]
    if not probe or not found:
        return found
    with ThreadPoolExecutor(len(found)) as pool:
        return list(pool.map(lambda facts: _probe(facts, baud), found))


def _probe(facts: PortFacts, baud: int) -> PortFacts:
    try:
        with Device.open(facts.device, baud=baud, timeout_s=_PROBE_S, give_up_s=_PATIENCE_S, reconnect_s=0) as board:
            again = "restarts when opened" if board.restarted_s is not None else ""
            return replace(facts, info=board.info, note=again)
    except QcsError as error:
        return replace(facts, note=str(error))


def _hex(number: int | None) -> str | None:
    return None if number is None else f"{number:04x}"


def read_bench(path: Path) -> list[Target]:
    """Return the boards of a bench file, found by USB serial number where it gives one.

    [[board]]
    name = "left"
    serial_number = "066BFF343339"

    Raises QcsError naming the board that is not plugged in, an unknown key, or two boards of one name.
    """
    there = {str(p.serial_number): str(p.device) for p in list_ports.comports() if p.serial_number}
    targets = []
    for board in _boards(path):
        port = board.port if board.serial_number is None else there.get(board.serial_number)
        if port is None and board.serial_number is None:
            raise QcsError(f"bench '{path}': board '{board.name}' needs serial_number or port")
        if port is None:
            known = ", ".join(sorted(there)) or "none"
            raise QcsError(f"bench '{path}': board '{board.name}' (serial number {board.serial_number}) is not "
                           f"plugged in; serial numbers there: {known}")  # fmt: skip
        targets.append(Target(port, board.name, board.baud))
    return targets


def _boards(path: Path) -> list[BenchBoard]:
    try:
        text = read_bounded(path, "bench", _BENCH_BYTES).decode()
        boards = Bench.model_validate(tomllib.loads(text)).board
    except ValidationError as error:
        first = error.errors()[0]
        *table, key = map(str, first["loc"])
        known = list((BenchBoard if table else Bench).model_fields)
        reason = f"unknown; {nearest(key, known)}" if first["type"] == "extra_forbidden" else first["msg"]
        raise QcsError(f"bench '{path}': key '{'.'.join([*table, key])}': {reason}") from None
    except (ValueError, RecursionError) as error:
        raise QcsError(f"bench '{path}' is not valid TOML: {error}") from None
    if not boards:
        raise QcsError(f"bench '{path}' names no board; write [[board]] tables with name and serial_number or port")
    if len({board.name for board in boards}) != len(boards):
        raise QcsError(f"bench '{path}': two boards have the same name")
    return boards
