"""What benchmarks share: options, rows, a table on stdout, JSON of DESIGN's form."""

import argparse
import json
import os
import platform
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from rich.console import Console
from rich.table import Table

from qcskit.codec.files import write_text


@dataclass(frozen=True)
class Row:
    """One figure. reference: measured in the same run, or cited (then `note` says so). target: the number aimed at."""

    case: str
    metric: str
    value: float | None
    unit: str
    reference: float | None = None
    target: float | None = None
    meets: bool | None = None
    note: str = ""

    def __post_init__(self) -> None:
        """Keep `meets` as Python's own: NumPy's False is not False, and no JSON."""
        if self.meets is not None:
            object.__setattr__(self, "meets", bool(self.meets))


def arguments(description: str, **extra: int | str | bool) -> argparse.Namespace:
    """Return the options --quick, --json and one option per keyword (its value is the default and gives the type)."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="minutes instead of hours")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows here")
    for name, default in extra.items():
        option = f"--{name.replace('_', '-')}"
        if default is False:
            parser.add_argument(option, action="store_true")
        else:
            parser.add_argument(option, type=type(default), default=default, help=f"default {default or 'all'}")
    return parser.parse_args()


def report(
    name: str, title: str, rows: list[Row], out: Path | None, curves: list[dict[str, object]] | None = None
) -> int:
    """Print the table, write the JSON (with `curves`, if any), return the exit status: 1 if a target is missed."""
    table = Table(title=title)
    for column in ("case", "metric", "value", "unit", "reference", "target", "meets", "note"):
        table.add_column(column, justify="right" if column in {"value", "reference", "target"} else "left")
    for row in rows:
        meets = "" if row.meets is None else "yes" if row.meets else "NO"
        table.add_row(row.case, row.metric, _number(row.value, "not measured"), row.unit, _number(row.reference),
                      _number(row.target), meets, row.note)  # fmt: skip
    Console(width=160).print(table)
    if out:
        write_rows(out, name, rows, curves)
    return int(any(row.meets is False for row in rows))


def write_rows(out: Path, name: str, rows: list[Row], curves: list[dict[str, object]] | None = None) -> None:
    """Write the JSON of a benchmark, in one rename."""
    content: dict[str, object] = {"name": name, "environment": environment(), "rows": [asdict(row) for row in rows]}
    if curves is not None:
        content["curves"] = curves
    write_text(out, json.dumps(content, indent=1) + "\n")


def environment() -> dict[str, str]:
    """Return machine and versions."""
    facts = {"python": platform.python_version(), "machine": platform.machine(), "cores": str(os.cpu_count())}
    for package in ("numpy", "tflite-micro", "tensorflow-cpu", "ai-edge-litert"):
        try:
            facts[package] = version(package)
        except PackageNotFoundError:
            continue
    return facts


def _number(value: float | None, missing: str = "") -> str:
    if value is None:
        return missing
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:,.3g}"
