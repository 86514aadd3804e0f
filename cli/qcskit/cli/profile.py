"""`qcskit profile`: where an encode spends its instructions on an emulated core."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from qcskit.cli.common import JsonOption, QuietOption, console, print_json

if TYPE_CHECKING:
    from qcskit.firmware.profile import Profile, Share

BAR = 44
"""Characters of the longest bar of the picture."""


def register(app: typer.Typer) -> None:
    """Add the subcommand."""
    app.command("profile", help="Count instructions and cycles per layer and function on an emulated board.")(profile)


def profile(
    bundle: Annotated[Path, typer.Argument(help="Bundle directory that 'qcskit export' wrote.")],
    board: Annotated[str, typer.Option("--board", "-b", help="Emulated board, see 'qcskit boards'.")] = "cortex-m4",
    vectors: Annotated[int, typer.Option("--vectors", "-n", min=1, help="Golden vectors to run.")] = 20,
    svg: Annotated[Path | None, typer.Option(help="Write a flame picture here.")] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Count, compare the bytes with the golden ones, print tables and picture."""
    import numpy as np

    from qcskit.codec.bundle import read_bundle, write_file
    from qcskit.codec.errors import CheckFailedError
    from qcskit.firmware import count
    from qcskit.firmware.profile import as_dict, flame_svg
    from qcskit.firmware.profile import profile as summarise

    opened = read_bundle(bundle)
    x = opened.golden_inputs[:vectors]
    counts = count(board, bundle / "c", opened.manifest.name, x)
    wrong = int((counts.packed != opened.vectors["packed"][: len(x)]).any(axis=1).sum())
    if wrong:
        raise CheckFailedError(f"board '{board}': {wrong} of {len(x)} golden vectors came back wrong; counts are void")
    result = summarise(counts)
    if svg:
        write_file(svg, lambda path: path.write_text(flame_svg(result), encoding="utf-8"))
    if json:
        print_json(as_dict(result) | {"per_encode": np.asarray(counts.instructions).tolist()})
    elif not quiet:
        show(result)


def show(result: "Profile") -> None:
    """Print both tables and the picture."""
    spread = f"{result.instructions_min:,}"
    if result.instructions_max != result.instructions_min:
        spread += f" … {result.instructions_max:,}"
    console.print(f"{result.board} ({result.core}): {spread} instructions per encode, {result.frames} vectors, "
                  "all bytes as expected", highlight=False)  # fmt: skip
    for title, shares in (("layer", result.layers), ("function", result.functions)):
        console.print(_table(title, (*shares, result.total), result.total.instructions))
    console.print(f"Cycles {result.cycles_source}.", highlight=False)
    longest = max(layer.instructions for layer in result.layers)
    for layer in result.layers:
        console.print(_bar(layer.name, layer.instructions, longest), highlight=False)
        for name, spent in result.tree[layer.name].items():
            console.print(_bar(f"  {name}", spent, longest), highlight=False)


def _table(title: str, shares: "tuple[Share, ...]", total: float) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column(title, no_wrap=True)
    cycles = "est. cycles" if shares[0].cycles is None else "cycles"
    for column in ("instructions", "%", "loads", "stores", "taken", cycles):
        table.add_column(column, justify="right", no_wrap=True)
    for share in shares:
        percent = f"{100 * share.instructions / total:.1f}"
        table.add_row(share.name, f"{share.instructions:,.0f}", percent, _number(share.loads), _number(share.stores),
                      _number(share.taken), _cycles(share))  # fmt: skip
    return table


def _cycles(share: "Share") -> str:
    if share.cycles is not None:
        return f"{share.cycles:,.0f}"
    if share.cycles_low is not None:
        return f"{share.cycles_low:,.0f} … {share.cycles_high:,.0f}"
    return "–"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"


def _bar(name: str, value: float, longest: float) -> str:
    eighths = round(8 * BAR * value / longest)
    bar = "█" * (eighths // 8) + ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")[eighths % 8]
    return f"{name[:28]:<28} {bar or '▏'} {value:,.0f}"
