"""`qcskit flash`: a bundle's firmware onto a real board, and whether it runs there."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qcskit.cli.common import BundleArgument, JsonOption, QuietOption, console, print_json
from qcskit.cli.firmware import BoardOption, built
from qcskit.cli.layout import BUNDLE
from qcskit.codec.errors import CheckFailedError, QcsError

if TYPE_CHECKING:
    from qcskit.codec.interface import Codec
    from qcskit.firmware.flashing import Flashed

ANSWER_S = 10.0
"""How long a board may take to start and answer, once it is written."""


def flash(
    bundle: BundleArgument = BUNDLE,
    board: BoardOption = "",
    port: Annotated[str, typer.Option("--port", "-p", help="Serial port where the board answers.")] = "",
    tool: Annotated[str, typer.Option(help="Program that writes it; default: the first that is installed.")] = "",
    volume: Annotated[Path | None, typer.Option(help="Directory of the board's volume, if it is not found.")] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Write a bundle's firmware to a board, then ask the board: it must answer HELLO as this model.

    Exit code 0: it does. 1: it does not, whatever the tool said. 2: wrong use.
    """
    from qcskit.codec.codecs import open_codec

    if not board:
        raise QcsError("which board? Give --board, see 'qcskit boards'")
    done = write_firmware(open_codec(bundle), board, port, tool, volume)
    if json:
        print_json(done)
    elif not quiet:
        console.print(f"{done['port']} answers as model {done['model_id']}; written by {done['tool']}\n"
                      f"image SHA-256 {done['image_sha256']}", highlight=False, soft_wrap=True)  # fmt: skip
        if done["exit_code"]:
            console.print(f"attention: {done['tool']} ended with {done['exit_code']}; it may be the firmware of before",
                          highlight=False, soft_wrap=True)  # fmt: skip


def write_firmware(
    codec: "Codec", board: str, port: str = "", tool: str = "", volume: Path | None = None
) -> dict[str, Any]:
    """Build, write and ask. Return what was written where, and who answers.

    Raises QcsError if nothing here writes that board, CheckFailedError if no board answers as the codec's model.
    """
    from qcskit.firmware import find_board
    from qcskit.firmware.flashing import choose_tool
    from qcskit.firmware.flashing import flash as write

    entry = find_board(board)
    command = choose_tool(entry, tool, volume)
    elf, digest = built(codec, entry)
    written = write(entry, elf, command, port, volume)
    answers = _answering(codec, port, entry.baud, written)
    return {
        "board": entry.name, "port": answers, "model_id": codec.bundle.manifest.model_id, "tool": written.tool,
        "exit_code": written.exit_code, "image_sha256": digest,
    }  # fmt: skip


def flashed(codec: "Codec", board: str, options: Any) -> Any:
    """Write a board's firmware to every port of a run. Return the run's options, at the board's rate unless one is set.

    Raises as `write_firmware`, and QcsError for an emulated port.
    """
    from qcskit.firmware import find_board
    from qcskit.hil.link import board_of

    for port in options.port:
        if board_of(port):
            raise QcsError(f"--flash writes real boards; '{port}' is emulated, and built anew for each run")
    for port in options.port:
        write_firmware(codec, board, port)
    if "baud" in options.model_fields_set:
        return options
    return options.model_copy(update={"baud": find_board(board).baud})


def _answering(codec: "Codec", port: str, baud: int, written: "Flashed") -> str:
    """Return the port on which the model answers. Raises CheckFailedError with the tool's last words if none does."""
    from qcskit.hil.device import Device
    from qcskit.hil.ports import find_ports

    deadline = time.monotonic() + ANSWER_S
    trouble = ""
    while True:
        if port:
            try:
                with Device.open(port, codec, baud=baud, give_up_s=ANSWER_S):
                    return port
            except QcsError as error:
                trouble = str(error)
        else:
            model = codec.bundle.manifest.model_id
            found = [facts.device for facts in find_ports(True, baud) if facts.info and facts.info.model_id == model]
            if found:
                return found[0]
            trouble = f"no serial port answers as model {model}; give --port"
        if time.monotonic() > deadline:
            said = written.printed.splitlines()[-1:] or ["nothing"]
            raise CheckFailedError(f"{trouble} ({written.tool} ended with {written.exit_code} and said: {said[0]})")
        time.sleep(0.2)
