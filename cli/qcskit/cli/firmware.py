"""`qcskit firmware build`: a bundle's firmware for a board, as a file that programmers take."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qcskit.cli import completion
from qcskit.cli.common import BundleArgument, JsonOption, QuietOption, console, print_json
from qcskit.cli.layout import BUNDLE, beside

if TYPE_CHECKING:
    from qcskit.codec.interface import Codec
    from qcskit.firmware import Board

BoardOption = Annotated[
    str, typer.Option("--board", "-b", help="Board, see 'qcskit boards'.", autocompletion=completion.boards)
]


class Action(StrEnum):
    """What to do with a firmware."""

    BUILD = "build"


def firmware(
    action: Annotated[Action, typer.Argument(help="build")],
    bundle: BundleArgument = BUNDLE,
    board: BoardOption = "native",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The image, .elf, .hex, .bin or .uf2; default <board>.elf.")
    ] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Build a bundle's firmware for a board: the very image that emu:<board> runs.

    qcskit firmware build BUNDLE --board pico -o image.uf2
    """
    from qcskit.codec.codecs import open_codec
    from qcskit.codec.files import check_file
    from qcskit.firmware import find_board
    from qcskit.firmware.image import write_image

    assert action is Action.BUILD
    entry = find_board(board)
    path = beside(bundle, f"{entry.name}.elf", out)
    check_file(path, bundle)
    codec = open_codec(bundle)
    elf, digest = built(codec, entry)
    write_image(entry, elf, path)
    if json:
        print_json({"board": entry.name, "model_id": codec.bundle.manifest.model_id, "image": str(path),
                    "image_sha256": digest, "bytes": path.stat().st_size})  # fmt: skip
    elif not quiet:
        console.print(f"{path}: {codec.name}, model {codec.bundle.manifest.model_id}, for {entry.summary}\n"
                      f"image SHA-256 {digest}", highlight=False, soft_wrap=True)  # fmt: skip


def built(codec: "Codec", board: "Board") -> tuple[Path, str]:
    """Return a codec's firmware as an ELF file, and the SHA-256 of what it puts into memory, as verdicts state it."""
    from qcskit.firmware import build, c_directory, image_digest

    elf = build(board, c_directory(codec.checked_c_files()), codec.name)
    return elf, image_digest(elf.read_bytes())
