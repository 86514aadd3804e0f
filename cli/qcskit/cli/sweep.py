"""`qcskit sweep`: many trainings, fits and designs, one table."""

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from qcskit.cli.bar import Bar
from qcskit.cli.common import (
    ConfigOption,
    JsonOption,
    QuietOption,
    SetOption,
    console,
    error_console,
    given_keys,
    load,
    print_json,
    print_keys,
)
from qcskit.cli.sheet import Sheet
from qcskit.codec.errors import CheckFailedError

_ALWAYS = ("point", "status", "variant", "rate_bits", "nmse_hard_db")
_WORDS = {
    "rate_bits": "bits", "nmse_hard_db": "NMSE, dB", "nmse_float_db": "float, dB", "vector_bytes": "bytes",
    "seconds": "s",
}  # fmt: skip
_SHOWN = (
    "point", "status", "variant", "n", "m", "outputs", "levels", "rate_bits", "vector_bytes", "seed", "nmse_hard_db",
    "nmse_float_db", "seconds",
)  # fmt: skip


def sweep(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for results.csv and the runs.")] = Path("runs/sweep"),
    config: ConfigOption = None,
    settings: SetOption = None,
    rate: Annotated[list[float] | None, typer.Option(help="Bits per source entry. Repeatable.")] = None,
    variant: Annotated[
        list[str] | None, typer.Option(help="Method: deepqcs, ce-usq-l1, sparse, ... Repeatable.")
    ] = None,
    seed: Annotated[list[int] | None, typer.Option(help="Seed. Repeatable.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes on this machine.")] = None,
    scheduler: Annotated[str | None, typer.Option(help="Dask scheduler, tcp://HOST:PORT, instead.")] = None,
    keys: Annotated[bool, typer.Option("--keys", help="List every configuration key and exit.")] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Run trainings, fits and designs over rates, sizes, methods and seeds; append to one table, resume if broken off.

    Keys of [sweep] and of the methods' tables: see 'qcskit sweep --keys'.
    """
    from qcskit.training.sweep import grid, run_sweep, sweep_tables

    if keys:
        print_keys("sweep", "signal", *sweep_tables())
        return
    wanted = load(
        "sweep", config, settings,
        rates=rate or None, variants=variant or None, seeds=seed or None, workers=workers,
    )  # fmt: skip
    # Only the keys that were given: the others follow from each point's method and recipe.
    given = {
        table: load(table, config, settings).model_dump(include=given_keys(table, config, settings))
        for table in ("signal", *sweep_tables())
    }
    points = grid(wanted, given.pop("signal"), given)
    with Bar(error_console, quiet or json) as bar:
        task = bar.add_task("sweep points", total=len(points))

        def finished(row: dict[str, str]) -> None:
            result = f"{row['nmse_hard_db']} dB" if row["status"] == "done" else f"failed: {row['error']}"
            bar.update(task, advance=1, live=f"{row['point']} {result}")
            if row["status"] != "done":
                bar.console.print(Text(f"point {row['point']} failed:", "yellow"), row["error"], highlight=False)

        rows = run_sweep(points, out, wanted.workers, scheduler, finished)
        bar.update(task, completed=len(points))
    if json:
        print_json({"table": str(out / "results.csv"), "rows": rows})
    elif not quiet:
        console.print(summary(rows, out))
        console.print(f"picture: qcskit report {out / 'results.csv'}", highlight=False, soft_wrap=True)
    failed = [row["point"] for row in rows if row["status"] != "done"]
    if failed:
        raise CheckFailedError(f"{len(failed)} of {len(rows)} points failed, see {out / 'results.csv'}; "
                               "run the same command again to try them again")  # fmt: skip


def summary(rows: list[dict[str, str]], out: Path) -> Sheet:
    """Return the closing table of a sweep: what all points share is told once, above it."""
    varying = [name for name in _SHOWN if name in _ALWAYS or len({row[name] for row in rows}) > 1]
    first = rows[0] if rows else {}
    same = ", ".join(f"{name} {first[name]}" for name in _SHOWN if name not in varying and first.get(name))
    table = Sheet(title=f"sweep: {out / 'results.csv'}", caption=f"all points: {same}" if same else None)
    for name in varying:
        number = name not in ("point", "status", "variant")
        table.add_column(_WORDS.get(name, name), number=number, no_wrap=True)
    for row in rows:
        table.add_row(*(row[name] for name in varying))
    return table
