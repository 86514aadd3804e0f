"""`qcskit advise`: what a recording is like, and what any codec can make of it."""

from html import escape
from pathlib import Path
from typing import Annotated, Any

import typer

from qcskit.cli.common import ConfigOption, JsonOption, QuietOption, SetOption, console, facts_table, print_json
from qcskit.cli.sheet import Sheet
from qcskit.codec.errors import QcsError
from qcskit.codec.optional import need

_PANEL_PT = 208.8
"""Height of a plot, as `qcskit.hil.report.plots` draws it."""


def advise(
    file: Annotated[Path, typer.Argument(help="A recording: .npy, .npz, .csv, .wav, .flac, .hea or .parquet.")],
    column: Annotated[str, typer.Option(help="Column, array or channel, by name or by number from 0.")] = "",
    n: Annotated[int, typer.Option("-n", help="N, samples of a window.", min=2)] = 32,
    m: Annotated[
        int | None, typer.Option("-m", help="M, numbers sent of each window. Default: half of N.", min=1)
    ] = None,
    rate_hz: Annotated[
        float | None, typer.Option("--rate", help="Samples per second, if the file does not say.")
    ] = None,
    fill: Annotated[str, typer.Option(help="Gaps: refuse, or interpolate.")] = "refuse",
    compare: Annotated[
        bool, typer.Option("--compare/--no-compare", help="Design and compare codecs, or only look at the recording.")
    ] = True,
    bits: Annotated[float, typer.Option(help="Bits per sample that the verdict on costs and --write are about.")] = 1.0,
    train: Annotated[
        float | None, typer.Option(metavar="MINUTES", help="Also train learned codecs, for so long in all.")
    ] = None,
    nj_per_bit: Annotated[float | None, typer.Option(help="What your radio takes per bit, in nJ.")] = None,
    cost: Annotated[bool, typer.Option("--cost/--no-cost", help="Compile and count in the emulators here.")] = True,
    write: Annotated[
        Path | None, typer.Option(metavar="TOML", help="Write the configuration of the best codec at --bits here.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Picture to write: .svg or .html.")] = None,
    config: ConfigOption = None,
    settings: SetOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Look at a recording, then design and compare codecs on it: what they lose, what they cost, which to take.

    Of the configuration it reads [signal] and [adc], for codecs behind an analog front end: [signal] matrix names it.
    """
    from qcskit.cli.advise_compare import Wanted, compared, front_end

    wanted = Wanted(bits, train, nj_per_bit, cost)
    if out is not None:
        _check_picture(out, file)
    if write is not None:
        _check_new(write, compare)
    shown = not (json or quiet)
    found = look(file, column, n, n // 2 if m is None else m, rate_hz, fill)
    front = front_end(found, config, settings) if compare else None
    if shown:
        show(found, str(file))
    comparison = compared(file, column, fill, found, wanted, front, not shown) if compare else None
    if out is not None:
        write_picture(out, found, comparison, str(file))
    made = None if write is None or comparison is None else write_configuration(write, comparison)
    if json:
        print_json(as_dict(found, comparison) | {"file": str(file), "picture": out, "configuration": made})
    elif shown:
        show_comparison(comparison, made)
        if out is not None:
            console.print(f"picture: {out}", highlight=False, soft_wrap=True)


def _check_new(write: Path, compare: bool) -> None:
    """Raise QcsError if no configuration can be written: an edited one is never replaced."""
    from qcskit.codec.files import check_file

    if not compare:
        raise QcsError("--write needs the comparison; leave out --no-compare")
    if write.exists():
        raise QcsError(f"--write '{write}': the file exists; choose another name or move it away")
    check_file(write)


def write_configuration(path: Path, comparison: Any) -> Path | None:
    """Write the configuration of the best codec. Returns the path, None if there is no codec at the rate."""
    from qcskit.cli.advise_words import configuration, winner
    from qcskit.codec.files import write_text

    best = winner(comparison)
    if best is None:
        return None
    write_text(path, configuration(comparison, best, str(path)))
    return path


def show_comparison(comparison: Any, made: Path | None) -> None:
    """Print a comparison and its verdict, if there is one."""
    from qcskit.cli.advise_compare import cost_words, tables
    from qcskit.cli.advise_words import command, verdict, winner

    if comparison is None:
        return
    for table in tables(comparison):
        console.print(table)
    console.print(cost_words(comparison), highlight=False)
    console.print("At equal bits, between the points measured:", highlight=False)
    for sentence in verdict(comparison):
        console.print(f"• {sentence}", highlight=False)
    best = winner(comparison)
    if made is not None and best is not None:
        console.print(f"next: {command(best, str(made))}", highlight=False, soft_wrap=True)


def look(file: Path, column: str, n: int, m: int, rate_hz: float | None, fill: Any) -> Any:
    """Return the survey of a file. Raises QcsError that names it."""
    from dataclasses import replace

    from qcskit.codec.config import nearest
    from qcskit.codec.readers import read_samples
    from qcskit.codec.survey import survey

    if fill not in ("refuse", "interpolate"):
        raise QcsError(f"--fill {fill}: {nearest(fill, ['refuse', 'interpolate'])}")
    if rate_hz is not None and not 0 < rate_hz < float("inf"):
        raise QcsError(f"--rate {rate_hz:g}: a rate is a positive number of samples per second")
    samples = read_samples(file, column, fill, n)
    try:
        return survey(replace(samples, rate_hz=rate_hz or samples.rate_hz), n, m)
    except QcsError as error:
        raise QcsError(f"'{file}': {error}") from None


def as_dict(found: Any, comparison: Any) -> dict[str, Any]:
    """Return survey and comparison (None: there is none) as JSON takes them.

    Decibels are about the training mean, then about each window's own mean.
    """
    from qcskit.cli.advise_compare import as_dict as compared_dict
    from qcskit.codec.survey import BANDS, SHARES, sentences, warnings

    samples, steps, floors = found.samples, found.steps, found.floors
    return {
        "samples": samples.values.size,
        "rate_hz": samples.rate_hz,
        "unit": samples.unit,
        "units_per_count": samples.units_per_count,
        "integers": samples.integers,
        **{name: getattr(steps, name) for name in (*steps.__dataclass_fields__, "bits")},
        "parts": {part: dict(zip(("mean", "std"), pair, strict=True)) for part, pair in found.parts.items()},
        "energy_below": dict(zip(map(str, BANDS), found.spectrum.bands, strict=True)),
        "peaks": [{"of_half_rate": frequency, "energy": share} for frequency, share in found.spectrum.peaks],
        "n": floors.n,
        "m": floors.m,
        "coefficients": {
            name: dict(zip(map(str, SHARES), counts, strict=True)) for name, counts in floors.counts.items()
        },
        "klt_db": floors.klt,
        "lmmse_db": floors.lmmse,
        "test_windows": floors.windows,
        "test_windows_of_one_value": floors.repeated,
        "says": sentences(found),
        "warnings": warnings(found),
        "comparison": None if comparison is None else compared_dict(comparison),
    }


def show(found: Any, name: str) -> None:
    """Print a survey: facts, coefficients, and what they say."""
    from qcskit.codec.survey import SHARES, sentences

    console.print(facts_table(f"recording {name}", _facts(found)))
    floors = found.floors
    table = Sheet(title=f"coefficients of {floors.n} that carry a share of the energy")
    for title in ("share", *floors.counts):
        table.add_column(title, number=True)
    for row, share in enumerate(SHARES):
        table.add_row(f"{100 * share:g} %", *(str(counts[row]) for counts in floors.counts.values()))
    console.print(table)
    for sentence in sentences(found):
        console.print(f"• {sentence}", highlight=False)


def _facts(found: Any) -> dict[str, str]:
    samples, steps, floors = found.samples, found.steps, found.floors
    unit = f" {samples.unit}" if samples.unit and samples.units_per_count == 1.0 else ""
    kind = "integers" if steps.step and samples.integers else "values"
    stepped = f"multiples of {steps.step:.6g}{unit}, {steps.bits} bits" if steps.step else "no step to be seen"
    windows = "" if samples.values.ndim == 1 else f" in {len(samples.values):,} windows"
    return {
        "samples": f"{samples.values.size:,}{windows}",
        "rate": "not known" if samples.rate_hz is None else f"{samples.rate_hz:g} Hz",
        "range": f"{steps.low:.6g} … {steps.high:.6g}{unit}",
        kind: f"{steps.distinct:,} different ones, {stepped}",
        "at the extremes": f"{steps.at_low:.3%} lowest, {steps.at_high:.3%} highest",
        "longest run": f"{steps.longest:,} samples of one value",
        **{f"{part} part": f"mean {mean:.6g}, std {std:.4g}{unit}" for part, (mean, std) in found.parts.items()},
        "energy": _energy_below(found),
        "test windows": f"{floors.windows:,} that share no sample",
        f"best {floors.m} of {floors.n} (KLT)": _decibels(floors.klt),
        f"{floors.m} regular samples": _decibels(floors.lmmse),
    }  # fmt: skip


def _energy_below(found: Any) -> str:
    from qcskit.codec.survey import BANDS

    shares = zip(BANDS, found.spectrum.bands, strict=True)
    told = ", ".join(f"{share:.1%} below 1/{round(1 / band)}" for band, share in shares)
    return f"{told} of half the sampling rate"


def _decibels(pair: tuple[float, float]) -> str:
    return f"{pair[0]:.2f} dB about the training mean, {pair[1]:.2f} dB about the window's own mean"


def _check_picture(out: Path, file: Path) -> None:
    from qcskit.codec.files import check_file

    if out.suffix.lower() not in (".svg", ".html"):
        raise QcsError(f"--out '{out}': a picture is .svg or .html")
    check_file(out, file)
    need("matplotlib", "report", "a picture")


def write_picture(out: Path, found: Any, comparison: Any, name: str) -> None:
    """Write an excerpt of the signal, its spectrum, what k coefficients leave out, and what codecs lose over bits."""
    from qcskit.cli.advise_compare import panel
    from qcskit.cli.advise_words import verdict
    from qcskit.codec.files import write_text
    from qcskit.codec.survey import sentences

    panels = _panels(found) if comparison is None else [*_panels(found), panel(comparison)]
    if out.suffix.lower() == ".html":
        said = sentences(found) if comparison is None else [*sentences(found), *verdict(comparison)]
        words = "".join(f"<li>{escape(sentence)}</li>\n" for sentence in said)
        head = f'<!doctype html>\n<meta charset="utf-8">\n<title>{escape(name)}</title>\n<h1>{escape(name)}</h1>\n'
        write_text(out, f"{head}<ul>\n{words}</ul>\n{'<br>'.join(panels)}")
        return
    stacked = "".join(panel.replace("<svg ", f'<svg y="{k * _PANEL_PT}pt" ', 1) for k, panel in enumerate(panels))
    height = len(panels) * _PANEL_PT
    write_text(out, f'<svg xmlns="http://www.w3.org/2000/svg" width="375pt" height="{height}pt">\n{stacked}</svg>\n')


def _panels(found: Any) -> list[str]:
    import numpy as np

    from qcskit.hil.report import plots

    samples, spectrum, floors = found.samples, found.spectrum, found.floors
    series, rate_hz = samples.values.ravel(), samples.rate_hz
    excerpt = series[: min(len(series), 20 * floors.n)]
    time = np.arange(len(excerpt)) / (rate_hz or 1.0)
    power_db = 10 * np.log10(np.maximum(spectrum.power[1:], 1e-16 * spectrum.power.max()))
    frequencies = spectrum.frequencies[1:] / 2 * (rate_hz or 1.0)
    fixed = "db4" if "db4" in floors.left else "haar"
    curves = {basis: floors.left[basis][:-1].tolist() for basis in ("KLT", "DCT", fixed) if basis in floors.left}
    value = "value" if samples.units_per_count != 1.0 or not samples.unit else samples.unit
    seconds, hertz = ("s", "Hz") if rate_hz else ("sample", "part of the sampling rate")
    return [
        plots.lines(time.tolist(), {"signal": excerpt.tolist()}, seconds, value),
        plots.lines(frequencies.tolist(), {"power": power_db.tolist()}, hertz, "power in dB"),
        plots.lines(list(range(floors.n)), curves, f"coefficients of {floors.n}", "energy left out in dB", ".-"),
    ]
