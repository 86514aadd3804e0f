"""The picture of a sweep: what is lost over bits, and over what the encoder costs."""

from collections import defaultdict
from html import escape
from io import BytesIO
from pathlib import Path
from statistics import fmean
from typing import Any

from qcskit.codec.errors import QcsError
from qcskit.codec.optional import need

_SUFFIXES = (".png", ".svg", ".html")
Row = dict[str, str]
Points = dict[str, list[tuple[float, float]]]
"""Method → (bits per entry or multiplications, NMSE in dB)."""


def write_picture(table: Path, out: Path) -> int:
    """Write the picture of a results.csv as .png, .svg or .html, and return of how many points it is.

    Raises QcsError of another suffix, or if there is no table, or no point of it is done.
    """
    from qcskit.codec.files import check_file, write_file
    from qcskit.training.sweep import read_table

    if out.suffix.lower() not in _SUFFIXES:
        raise QcsError(f"--out '{out}': a picture is {', '.join(_SUFFIXES)}")
    if not table.is_file():
        raise QcsError(f"table '{table}' does not exist; 'qcskit sweep' writes one")
    check_file(out, table)
    rows = {row["point"]: row for row in read_table(table) if row["status"] == "done"}
    if not rows:
        raise QcsError(f"'{table}' holds no point that is done; 'qcskit sweep' runs them")
    content = picture(list(rows.values()), str(table), out.suffix.lower())
    write_file(out, lambda file: file.write(content))
    return len(rows)


def points(rows: list[Row], over: str) -> Points:
    """Return the points of each method over a column, ascending, seeds averaged; what has no value is left out.

    >>> row = {"variant": "a", "rate_bits": "1", "macs": "", "nmse_hard_db": "-9"}
    >>> points([row, row | {"nmse_hard_db": "-11"}], "rate_bits"), points([row], "macs")
    ({'a': [(1.0, -10.0)]}, {})
    """
    found: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for row in rows:
        if row[over]:
            found[row["variant"], row[over], row["rate_bits"]].append(float(row["nmse_hard_db"]))
    curves: Points = defaultdict(list)
    for (method, value, _), levels in found.items():
        curves[method].append((float(value), fmean(levels)))
    return {method: sorted(curve) for method, curve in curves.items()}


def front(curves: Points) -> list[tuple[float, float]]:
    """Return the points that no other beats in both: as cheap and closer, or cheaper and as close.

    >>> front({"a": [(0.0, -9.0), (500.0, -12.0)], "b": [(600.0, -11.0)]})
    [(0.0, -9.0), (500.0, -12.0)]
    """
    best: list[tuple[float, float]] = []
    for point in sorted(point for curve in curves.values() for point in curve):
        if not best or point[1] < best[-1][1]:
            best.append(point)
    return best


def picture(rows: list[Row], title: str, suffix: str) -> bytes:
    """Return rate and distortion, and cost and distortion side by side. Raises MissingLibraryError of matplotlib."""
    need("matplotlib", "report", "a picture")
    from qcskit.hil.report import plots

    rate, cost = points(rows, "rate_bits"), points(rows, "macs")
    figure = plots.rate_and_cost(rate, cost, front(cost))
    out = BytesIO()
    with plots.style():
        plots.save(figure, out, suffix)
    if suffix != ".html":
        return out.getvalue()
    return _page(title, out.getvalue().decode(), rows).encode()


def _page(title: str, svg: str, rows: list[Row]) -> str:
    shown: dict[str, str] = {
        "variant": "method", "rate_bits": "bits per entry", "vector_bytes": "bytes", "nmse_hard_db": "NMSE, dB",
        "nmse_float_db": "in floating point, dB", "macs": "multiplications", "n": "N", "m": "M", "outputs": "K",
        "levels": "I", "seed": "seed", "seconds": "s", "point": "point",
    }  # fmt: skip
    head = "".join(f'<th scope="col">{word}</th>' for word in shown.values())
    ordered: Any = sorted(rows, key=lambda row: (row["variant"], float(row["rate_bits"])))
    body = "".join(f"<tr>{''.join(f'<td>{escape(row[name])}</td>' for name in shown)}</tr>\n" for row in ordered)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<style>\n'
        "body { font: 15px/1.5 system-ui, sans-serif; margin: 16px; background: #fff; color: #1c2126; }\n"
        "svg { width: 100%; height: auto; max-width: 1000px; } .scroll { overflow-x: auto; }\n"
        "td, th { padding: 2px 10px; text-align: right; } </style></head>\n"
        f"<body><h1>{escape(title)}</h1>\n<figure>{svg}</figure>\n"
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table></div>\n'
        "</body></html>\n"
    )
