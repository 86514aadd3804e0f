"""`qcskit hil`: run a bundle on boards and measure."""

from pathlib import Path
from typing import Annotated, Any

import typer

from qcskit.cli.common import (
    ConfigOption,
    JsonOption,
    QuietOption,
    SetOption,
    console,
    error_console,
    keys_option,
    load,
    print_json,
)
from qcskit.cli.encode import ColumnOption, DataOption, GapsOption, HopOption, InOption, own_data
from qcskit.codec.errors import CheckFailedError, QcsError


def hil(
    bundle: Annotated[Path | None, typer.Argument(help="Bundle that 'qcskit export' wrote.")] = None,
    port: Annotated[
        list[str] | None,
        typer.Option("--port", "-p", help="Serial device, pyserial URL, or emu:<board>. Repeatable: boards at once."),
    ] = None,
    bench: Annotated[Path | None, typer.Option(help="TOML file that names boards, by USB serial number.")] = None,
    baud: Annotated[int | None, typer.Option(help="Line rate of serial devices.")] = None,
    fast_baud: Annotated[int | None, typer.Option(help="Rate to agree on after HELLO; falls back cleanly.")] = None,
    vectors: Annotated[int | None, typer.Option("--vectors", "-n", help="Vectors per board.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the drawn vectors.")] = None,
    data: DataOption = None,
    column: ColumnOption = "",
    holds: InOption = "auto",
    hop: HopOption = None,
    fill_gaps: GapsOption = False,
    input_: Annotated[str | None, typer.Option("--input", help="counts (raw ADC) or inputs (int8).")] = None,
    batch: Annotated[int | None, typer.Option(help="Vectors per frame; automatic if left out.")] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Where the results go.")] = Path("results.json"),
    junit: Annotated[Path | None, typer.Option(help="Write the checks as JUnit XML too.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that broke off.")] = False,
    soak: Annotated[str | None, typer.Option(help="Run for this long (90s, 10m, 1h), with a rolling summary.")] = None,
    keys: Annotated[bool, keys_option("hil")] = False,
    log: Annotated[bool, typer.Option("--log", help="Show the boards' log text.")] = False,
    config: ConfigOption = None,
    settings: SetOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Run a bundle's vectors on boards over serial, compare every byte with the reference, measure.

    With --data the board gets your own packets instead, all of the file unless --vectors says fewer.

    Exit code 0: every vector answered and equal. 1: a mismatch, or a board that failed. 2: wrong use.
    """
    from qcskit.cli.hil_view import Show, verdict_table
    from qcskit.codec.codecs import open_codec
    from qcskit.codec.files import check_file
    from qcskit.hil.fleet import journal_path, run_fleet
    from qcskit.hil.junit import write_junit
    from qcskit.hil.ports import read_bench

    if bundle is None:
        raise QcsError(
            "which bundle? Give the directory that 'qcskit export' wrote: qcskit hil BUNDLE --port emu:native"
        )
    options = load(
        "hil", config, settings, port=port or None, baud=baud, fast_baud=fast_baud, vectors=vectors,
        seed=seed, input=input_, batch=batch,
    )  # fmt: skip
    targets = read_bench(bench) if bench else None
    if not options.port and not targets:
        raise QcsError("no port: give --port /dev/ttyACM0, a pyserial URL, --port emu:native, or --bench FILE")
    needed = [bundle, data] if data else [bundle]
    check_file(out, *needed)
    if junit:
        check_file(junit, *needed, out)
    codec = open_codec(bundle)
    own = own_data(codec, data, column, holds, hop, fill_gaps)
    if own is not None:
        if soak is not None:
            raise QcsError("--soak draws its vectors; leave --data out")
        asked = options.vectors if "vectors" in options.model_fields_set else len(own.counts)
        options = options.model_copy(update={"vectors": min(asked, len(own.counts))})
    if resume and soak is None and not any(journal_path(out, n).is_file() for n in range(len(targets or options.port))):
        missing = journal_path(out, 0)
        told = f"nothing to resume: '{missing}' does not exist; this run starts afresh"
        error_console.print(told, highlight=False, soft_wrap=True)
    with Show(enabled=not (quiet or as_json)) as show:
        if soak is not None:
            results = _soak(codec, options, soak, out, show)
        else:
            try:
                results = run_fleet(
                    codec, options, out=out, resume=resume, progress=show.progress, targets=targets,
                    on_text=_show_text if log else None, data=own,
                )  # fmt: skip
            except KeyboardInterrupt:
                if journal_path(out, 0).is_file():
                    error_console.print("broken off; answers so far are kept, go on with --resume", highlight=False)
                raise
    if junit:
        write_junit(junit, results)
    if as_json:
        print_json(results)
    elif not quiet:
        console.print(verdict_table(results))
        console.print(f"results: {out}", highlight=False)
    if not results["verdict"]["ok"]:
        raise CheckFailedError(failure(results, options, out))


def failure(results: dict[str, Any], config: Any, out: Path) -> str:
    """Return the one line that says what did not hold."""
    from qcskit.hil.session import failures

    told = [f"{entry['label']}: {what}" for entry in results["devices"] for what in failures(entry, config)]
    return f"{'; '.join(told)}; see {out}"


def _soak(codec: Any, options: Any, duration: str, out: Path, show: Any) -> dict[str, Any]:
    from qcskit.codec.files import locked
    from qcskit.hil.fleet import write_results
    from qcskit.hil.soak import parse_duration, run_soak

    if len(options.port) != 1:
        raise QcsError("--soak takes one --port; start one 'qcskit hil --soak' per board")
    try:
        seconds = parse_duration(duration)
    except ValueError:
        raise QcsError(f"--soak {duration}: expected a duration such as 90s, 10m or 1h") from None
    with locked(out):
        return run_soak(codec, options, seconds, lambda results: write_results(out, results), show.soak)


def _show_text(label: str, text: bytes) -> None:
    for line in text.decode(errors="replace").splitlines():
        error_console.print(f"{label}: {line}", highlight=False, soft_wrap=True)
