"""What a shell offers behind TAB is what the kit knows, from what is typed on."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest

from qcskit.cli import completion


@pytest.mark.parametrize(
    ("offer", "typed", "found"),
    [
        (completion.settings, "classical.lev", ["classical.levels="]),
        (completion.boards, "cortex-m4", ["cortex-m4"]),
        (completion.ports, "emu:cortex-m4", ["emu:cortex-m4"]),
        (completion.codecs, "code", ["coded"]),
        (completion.methods, "ce-usq-m", ["ce-usq-mmse"]),
        (completion.packages, "ardu", ["arduino"]),
        (completion.packet_formats, "bi", ["bin"]),
        (completion.variants, "no such", []),
        (completion.counts_or_units, "un", ["units"]),
    ],
)
def test_what_begins_so_is_offered(offer: Callable[[str], list[str]], typed: str, found: list[str]) -> None:
    assert offer(typed) == found
    assert set(found) < set(offer(""))


def test_serial_ports_are_offered_beside_emulated_boards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serial.tools.list_ports.comports", lambda: [SimpleNamespace(device="/dev/ttyX")])
    assert completion.ports("/dev") == ["/dev/ttyX"]
    assert completion.ports("")[-1] == "/dev/ttyX"
    assert all(port.startswith("emu:") for port in completion.ports("")[:-1])
