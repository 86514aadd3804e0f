"""`qcskit hil`: run a bundle on boards and measure."""

from pathlib import Path
from typing import Annotated, Any

import typer

from qcskit.cli import completion
from qcskit.cli.common import (
    FILES,
    BundleArgument,
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
from qcskit.cli.layout import BUNDLE, RESULTS, beside, claim
from qcskit.codec.errors import CheckFailedError, QcsError

_LINE, _RUN = "The line to a board", "What is run"


def hil(
    bundle: BundleArgument = BUNDLE,
    port: Annotated[
        list[str] | None,
        typer.Option(
            "--port",
            "-p",
            rich_help_panel=_LINE,
            autocompletion=completion.ports,
            help="Serial device, pyserial URL, or emu:<board>. Repeatable: boards at once. Default: an emulated one.",
        ),
    ] = None,
    bench: Annotated[
        Path | None,
        typer.Option(help="TOML file that names boards, by USB serial number.", rich_help_panel=_LINE),
    ] = None,
    baud: Annotated[int | None, typer.Option(help="Line rate of serial devices.", rich_help_panel=_LINE)] = None,
    fast_baud: Annotated[
        int | None,
        typer.Option(help="Rate to agree on after HELLO; falls back cleanly.", rich_help_panel=_LINE),
    ] = None,
    flash: Annotated[
        str | None,
        typer.Option(
            metavar="BOARD",
            rich_help_panel=_LINE,
            autocompletion=completion.boards,
            help="Write the firmware of this real board to each --port first.",
        ),
    ] = None,
    vectors: Annotated[
        int | None, typer.Option("--vectors", "-n", help="Vectors per board.", rich_help_panel=_RUN)
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the drawn vectors.", rich_help_panel=_RUN)] = None,
    data: DataOption = None,
    column: ColumnOption = "",
    holds: InOption = "auto",
    hop: HopOption = None,
    fill_gaps: GapsOption = False,
    input_: Annotated[
        str | None, typer.Option("--input", help="counts (raw ADC) or inputs (int8).", rich_help_panel=_RUN)
    ] = None,
    batch: Annotated[
        int | None, typer.Option(help="Vectors per frame; automatic if left out.", rich_help_panel=_LINE)
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="Where the results go; default results.json beside the bundle.", rich_help_panel=FILES
        ),
    ] = None,
    junit: Annotated[
        Path | None, typer.Option(help="Write the checks as JUnit XML too.", rich_help_panel=FILES)
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a run that broke off.", rich_help_panel=_RUN)
    ] = False,
    soak: Annotated[
        str | None,
        typer.Option(help="Run for this long (90s, 10m, 1h; 90 is 90s), with a rolling summary.", rich_help_panel=_RUN),
    ] = None,
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
    from qcskit.cli.demo import default_port
    from qcskit.cli.flash import flashed
    from qcskit.cli.hil_view import Show, verdict_table
    from qcskit.codec.codecs import open_codec
    from qcskit.codec.files import check_file
    from qcskit.hil.fleet import journal_path, run_fleet
    from qcskit.hil.junit import write_junit
    from qcskit.hil.ports import read_bench

    options = load(
        "hil", config, settings, port=port or None, baud=baud, fast_baud=fast_baud, vectors=vectors,
        seed=seed, input=input_, batch=batch,
    )  # fmt: skip
    targets = read_bench(bench) if bench else None
    if not options.port and not targets:
        options = options.model_copy(update={"port": [default_port()]})
        if not (quiet or as_json):
            told = f"no --port: the emulated board {options.port[0]} is measured; 'qcskit ports' lists real ones"
            error_console.print(told, highlight=False, soft_wrap=True)
    out = beside(bundle, RESULTS, out)
    needed = [bundle, data] if data else [bundle]
    check_file(out, *needed)
    if junit:
        check_file(junit, *needed, out)
    codec = open_codec(bundle)
    if flash:
        options = flashed(codec, flash, options)
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
    claim(out, codec.bundle.manifest.model_id)
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
        console.print(f"results: {out}", highlight=False, soft_wrap=True)
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
