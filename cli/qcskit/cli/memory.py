"""What a codec takes of flash and RAM on every core: the table, the check against a device, the picture."""

import re
from collections.abc import Collection
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from typing import Any

from rich.table import Table

from qcskit.cli.sheet import Sheet
from qcskit.codec.errors import CheckFailedError, QcsError

Row = dict[str, Any]
_SUFFIXES = (".png", ".svg")
_PARTS = {
    "flash": {"code_bytes": "code", "table_bytes": "tables"},
    "RAM": {"ram_bytes": "static", "scratch_bytes": "scratch", "io_bytes": "counts and packet", "stack_bytes": "stack"},
}
"""What is added up, and what it is called."""


def footprints(codec: Any, only: Collection[str] | None = None) -> list[Row]:
    """Return bytes per core: flash, RAM and what they are made of; of a core that is not measured, why.

    only: names of cores; None: all.
    """
    from qcskit.firmware import CORES, MissingToolError
    from qcskit.firmware.footprint import footprint, memory

    rows: list[Row] = []
    for name, core in CORES.items():
        if only is not None and name not in only:
            continue
        c_dir = codec.bundle.path / "c"
        try:
            row = asdict(footprint(core, c_dir, codec.name)) | asdict(memory(core, c_dir, codec.name))
        except MissingToolError as error:
            rows.append({"core": name, "missing": error.package})
            continue
        rows.append(row | {f"{what.lower()}_needed_bytes": needed(row, what) for what in _PARTS})
    return rows


def check_cores(names: list[str]) -> None:
    """Raise QcsError that suggests the nearest core if there is none of a name."""
    from qcskit.codec.config import nearest
    from qcskit.firmware import CORES

    for name in names:
        if name not in CORES:
            raise QcsError(f"--core '{name}': there is no such core; {nearest(name, list(CORES))}")


def needed(row: Row, what: str) -> int:
    """Return the bytes of flash or RAM that an encode needs; a stack that nobody measured is not in it."""
    return sum(row[part] or 0 for part in _PARTS[what])


def parse_bytes(option: str, text: str | None) -> int | None:
    """Return a number of bytes, None of None. Raises QcsError that names the option.

    >>> parse_bytes("--flash", "32k"), parse_bytes("--ram", "2048"), parse_bytes("--ram", "1.5 KB")
    (32768, 2048, 1536)
    """
    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,3})?)\s*([kKmM]?)(?:i?[bB])?", text.strip())
    if not match:
        raise QcsError(f"{option} '{text}': bytes, for instance 32768, 32k or 1M")
    return int(float(match[1]) * {"": 1, "k": 1024, "m": 1 << 20}[match[2].lower()])


def check_fit(rows: list[Row], flash: int | None, ram: int | None) -> None:
    """Raise CheckFailedError that says what of which core is over; QcsError if nothing could be measured."""
    known = [row for row in rows if "missing" not in row]
    if not known and (flash, ram) != (None, None):
        raise QcsError(f"no core could be measured: sudo apt-get install {rows[0]['missing']}")
    over = [
        f"{row['core']}: {needed(row, what):,} of {room:,} bytes of {what}"
        for row in known
        for what, room in (("flash", flash), ("RAM", ram))
        if room is not None and needed(row, what) > room
    ]
    if over:
        raise CheckFailedError(f"the encoder does not fit: {'; '.join(over)}")


def core_table(rows: list[Row]) -> Table:
    """Return bytes per core."""
    absent = "; ".join(f"{row['core']} needs the Debian package {row['missing']}" for row in rows if "missing" in row)
    table = Sheet("core", title="bytes per core (GCC -O2)", caption=f"not measured: {absent}" if absent else None)
    words = ("code", "tables", "static RAM", "scratch", "counts, packet", "worst stack", "RAM in all", "agent's RAM")
    for word in words:
        table.add_column(word, justify="right")
    for row in rows:
        if "missing" in row:
            table.add_row(row["core"], "–")
            continue
        parts = [key for names in _PARTS.values() for key in names]
        keys = [*parts, "ram_needed_bytes", "agent_ram_bytes"]
        cells = ["not measured" if row[key] is None else f"{row[key]:,}" for key in keys]
        if row["stack_bytes"] is None:
            cells[-2] += " + stack"
        table.add_row(row["core"], *cells)
    return table


def write_picture(rows: list[Row], out: Path, title: str, flash: int | None, ram: int | None) -> None:
    """Write bars of flash and RAM per core, with the room of a device, as .png or .svg.

    Raises QcsError of another suffix, without matplotlib, or if no core was measured.
    """
    from qcskit.codec.files import check_file, write_file

    if out.suffix.lower() not in _SUFFIXES:
        raise QcsError(f"--picture '{out}': a picture is {', '.join(_SUFFIXES)}")
    check_file(out)
    known = [row for row in rows if "missing" not in row]
    if not known:
        raise QcsError("no core could be measured, so there is nothing to draw")
    content = bars(known, title, {"flash": flash, "RAM": ram}, out.suffix.lower())
    write_file(out, lambda file: file.write(content))


def bars(rows: list[Row], title: str, room: dict[str, int | None], suffix: str) -> bytes:
    """Return bars side by side: per kind of memory, per core, its parts one behind the other; room: a line.

    Raises QcsError without matplotlib.
    """
    try:
        from matplotlib.figure import Figure

        from qcskit.hil.report import plots
    except ImportError:
        raise QcsError("a picture needs matplotlib; install it with: pip install 'qcskit[report]'") from None
    content = BytesIO()
    with plots.style():
        figure = Figure(figsize=(9.0, 1.2 + 0.3 * len(rows)), layout="constrained")
        figure.suptitle(title, fontsize=10)
        for axes, (what, parts) in zip(figure.subplots(1, len(_PARTS), sharey=True), _PARTS.items(), strict=True):
            left = [0] * len(rows)
            for (key, word), color in zip(parts.items(), plots.COLOURS, strict=False):
                widths = [row[key] or 0 for row in rows]
                axes.barh([row["core"] for row in rows], widths, left=left, color=color, height=0.6, label=word)
                left = [sum(pair) for pair in zip(left, widths, strict=True)]
            if (most := room[what]) is not None:
                axes.axvline(most, color=plots.INK, ls="--", lw=1.0, label="the device's")
            axes.set(xlabel=f"bytes of {what}")
            axes.grid(axis="y", visible=False)
            axes.legend(fontsize=7, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(parts) + 1)
        axes.invert_yaxis()
        plots.save(figure, content, suffix)
    return content.getvalue()
