"""`qcskit inspect`: everything about a bundle, or what is wrong with a `.tflite` file."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from qcskit.cli import completion
from qcskit.cli.common import JsonOption, bundle_rows, console, facts_table, print_json, signal_rows
from qcskit.cli.layout import BUNDLE
from qcskit.cli.memory import check_cores, check_fit, core_table, footprints, parse_bytes, write_picture
from qcskit.cli.profile import counted, golden_counts
from qcskit.cli.sheet import Sheet
from qcskit.codec.errors import QcsError

_DEVICE = "Your device"
_COUNTED = 8
"""Golden packets on which instructions are counted."""
_HARD = 24
"""Loud packets and others at decision boundaries, for the most that an encode takes."""


def inspect(
    path: Annotated[Path, typer.Argument(metavar="[BUNDLE]", help="Bundle directory, or a .tflite file.")] = BUNDLE,
    cost: Annotated[bool, typer.Option("--cost/--no-cost", help="Compile for every core installed here.")] = True,
    core: Annotated[
        list[str] | None, typer.Option(rich_help_panel=_DEVICE, help="Only this core, as it is listed. Repeatable.")
    ] = None,
    flash: Annotated[
        str | None,
        typer.Option(rich_help_panel=_DEVICE, help="Bytes it has, as 32768, 32k, 1M: exit code 1 if it takes more."),
    ] = None,
    ram: Annotated[
        str | None,
        typer.Option(rich_help_panel=_DEVICE, help="Bytes it has, for static RAM, scratch, stack, counts and packet."),
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(rich_help_panel=_DEVICE, help="Draw flash and RAM of every core: .svg or .png.")
    ] = None,
    count: Annotated[bool, typer.Option("--count", help="Count instructions on every emulated board.")] = False,
    tflm_library: Annotated[
        Path | None, typer.Option(help="Your TFLite Micro library (.a): count and weigh the TFLM encoder as well.")
    ] = None,
    tflm_include: Annotated[
        list[Path] | None,
        typer.Option(help="Header folder for it: the TFLM tree, flatbuffers, gemmlowp, ruy. Repeatable."),
    ] = None,
    tflm_board: Annotated[
        str,
        typer.Option(help="Emulated board of the core that the library is for.", autocompletion=completion.boards),
    ] = "cortex-m4",
    json: JsonOption = False,
) -> None:
    """Show everything about a bundle; or check any .tflite file as an encoder."""
    from qcskit.codec.codecs import open_codec

    if path.is_file():
        found = {"file": str(path), "operators": [asdict(operator) for operator in operators(path)]}
        print_json(found) if json else console.print(operator_table(found))
        return
    codec = open_codec(path)
    room = parse_bytes("--flash", flash), parse_bytes("--ram", ram)
    check_cores(core or [])
    facts = bundle_facts(codec)
    if cost or core or picture or room != (None, None):
        facts["cores"] = footprints(codec, core or None)
    if count:
        facts["instructions"] = instruction_counts(codec)
    if tflm_library is not None:
        facts["tflm"] = tflm_cost(codec, tflm_board, tflm_library, tflm_include or [])
    if json:
        print_json(facts)
    else:
        for table in tables(codec, facts):
            console.print(table)
    if picture is not None:
        write_picture(facts["cores"], picture, f"{codec.name}, {codec.bundle.manifest.model_id}", *room)
    check_fit(facts.get("cores", []), *room)


def operators(file: Path) -> list[Any]:
    """Return the operators of an encoder's `.tflite` file. Raises QcsError that names the operator or fault."""
    from qcskit.codec.arrays import MOST_BYTES
    from qcskit.codec.json_file import read_bounded
    from qcskit.codec.learned.converted import check_any

    content = read_bounded(file, "model", MOST_BYTES)
    try:
        return check_any(content)
    except QcsError as error:
        raise QcsError(f"'{file}': {error}") from None


def bundle_facts(codec: Any) -> dict[str, Any]:
    """Return what manifest, tables and files say; keys are those of manifest.json, and cost, files and operators."""
    bundle = codec.bundle
    facts = {"bundle": str(bundle.path), **bundle.manifest.model_dump(mode="json"), "cost": codec.cost()}
    facts["files"] = {name: (bundle.path / name).stat().st_size for name in bundle.manifest.files}
    if bundle.has("encoder.tflite"):
        found = operators(bundle.path / "encoder.tflite")
        facts["operators"] = [op.name if op.fused == "NONE" else f"{op.name} + {op.fused}" for op in found]
    return facts


def instruction_counts(codec: Any) -> dict[str, Any]:
    """Return the instructions per encode of ADC counts, on a board per processor; of one without the memory, why.

    Raises CheckFailedError if a board's bytes are not the golden ones: the counts would mean nothing.
    """
    from qcskit.firmware import DoesNotFitError, boards, one_per_processor

    longest = codec.longest()
    found: dict[str, Any] = {}
    for board in one_per_processor(boards().values()):
        if board.missing or not board.emulator[0].startswith(("qemu-system", "{simavr}")):
            continue
        try:
            per_encode = counted(codec, board.name, _COUNTED, _HARD).instructions
        except DoesNotFitError as error:
            found[board.name] = {"core": board.core, "not_run": str(error)}
            continue
        found[board.name] = {"core": board.core, "mean": float(per_encode[:-_HARD].mean()),
                             "max": int(per_encode.max()), "vectors": len(per_encode)}  # fmt: skip
        if longest is not None:
            found[board.name]["bound"] = most_instructions(codec.name, board.name, *longest)
    return found


def most_instructions(name: str, board: str, files: dict[str, str], counts: Any) -> int | None:
    """Return what a model that takes longest (`Codec.longest`) takes on a board, None if that cannot hold it."""
    from qcskit.firmware import DoesNotFitError, c_directory, count

    try:
        return int(count(board, c_directory(files), name, counts).instructions.max())
    except DoesNotFitError:
        return None


def tflm_cost(codec: Any, board: str, library: Path, include: list[Path]) -> dict[str, Any]:
    """Return what the encoder costs on the user's TFLite Micro, counted, and whether it sends the same bytes.

    Raises QcsError if bundle or board has no TFLM form, FirmwareError if the library does not link or run there.
    """
    from qcskit.codec.interface import Packets
    from qcskit.firmware import CORES, FirmwareError, count, find_board
    from qcskit.firmware.footprint import footprint
    from qcskit.firmware.tflm import Tflm

    entry, tflm = find_board(board), Tflm(library, tuple(include))
    if entry.core not in CORES or not entry.freestanding or "arm" not in entry.compiler:
        raise QcsError(f"--tflm-board '{board}': the TFLM encoder is counted on Arm boards in QEMU; try cortex-m4")
    bundle = codec.bundle
    if not bundle.has("c/qcs_tflm_encoder.cc"):
        raise QcsError(f"bundle '{bundle.path}' holds no c/qcs_tflm_encoder.cc: this codec has no TFLM form")
    counts = golden_counts(codec, _COUNTED)
    try:
        run = count(entry, bundle.path / "c", codec.name, counts, tflm=tflm)
    except FirmwareError as error:
        raise FirmwareError(
            f"{error}; a TFLM that refuses the model does not answer: the arena is too small, or a "
            f"kernel lacks its types (CMSIS-NN takes no int16 with a weight scale per output)"
        ) from None
    sent = Packets.rows(run.answers.rows, run.answers.lengths)
    return {
        "board": entry.name, "core": entry.core, "mean": float(run.instructions.mean()),
        "max": int(run.instructions.max()), "vectors": len(sent),
        "same_bytes": not sent.differ(codec.encode_counts(counts)).any(),
        **asdict(footprint(CORES[entry.core], bundle.path / "c", codec.name, tflm=tflm)),
    }  # fmt: skip


def tables(codec: Any, facts: dict[str, Any]) -> list[Table]:
    """Return the tables that show a bundle."""
    rows = (
        bundle_rows(codec)
        | signal_rows(codec)
        | {
            "cost per packet": ", ".join(f"{key.replace('_', ' ')} {value:,}" for key, value in facts["cost"].items()),
        }
    )
    if "operators" in facts:
        rows["operators"] = ", ".join(facts["operators"])
    found = [facts_table(f"bundle {rows.pop('bundle')}", rows)]
    if "cores" in facts:
        found.append(core_table(facts["cores"]))
    if "instructions" in facts:
        found.append(instruction_table(facts["instructions"]))
    if "tflm" in facts:
        found.append(tflm_table(facts["tflm"]))
    files = Sheet("file", title="files")
    files.add_column("bytes", number=True)
    for name, size in facts["files"].items():
        files.add_row(name, f"{size:,}")
    return [*found, files]


def instruction_table(boards: dict[str, Any]) -> Table:
    """Return counted instructions per board; the bound where there is one."""
    bounded = any("bound" in row for row in boards.values())
    table = Sheet("board", "core", title="counted instructions")
    for words in ("instructions per encode", "most, loud packets too", *["never more than"] * bounded):
        table.add_column(words, justify="right")
    for name, row in boards.items():
        if "not_run" in row:
            table.add_row(name, row["core"], f"not run: {row['not_run']}")
            continue
        bound = [] if "bound" not in row else ["not counted" if row["bound"] is None else f"{row['bound']:,}"]
        table.add_row(name, row["core"], f"{row['mean']:,.0f}", f"{row['max']:,}", *bound)
    return table


def tflm_table(facts: dict[str, Any]) -> Table:
    """Return the table of the TFLM encoder."""
    same = "the bundle's" if facts["same_bytes"] else "NOT the bundle's"
    rows = {
        "instructions per encode": f"{facts['mean']:,.0f}, at most {facts['max']:,}",
        "code, tables": f"{facts['code_bytes']:,} and {facts['table_bytes']:,} bytes",
        "static RAM": f"{facts['ram_bytes']:,} bytes, the arena included",
        "bytes sent": f"{same}, on {facts['vectors']} golden vectors",
    }
    return facts_table(f"the same encoder on TFLite Micro, {facts['core']}", rows)


def operator_table(facts: dict[str, Any]) -> Table:
    """Return the operators of a flatbuffer."""
    table = Sheet("operator", "fused", "output", "scale", "zero point", title=facts["file"])
    for op in facts["operators"]:
        out = op["outputs"][0]
        grid = (f"{out['scales'][0]:g}", str(*out["zero_points"][:1] or (0,))) if out["scales"] else ("", "")
        table.add_row(op["name"], op["fused"], "x".join(map(str, out["shape"])), *grid)
    return table
