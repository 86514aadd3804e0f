"""Assemble the page: plots and tables from a bundle, results.json and verdict.json."""

from dataclasses import dataclass, field
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from qcskit.codec.files import write_text
from qcskit.codec.foreign import printable
from qcskit.codec.interface import Codec
from qcskit.codec.metrics import Clipped, Fidelity
from qcskit.codec.optional import need, optional
from qcskit.hil.distribution import QUANTILES
from qcskit.hil.results import NOT_MEASURED, OFF_DESIGN, of_guard, of_windows

_SHOWN_VECTORS = 3


@dataclass(frozen=True)
class Cost:
    """What a codec takes of a device. cores: rows of `qcskit.firmware.footprint`, as dicts, or `missing` in one.

    layers: name, instructions, share of the encode. counted: on what; or why nothing was. flame: an `<svg>`, or "".
    """

    cores: list[dict[str, Any]] = field(default_factory=list)
    layers: list[tuple[str, float, float]] = field(default_factory=list)
    counted: str = NOT_MEASURED
    flame: str = ""


@dataclass(frozen=True)
class Plot:
    """A picture of the page: its `<svg>`, and what it shows in words."""

    svg: str
    words: str

    def svg_with(self, title: str) -> str:
        """Return the svg with title and words for who cannot see it."""
        said = escape(printable(f"{title}: {self.words}"), quote=True)
        return self.svg.replace("<svg ", f'<svg role="img" aria-label="{said}" ', 1)


def write_report(
    codec: Codec, results: dict[str, Any] | None, verdict: dict[str, Any] | None, out: Path, cost: Cost | None = None,
    dates: dict[str, str] | None = None,
) -> None:  # fmt: skip
    """Write the page to `out` in one rename. Raises QcsError if the extra `report` is missing.

    dates: when the files were written of which it tells.
    """
    write_text(out, render(codec, results, verdict, cost, dates))


def render(
    codec: Codec, results: dict[str, Any] | None, verdict: dict[str, Any] | None, cost: Cost | None = None,
    dates: dict[str, str] | None = None,
) -> str:  # fmt: skip
    """Return the whole page as HTML text."""
    need("matplotlib", "report", "the report")
    jinja2 = optional("jinja2", "report", "the report")
    source = resources.files(__package__).joinpath("page.html.jinja").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_shown
    )
    return environment.from_string(source).render(
        manifest=codec.bundle.manifest,
        facts=facts(codec),
        figures=bundle_figures(codec, results),
        windows=windows(codec),
        devices=[device_view(device, results["bundle"]["unit"]) for device in results["devices"]] if results else [],
        verdict=verdict,
        results=results,
        cost=cost or Cost(),
        origin=origin(codec, results, verdict, dates or {}),
    )


def _shown(value: Any) -> Any:
    """Return what the page shows of a value: text of others is printable, markup of our own is as it is."""
    return printable(value, keep="\n") if type(value) is str else value


def facts(codec: Codec) -> dict[str, str]:
    """Return what manifest and codec say, label → text."""
    m = codec.bundle.manifest
    s = m.signal
    sparse = f"S = {s.s}, " if codec.source_windows is None else ""
    none = "exact" if m.nmse.fidelity and m.nmse.fidelity.exact else NOT_MEASURED
    return {
        "model": f"{m.name}, id {m.model_id}, codec {codec.kind}",
        "source": f"N = {s.n}, M = {s.m}, {sparse}noise variance {s.noise_variance:g}",
        "ADC": m.adc.describe(),
        **codec.describe(),
        "NMSE float": _db(m.nmse.float_db),
        "NMSE deployed": f"{_db(m.nmse.deployed_db, none)} ({m.nmse.frames:,} frames)",
        "fidelity": m.nmse.fidelity.describe(m.adc.unit) if m.nmse.fidelity else NOT_MEASURED,
        "clipped": f"{np.mean(m.nmse.clipped):.2%} of the counts" if m.nmse.clipped else NOT_MEASURED,
        "made with": ", ".join(f"{tool} {number}" for tool, number in m.tools.items()),
    }


def bundle_figures(codec: Codec, results: dict[str, Any] | None) -> dict[str, Plot]:
    """Return the plots that a bundle alone, or with its results, gives, by title."""
    from qcskit.hil.report import plots

    nmse, curves, figures = codec.bundle.manifest.nmse, codec.curves(), {}
    if training := curves.get("training"):
        both = {"hard quantizer (validation)": training["hard_db"], "soft quantizer (training)": training["soft_db"]}
        words = f"NMSE of the hard quantizer falls to {min(training['hard_db']):.2f} dB"
        figures["Training"] = Plot(plots.lines(training["step"], both, "step", "NMSE in dB"), words)
    if "quantizer" in curves:
        words = "the soft staircase of the training and the hard one that it becomes"
        figures["Quantizer: soft against hard"] = Plot(plots.quantizer_curve(**curves["quantizer"]), words)
    exported = {"float": nmse.float_db, "deployed": nmse.deployed_db}
    groups = {f"NMSE, {nmse.frames:,} frames of the export": exported, **_measured_nmse(results)}
    for title, bars in groups.items():
        if measured := {name: float(value) for name, value in bars.items() if isinstance(value, int | float)}:
            words = ", ".join(f"{name} {value:.3f} dB" for name, value in measured.items())
            figures[title] = Plot(plots.nmse_bars(measured), words)
    return figures


def _measured_nmse(results: dict[str, Any] | None) -> dict[str, dict[str, Any]]:
    """Return the bars of boards, by title: those that answered the same vectors stand side by side."""
    groups: dict[tuple[str, int], dict[str, Any]] = {}
    for device in results["devices"] if results else ():
        if "error" not in device:
            nmse, asked = device["nmse"], device["evidence"]["parts"].get("vectors", "")
            bars = groups.setdefault((asked, nmse["frames"]), {"integer reference": nmse["deployed_db"]})
            bars[printable(device["label"])] = nmse["device_db"]
    several = len({frames for _, frames in groups}) < len(groups)
    return {
        f"NMSE, {frames:,} frames of the run" + f" ({printable(asked)})" * several: bars
        for (asked, frames), bars in groups.items()
    }


def windows(codec: Codec) -> dict[str, Plot]:
    """Return source and estimate of a few golden vectors, in units, by title; none without a decoder."""
    from qcskit.hil.report import plots

    if not codec.decodes:
        return {}
    manifest, figures = codec.bundle.manifest, {}
    for number, (x, x_hat) in enumerate(
        zip(*(codec.bundle.vectors[name][:_SHOWN_VECTORS].astype(float) for name in ("x", "x_hat")), strict=True)
    ):
        joined = codec.source_windows is not None or manifest.signal.matrix == "none"
        unit = manifest.adc.unit or ("" if manifest.signal.scale == 1.0 else "units of the sensor")
        lost = (
            "not recovered" if np.isnan(x_hat).any() else f"largest error {np.abs(x - x_hat).max():.3g} {unit}".strip()
        )
        title = f"Golden vector {number}: {lost}"
        figures[title] = Plot(plots.reconstruction(x, x_hat, unit, joined), "the source, and what is decoded of it")
    return figures


def origin(
    codec: Codec, results: dict[str, Any] | None, verdict: dict[str, Any] | None, dates: dict[str, str]
) -> dict[str, str]:
    """Return where the figures are from: dates, host, versions and digests, label → text."""
    manifest = codec.bundle.manifest
    rows = {"bundle": f"{manifest.name}, SHA-256 {manifest.checksum or NOT_MEASURED}"}
    for name, found in (("results", results), ("verdict", verdict)):
        evidence = (found or {}).get("evidence")
        if evidence:
            rows[f"evidence of the {name}"] = f"SHA-256 {evidence['sha256']}"
            rows["measured with"] = f"qcskit {evidence['parts'].get('qcskit', NOT_MEASURED)}"
            rows["host"] = evidence["parts"].get("libraries", NOT_MEASURED)
    return rows | dates


def device_view(device: dict[str, Any], unit: str = "") -> dict[str, Any]:
    """Return rows and plots of one device; what has no measurement says so. unit: of x."""
    if "error" in device:
        return {"label": device["label"], "rows": {"failed": device["error"]}, "figures": {}, "first": []}
    first = device["mismatches"]["first"][:20]
    return {"label": device["label"], "rows": _rows(device, unit), "figures": _figures(device), "first": first}


def _rows(device: dict[str, Any], unit: str) -> dict[str, str]:
    nmse, recovery, clipped = device["nmse"], device["recovery"], device["clipped"]
    close = Fidelity(**nmse["fidelity"]) if isinstance(nmse["fidelity"], dict) else None
    none = "exact" if close and close.exact else NOT_MEASURED
    reference = "NMSE integer reference, same vectors"
    quality = {"NMSE device": _db(nmse["device_db"], none), reference: _db(nmse["deployed_db"], none)}
    quality["fidelity"] = close.describe(unit) if close else NOT_MEASURED
    if isinstance(recovery, dict):
        share = f"{recovery['perfect']:,} of {recovery['frames']:,}"
        quality = {"perfect recovery": f"{share}; flagged {recovery['flagged']:,}, wrong {recovery['wrong']:,}"}
    if flagged := of_guard(device):
        quality[OFF_DESIGN] = flagged
    return {
        "board": f"{device['board']}, firmware {device['firmware']}, protocol {device['protocol']}",
        "vectors answered": f"{device['answered']:,} of {device['vectors']:,}",
        "vectors": f"{device['answered']:,}{of_windows(device)}",
        "mismatches": f"{device['mismatches']['count']:,}",
        "packet": _spread(device["packet_bytes"], "bytes"),
        **quality,
        "clipped": Clipped(**clipped).describe() if isinstance(clipped, dict) else NOT_MEASURED,
        "encode": _spread(device["ticks"]),
        "encode time": _spread(device["device_time_us"], "µs"),
        "round trip, one vector": _spread(device["round_trip_us"]["single"], "µs"),
        "throughput": _rate(device["throughput"]["vectors_per_s"]),
        "link": _link(device),
        "energy (estimate)": _energy(device["energy"]),
        "evidence": f"SHA-256 {device['evidence']['sha256']}",
    }


def _link(device: dict[str, Any]) -> str:
    """Return what both ends of the link counted."""
    link = device["link"]
    host, board = link["host"], link["board"]
    same = "both ends count the same" if link["agree"] else "host and board count differently"
    same = "the board restarted" if link["board_restarted"] else same
    return (
        f"{device['port']} at {device['baud']:,} baud; {host['frames_sent']:,} frames sent, "
        f"{host['retries']:,} retries, {host['timeouts']:,} timeouts, {host['reconnects']:,} reconnects; "
        f"board: {board['crc_errors']:,} CRC errors, {board['overruns']:,} overruns; {same}"
    )


def _energy(energy: dict[str, Any] | str) -> str:
    if isinstance(energy, str):
        return f"{NOT_MEASURED}: set hil.uj_per_kilocycle and hil.nj_per_bit"
    parts = {"encode": energy["encode_uj"], "radio": energy["radio_uj"]}
    return ", ".join(f"{name} {value}{'' if isinstance(value, str) else ' µJ'}" for name, value in parts.items())


def _rate(vectors_per_s: float | None) -> str:
    return NOT_MEASURED if vectors_per_s is None else f"{vectors_per_s:,.0f} vectors/s through this link"


def _figures(device: dict[str, Any]) -> dict[str, Plot]:
    from qcskit.hil.report import plots

    ticks, nmse, series, wrong = (device[key] for key in ("ticks", "nmse", "series", "mismatches"))
    figures = {}
    if isinstance(ticks, dict) and ticks["min"] < ticks["max"]:  # else its row says all
        bins, unit, words = ticks["histogram"], ticks["unit"], _spread(ticks)
        marks = {name: ticks[name] for name in QUANTILES}
        figures[f"Encode, {unit}"] = Plot(plots.histogram(**bins, unit=unit, marks=marks), words)
        figures["Encode, cumulative"] = Plot(plots.cumulative(**bins, unit=unit), words)
    if nmse["per_segment_db"] and not isinstance(device["recovery"], dict):
        starts = np.arange(len(nmse["per_segment_db"])) * nmse["segment_vectors"]
        curve = {"NMSE": nmse["per_segment_db"]}
        words = f"about {_db(nmse['device_db'], 'exact')} from beginning to end"
        figures["NMSE over the run"] = Plot(plots.lines(starts, curve, "vector", "NMSE in dB", ".-"), words)
    if len(series["t_s"]) > 1:
        counters = {name.replace("_", " "): values for name, values in series.items() if name != "t_s"}
        words = ", ".join(f"{name} {values[-1]:,}" for name, values in counters.items())
        figures["Link"] = Plot(plots.lines(series["t_s"], counters, "time in s", "count"), words)
    if wrong["count"]:
        drawn = plots.mismatch_map(wrong["segments"], wrong["segment_vectors"], wrong["per_output"])
        figures["Mismatches"] = Plot(drawn, f"{wrong['count']:,} vectors differ")
    return figures


def _spread(values: dict[str, Any] | str, unit: str | None = None) -> str:
    if not isinstance(values, dict):
        return NOT_MEASURED
    parts = ", ".join(f"{name} {values[name]:,.6g}" for name in ("min", "p50", "p95", "p99", "max"))
    if values["min"] == values["max"]:
        parts = f"{values['min']:,.6g}"
    return f"{parts} {unit or values.get('unit', '')}".strip()


def _db(value: float | str | None, none: str = NOT_MEASURED) -> str:
    """Return a figure in words. none: for None."""
    if value is None:
        return none
    return f"{value:.3f} dB" if isinstance(value, int | float) else NOT_MEASURED
