"""`qcskit inspect`: everything about a bundle, or what is wrong with a `.tflite` file."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from qcskit.cli.common import JsonOption, console, print_json

_COUNTED = 8
"""Golden vectors on which instructions are counted."""


def register(app: typer.Typer) -> None:
    """Add the subcommand."""
    app.command("inspect", help="Show everything about a bundle; or check any .tflite file as an encoder.")(inspect)


def inspect(
    path: Annotated[Path, typer.Argument(metavar="BUNDLE", help="Bundle directory, or a .tflite file.")],
    cost: Annotated[bool, typer.Option("--cost/--no-cost", help="Compile for every core installed here.")] = True,
    count: Annotated[bool, typer.Option("--count", help="Count instructions on every emulated board.")] = False,
    tflm_library: Annotated[
        Path | None, typer.Option(help="Your TFLite Micro library (.a): count and weigh the TFLM encoder as well.")
    ] = None,
    tflm_include: Annotated[
        list[Path] | None,
        typer.Option(help="Header folder for it: the TFLM tree, flatbuffers, gemmlowp, ruy. Repeatable."),
    ] = None,
    tflm_board: Annotated[str, typer.Option(help="Emulated board of the core that the library is for.")] = "cortex-m4",
    json: JsonOption = False,
) -> None:
    """Print dimensions, rate, NMSE, cost and files."""
    from qcskit.codec.bundle import read_bundle

    if path.is_file():
        facts = flatbuffer_facts(path)
        print_json(facts) if json else console.print(operator_table(facts))
        return
    bundle = read_bundle(path)
    facts = bundle_facts(bundle)
    if cost and bundle.manifest.codec == "deepqcs":
        facts["cores"] = footprints(bundle)
    if count:
        facts["instructions"] = instruction_counts(bundle)
    if tflm_library is not None:
        facts["tflm"] = tflm_cost(bundle, tflm_board, tflm_library, tflm_include or [])
    if json:
        print_json(facts)
    else:
        for table in tables(facts):
            console.print(table)


def flatbuffer_facts(path: Path) -> dict[str, Any]:
    """Return the operators of an encoder's `.tflite` file. Raises QcsError that names the operator or fault."""
    from qcskit.codec.errors import QcsError
    from qcskit.export.read_flatbuffer import check_encoder

    try:
        operators = check_encoder(path.read_bytes())
    except QcsError as error:
        raise QcsError(f"'{path}': {error}") from None
    return {"file": str(path), "operators": [asdict(op) for op in operators]}


def bundle_facts(bundle: Any) -> dict[str, Any]:
    """Return what manifest, tables and files say."""
    manifest = bundle.manifest
    facts = {"bundle": str(bundle.path), **manifest.model_dump(exclude={"history", "files", "training", "tools"})}
    facts["arithmetic"] = manifest.arithmetic
    facts["tools"], facts["training"] = manifest.tools, manifest.training
    facts["files"] = {name: (bundle.path / name).stat().st_size for name in manifest.files}
    if manifest.codec == "deepqcs":
        from qcskit.codec.wide import read_wide
        from qcskit.export.cost import table_cost, wide_cost
        from qcskit.export.read_flatbuffer import check_encoder

        cost = wide_cost(read_wide(bundle).tables) if bundle.counts_only else table_cost(bundle.tables)
        facts["cost"] = cost.model_dump()
        if "encoder.tflite" in manifest.files:
            operators = check_encoder(bundle.file("encoder.tflite").read_bytes())
            facts["operators"] = [op.name if op.fused == "NONE" else f"{op.name} + {op.fused}" for op in operators]
    return facts


def footprints(bundle: Any) -> list[dict[str, Any]]:
    """Return flash, RAM and stack per core; a core whose compiler is missing says which package brings it."""
    from qcskit.firmware.errors import MissingToolError
    from qcskit.firmware.footprint import TARGETS, footprint

    rows: list[dict[str, Any]] = []
    entry = "qcs_wide_encode" if bundle.counts_only else "qcs_encode_counts"
    for target in TARGETS:
        try:
            rows.append(asdict(footprint(target, bundle.path / "c", bundle.manifest.name, entry=entry)))
        except MissingToolError as error:
            rows.append({"core": target.core, "missing": error.package})
    return rows


def instruction_counts(bundle: Any) -> dict[str, Any]:
    """Return the mean instructions per encode of ADC counts, per QEMU board that this machine can run.

    Raises CheckFailedError if a board's bytes are not the reference's: the counts would mean nothing.
    """
    from qcskit.codec.errors import CheckFailedError
    from qcskit.firmware import boards, count

    vectors = bundle.vectors["counts"][:_COUNTED]
    expected = expected_bytes(bundle, vectors)
    counts = {}
    for board in boards().values():
        if board.missing or not board.emulator or not board.emulator[0].startswith("qemu-system"):
            continue
        run = count(board, bundle.path / "c", bundle.manifest.name, vectors)
        wrong = int((run.packed != expected).any(axis=1).sum())
        if wrong:
            raise CheckFailedError(f"board '{board.name}': {wrong} of {len(vectors)} golden vectors came back wrong; "
                                   f"counts are void")  # fmt: skip
        per_encode = run.instructions
        counts[board.name] = {"core": board.core, "mean": float(per_encode.mean()), "max": int(per_encode.max()),
                              "vectors": len(per_encode)}  # fmt: skip
    return counts


def expected_bytes(bundle: Any, counts: Any) -> Any:
    """Return the packed bytes (frames, packed_bytes) that the reference gives for ADC counts (frames, M)."""
    from qcskit.codec import integer
    from qcskit.codec.decoder import load_counts_codec

    codec = load_counts_codec(bundle)
    if codec:
        return codec.encode_counts(counts)
    return integer.encode_packed(bundle.tables, integer.quantize_counts(bundle.tables.front_end, counts))


def tflm_cost(bundle: Any, board: str, library: Path, include: list[Path]) -> dict[str, Any]:
    """Return what the encoder costs on the user's TFLite Micro, counted, and whether it sends the same bytes.

    Raises QcsError if the board has no TFLM form, FirmwareError if the library does not link or run there.
    """
    from qcskit.codec.errors import QcsError
    from qcskit.firmware import count, find_board
    from qcskit.firmware.errors import FirmwareError
    from qcskit.firmware.footprint import TARGETS, footprint
    from qcskit.firmware.tflm import Tflm

    entry, tflm = find_board(board), Tflm(library, tuple(include))
    target = next((target for target in TARGETS if target.core == entry.core), None)
    if target is None or not entry.freestanding or "arm" not in entry.compiler:
        raise QcsError(f"--tflm-board '{board}': the TFLM encoder is counted on Arm boards in QEMU; try cortex-m4")
    if bundle.manifest.codec != "deepqcs":
        raise QcsError(f"bundle '{bundle.path}' is of codec {bundle.manifest.codec}, which has no TFLM form")
    c_dir, name = bundle.path / "c", bundle.manifest.name
    counts = bundle.vectors["counts"][:_COUNTED]
    sent = expected_bytes(bundle, counts)
    try:
        run = count(entry, c_dir, name, counts, tflm=tflm)
    except FirmwareError as error:
        raise FirmwareError(
            f"{error}; a TFLM that refuses the model does not answer: the arena is too small, or a "
            f"kernel lacks its types (CMSIS-NN takes no int16 with a weight scale per output)"
        ) from None
    return {
        "board": entry.name, "core": entry.core, "mean": float(run.instructions.mean()),
        "max": int(run.instructions.max()), "vectors": len(sent), "same_bytes": bool((run.packed == sent).all()),
        **asdict(footprint(target, c_dir, name, tflm=tflm)),
    }  # fmt: skip


def tables(facts: dict[str, Any]) -> list[Table]:
    """Return the tables that show a bundle."""
    found = [summary_table(facts)]
    if "cores" in facts:
        found.append(core_table(facts["cores"]))
    if "instructions" in facts:
        table = Table("board", "core", "instructions per encode", "most", title="counted instructions")
        for name, row in facts["instructions"].items():
            table.add_row(name, row["core"], f"{row['mean']:,.0f}", f"{row['max']:,}")
        found.append(table)
    if "tflm" in facts:
        found.append(tflm_table(facts["tflm"]))
    files = Table("file", "bytes", title="files")
    for name, size in facts["files"].items():
        files.add_row(name, f"{size:,}")
    return [*found, files]


def tflm_table(facts: dict[str, Any]) -> Table:
    """Return the table of the TFLM encoder."""
    table = Table(title=f"the same encoder on TFLite Micro, {facts['core']}", show_header=False)
    table.add_row("instructions per encode", f"{facts['mean']:,.0f}, at most {facts['max']:,}")
    table.add_row("code, tables", f"{facts['code_bytes']:,} and {facts['table_bytes']:,} bytes")
    table.add_row("static RAM", f"{facts['ram_bytes']:,} bytes, the arena included")
    same = "the bundle's" if facts["same_bytes"] else "NOT the bundle's"
    table.add_row("bytes sent", f"{same}, on {facts['vectors']} golden vectors")
    return table


def summary_table(facts: dict[str, Any]) -> Table:
    """Return dimensions, rate, NMSE and what the tables need."""
    table = Table(title=f"bundle {facts['bundle']}", show_header=False)
    signal, nmse, adc, cost = facts["signal"], facts["nmse"], facts["adc"], facts.get("cost")
    table.add_row("model", f"{facts['name']}, id {facts['model_id']}, codec {facts['codec']}")
    table.add_row("signal", f"N = {signal['n']}, M = {signal['m']}, S = {signal['s']}, matrix {signal['matrix']}")
    table.add_row("encoder", f"{'-'.join(map(str, facts['widths']))}, I = {facts['levels']} levels")
    if facts["codec"] == "deepqcs":
        table.add_row("arithmetic", f"profile {facts['profile']}, activation {facts['activation']}")
    if facts.get("classical"):
        fitted = ", ".join(f"{key} {value:.4g}" for key, value in facts["classical"]["tuning"].items())
        table.add_row("method", f"{facts['classical']['method']}{f', fitted {fitted}' if fitted else ''}")
    if "operators" in facts:
        table.add_row("operators", ", ".join(facts["operators"]))
    table.add_row("rate", f"{facts['rate_bits']:g} bits/entry: {facts['packed_bits']} bits in "
                          f"{facts['packed_bytes']} bytes per vector")  # fmt: skip
    table.add_row("NMSE float", _db(nmse["float_db"], nmse["frames"]))
    on = "on " if facts["codec"] != "deepqcs" else ""
    table.add_row(f"NMSE {on}{facts['arithmetic']}", _db(nmse["int8_db"], nmse["frames"]))
    table.add_row("ADC", f"(count - {adc['offset_counts']}) x {adc['scale']:g}")
    if cost:
        table.add_row("multiply-accumulates", f"{cost['macs']:,}")
        table.add_row("tables", f"{cost['table_bytes']:,} bytes of flash")
        table.add_row(
            "working memory", f"{cost['scratch_bytes']:,} bytes, and {cost['io_bytes']:,} of input and output"
        )
    arena = facts.get("arena_bytes")
    table.add_row("TFLite Micro arena", f"{arena:,} bytes" if arena else "not measured")
    return table


def core_table(rows: list[dict[str, Any]]) -> Table:
    """Return flash, RAM and stack per core."""
    table = Table("core", "code", "tables", "static RAM", "worst stack", title="bytes per core (GCC -O2)")
    for row in rows:
        if "missing" in row:
            table.add_row(row["core"], f"not measured: needs the Debian package {row['missing']}", "", "", "")
            continue
        stack = "not measured" if row["stack_bytes"] is None else f"{row['stack_bytes']:,}"
        table.add_row(row["core"], f"{row['code_bytes']:,}", f"{row['table_bytes']:,}", f"{row['ram_bytes']:,}", stack)
    return table


def operator_table(facts: dict[str, Any]) -> Table:
    """Return the operators of a flatbuffer."""
    table = Table("operator", "fused", "output", "scale", "zero point", title=facts["file"])
    for op in facts["operators"]:
        out = op["outputs"][0]
        table.add_row(op["name"], op["fused"], "x".join(map(str, out["shape"])), f"{out['scales'][0]:g}",
                      str(out["zero_points"][0] if out["zero_points"] else 0))  # fmt: skip
    return table


def _db(value: float | None, frames: int) -> str:
    return f"{value:.2f} dB ({frames:,} frames)" if value is not None else "not measured"
