"""What `qcskit hil` shows: a progress bar per board, the closing table."""

from typing import Any, Self

from rich.progress import TaskID
from rich.table import Table
from rich.text import Text

from qcskit.cli.bar import Bar
from qcskit.cli.common import error_console
from qcskit.cli.sheet import Sheet

_STAGES = {"connect": "builds and connects", "run": "answers vectors", "compare": "compares them"}


class Show:
    """Progress bars on stderr, one per board; safe to call from several threads."""

    def __init__(self, enabled: bool) -> None:
        self._bars = Bar(error_console, quiet=not enabled, transient=True)
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._bars.stop()

    def progress(self, label: str, stage: str, done: int, total: int) -> None:
        """Show how far a board is."""
        text = f"{label} {_STAGES.get(stage, stage)}"
        if label not in self._tasks:
            self._tasks[label] = self._bars.add_task(text, total=total)
        self._bars.update(self._tasks[label], description=text, completed=done, total=total)

    def soak(self, soak: Any, mismatches: int) -> None:
        """Show how a soak run goes."""
        if "soak" not in self._tasks:
            self._tasks["soak"] = self._bars.add_task("soak, seconds")
        live = f"{soak.answered:,} vectors, {mismatches} mismatches"
        self._bars.update(self._tasks["soak"], live=live, completed=int(soak.elapsed_s), total=int(soak.duration_s))


def verdict_table(results: dict[str, Any]) -> Table:
    """Return the closing table: one row per figure, one column per board."""
    bundle = results["bundle"]
    title = f"{bundle['name']} ({bundle['model_id']}), R = {bundle['rate_bits']:g} bits/entry"
    table = Sheet(title=title, title_justify="left", min_width=60, caption=_data(results["data"]))
    table.add_column("")
    columns = [_column(entry, bundle) for entry in results["devices"]]
    for entry in results["devices"]:
        table.add_column(entry["label"], justify="right", overflow="fold")
    for name in dict.fromkeys(name for column in columns for name in column):
        table.add_row(name, *(column.get(name, "") for column in columns))
    return table


def _data(data: dict[str, Any] | None) -> str | None:
    """Return what is told of the user's own file."""
    if data is None:
        return None
    left = f", {data['samples_left']:,} samples left at its end" if data["samples_left"] else ""
    return f"{data['name']}: {data['packets']:,} packets{left}"


def _column(entry: dict[str, Any], bundle: dict[str, Any]) -> dict[str, str | Text]:
    from qcskit.hil.results import OFF_DESIGN, of_guard, of_windows

    if "error" in entry:
        return {"error": Text(entry["error"], style="red")}
    nmse, count, rate = entry["nmse"], entry["mismatches"]["count"], entry["throughput"]["vectors_per_s"]
    rows: dict[str, str | Text] = {
        "vectors answered": f"{entry['answered']:,}{of_windows(entry)}"
        + (f" ({entry['resumed']:,} resumed)" if entry["resumed"] else ""),
        "mismatches": Text(f"{count:,}", style="red" if count else "green"),
        "NMSE device, dB": _decibel(nmse["device_db"]),
        "NMSE integer reference, dB": _decibel(nmse["deployed_db"]),
        "NMSE float (export), dB": _decibel(nmse["float_db"]),
        **_fidelity(nmse["fidelity"], bundle["unit"]),
        "clipped": entry["clipped"]
        if isinstance(entry["clipped"], str)
        else f"{entry['clipped']['share']:.2%} of counts",
        **_saturation(entry["saturated"]),
        "ticks per encode p50 / p99 / max": _ticks(entry["ticks"]),
        "tick": _unit(entry["ticks"]),
        "round trip of one vector p50": _micro(entry["round_trip_us"]["single"]),
        "vectors/s": f"{rate:,.0f}" if rate else "-",
        "retries": f"{entry['link']['host']['retries']:,}",
        "host and board counts": _agreement(entry["link"]),
        "energy, estimate": _energy(entry["energy"]),
    }
    if flagged := of_guard(entry):
        rows[OFF_DESIGN] = flagged
    size, recovery = entry["packet_bytes"], entry["recovery"]
    if isinstance(size, dict) and size["min"] == bundle["packed_bytes_max"]:  # all are as long
        bits = bundle["rate_bits"] * bundle["n"] * bundle["windows"]
        rows["packet"] = f"{bits:g} bits, sent in {size['max']:,} bytes"
    elif isinstance(size, dict):
        rows["bytes per packet min / mean / max"] = f"{size['min']:,} / {size['mean']:,.1f} / {size['max']:,}"
    if isinstance(recovery, dict):
        flagged, wrong = recovery["flagged"], recovery["wrong"]
        exact = f"{recovery['perfect']:,} of {recovery['frames']:,}"
        rows["perfect recovery"] = f"{exact}; flagged {flagged:,}, wrong {wrong:,}"
    return rows


def _fidelity(found: dict[str, Any] | str, unit: str) -> dict[str, str]:
    """Return the rows of `codec.metrics.Fidelity`; none where it was not measured."""
    if isinstance(found, str):
        return {}
    spread = " / ".join(_decibel(found[name]) for name in ("median_db", "p95_db", "worst_db"))
    prd = "not measured" if found["prd_percent"] is None else f"{found['prd_percent']:.4g} %"
    return {
        "NMSE about windows' own mean, dB": _decibel(found["window_nmse_db"]),
        "NMSE of windows median / 95 % / worst, dB": spread,
        "PRD": prd,
        "largest error": f"{found['largest_error']:.4g} {unit}".strip(),
    }


def _saturation(share: float) -> dict[str, Text]:
    return (
        {"vectors clipped through and through": Text(f"{100 * share:.1f} %", style="yellow")} if share >= 0.005 else {}
    )


def _unit(ticks: dict[str, Any] | str) -> str:
    if isinstance(ticks, str):
        return ticks
    return f"{ticks['unit']} at {ticks['hz']:,} Hz" if ticks["hz"] else str(ticks["unit"])


def _agreement(link: dict[str, Any]) -> str | Text:
    if link["board_restarted"]:
        return Text("board restarted", style="yellow")
    return "agree" if link["agree"] else Text("differ", style="yellow")


def _energy(energy: dict[str, Any] | str) -> str:
    if isinstance(energy, str):
        return energy
    return f"encode {energy['encode_uj']} µJ, radio {energy['radio_uj']} µJ per vector"


def _decibel(value: float | str | None) -> str:
    if value is None:
        return "exact"
    return f"{value:.3f}" if isinstance(value, float) else value


def _ticks(ticks: dict[str, Any] | str) -> str:
    return ticks if isinstance(ticks, str) else f"{ticks['p50']:,} / {ticks['p99']:,} / {ticks['max']:,}"


def _micro(distribution: dict[str, Any] | str) -> str:
    return distribution if isinstance(distribution, str) else f"{distribution['p50'] / 1000:.2f} ms"
