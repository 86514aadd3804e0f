"""Which compilers and emulators this machine has, over all boards."""

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from qcskit.firmware.boards import boards, where_is
from qcskit.firmware.compile import tool_version


@dataclass(frozen=True)
class Tool:
    """One program: path and version ('' if not installed), its Debian package, the boards that need it."""

    name: str
    package: str
    path: str
    version: str
    boards: tuple[str, ...]


def tool_report() -> list[Tool]:
    """Return every program that any board needs, in the order of the boards."""
    users: dict[tuple[str, str], list[str]] = {}
    for board in boards().values():
        for need in board.tools:
            users.setdefault(need, []).append(board.name)
    report = []
    for (name, package), names in users.items():
        path = where_is(name)
        report.append(Tool(name, package, path, _version(path), tuple(names)))
    return report


def _version(path: str) -> str:
    if path.endswith(".h"):
        return "header found"
    if path.endswith(".py"):
        return f"Python package {version(Path(path).parent.name)}"
    return tool_version(path) if path else ""
