"""`qcskit ports`: which serial ports are there and what answers on them."""

from typing import Annotated

import typer

from qcskit.cli.common import JsonOption, console, print_json
from qcskit.cli.sheet import Sheet


def ports(
    port: Annotated[list[str] | None, typer.Option("--port", "-p", help="Ask this pyserial URL as well.")] = None,
    baud: Annotated[int, typer.Option(help="Line rate of the question.")] = 115_200,
    probe: Annotated[bool, typer.Option(help="Ask each port for HELLO; opening may reset a board.")] = True,
    as_json: JsonOption = False,
) -> None:
    """List serial ports: USB ids, serial number, and which firmware answers."""
    from qcskit.hil.ports import find_ports

    found = find_ports(probe, baud, tuple(port or ()))
    if as_json:
        print_json({"ports": [facts.as_dict() for facts in found]})
        return
    if not found:
        none = "no serial port is there; emulated boards need none: --port emu:native ('qcskit boards')"
        console.print(none, highlight=False, soft_wrap=True)
        return
    table = Sheet("port", "USB id", "serial number", "what", "firmware", "model")
    for facts in found:
        usb = f"{facts.vid}:{facts.pid}" if facts.vid else ""
        firmware = f"{facts.info.firmware_version}, protocol {facts.info.protocol}" if facts.info else ""
        told = (facts.info.model_id if facts.info else "", facts.note or ("" if probe else "not asked"))
        model = ", ".join(filter(None, told))
        table.add_row(facts.device, usb, facts.serial_number or "", facts.description, firmware, model)
    console.print(table)
