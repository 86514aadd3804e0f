"""`qcskit profile`: where an encode spends its instructions on an emulated core."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from qcskit.cli import completion
from qcskit.cli.common import BundleArgument, JsonOption, QuietOption, console, error_console, print_json
from qcskit.cli.layout import BUNDLE
from qcskit.cli.sheet import Sheet
from qcskit.codec.errors import CheckFailedError

if TYPE_CHECKING:
    from qcskit.firmware.profile import Profile, Share

BAR = 44
"""Characters of the longest bar of the picture."""


def profile(
    bundle: BundleArgument = BUNDLE,
    board: Annotated[
        str,
        typer.Option("--board", "-b", help="Emulated board, see 'qcskit boards'.", autocompletion=completion.boards),
    ] = "cortex-m4",
    vectors: Annotated[int, typer.Option("--vectors", "-n", min=1, help="Golden vectors to run.")] = 20,
    svg: Annotated[Path | None, typer.Option(help="Write a flame picture here.")] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Count instructions and cycles per phase and function on an emulated board."""
    from qcskit.codec.codecs import open_codec
    from qcskit.codec.files import check_file, write_text
    from qcskit.firmware.profile import as_dict, flame_svg
    from qcskit.firmware.profile import profile as summarise

    if svg:
        check_file(svg, bundle)
    counts = counted(open_codec(bundle), board, vectors)
    if len(counts.instructions) < vectors and not (json or quiet):
        error_console.print(f"the bundle holds {len(counts.instructions)} golden vectors: all of them were run, "
                            f"not {vectors:,}", highlight=False, soft_wrap=True)  # fmt: skip
    result = summarise(counts)
    if svg:
        write_text(svg, flame_svg(result))
    if json:
        print_json(as_dict(result) | {"per_encode": counts.instructions.tolist()})
    elif not quiet:
        show(result)


def counted(codec: Any, board: str, packets: int, hard: int = 0) -> Any:
    """Return what a board spends on golden counts, once its bytes are known to be the reference's.

    hard: so many packets more, behind them, full-scale ones and such on decision boundaries among them.

    Raises CheckFailedError if they are not: the counts would mean nothing.
    """
    import numpy as np

    from qcskit.codec.interface import Packets
    from qcskit.firmware import c_directory, count

    vectors = golden_counts(codec, packets)
    if hard:
        vectors = np.concatenate([vectors, codec.edges(hard, np.random.default_rng(0))])
    run = count(board, c_directory(codec.checked_c_files()), codec.name, vectors)
    answers = Packets.rows(run.answers.rows, run.answers.lengths)
    wrong = int(answers.differ(codec.encode_counts(vectors)).sum())
    if wrong:
        what = f"{wrong} of {len(vectors)} golden vectors came back wrong"
        raise CheckFailedError(f"board '{board}': {what}; counts are void")
    return run


def golden_counts(codec: Any, packets: int) -> Any:
    """Return ADC counts (packets, inputs) of the golden vectors, as many as there are."""
    return codec.bundle.vectors["counts"][:packets]


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
    table = Sheet(box=None, pad_edge=False)
    table.add_column(title)
    cycles = "est. cycles" if shares[0].cycles is None else "cycles"
    for column in ("instructions", "%", "loads", "stores", "taken", cycles):
        table.add_column(column, number=True)
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
