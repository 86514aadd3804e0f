"""Assemble the page: plots and tables from a bundle, results.json and verdict.json."""

from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from qcskit.codec.errors import QcsError
from qcskit.codec.files import write_text
from qcskit.codec.foreign import printable
from qcskit.codec.interface import Codec
from qcskit.codec.metrics import Clipped, Fidelity
from qcskit.hil.distribution import QUANTILES
from qcskit.hil.results import NOT_MEASURED, of_windows

_SHOWN_VECTORS = 5


def write_report(codec: Codec, results: dict[str, Any] | None, verdict: dict[str, Any] | None, out: Path) -> None:
    """Write the page to `out` in one rename. Raises QcsError if the extra `report` is missing."""
    write_text(out, render(codec, results, verdict))


def render(codec: Codec, results: dict[str, Any] | None, verdict: dict[str, Any] | None) -> str:
    """Return the whole page as HTML text."""
    try:
        import jinja2
        import matplotlib  # noqa: F401
    except ImportError:
        needs = "matplotlib and jinja2; install them with: pip install 'qcskit[report]'"
        raise QcsError(f"the report needs {needs}") from None
    source = resources.files(__package__).joinpath("page.html.jinja").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, finalize=_shown
    )
    return environment.from_string(source).render(
        manifest=codec.bundle.manifest,
        facts=facts(codec),
        figures=bundle_figures(codec, results),
        devices=[device_view(device, results["bundle"]["unit"]) for device in results["devices"]] if results else [],
        verdict=verdict,
        results=results,
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


def bundle_figures(codec: Codec, results: dict[str, Any] | None) -> dict[str, str]:
    """Return the plots that a bundle alone, or with its results, gives: title → svg."""
    from qcskit.hil.report import plots

    nmse, curves, figures = codec.bundle.manifest.nmse, codec.curves(), {}
    if training := curves.get("training"):
        both = {"hard quantizer (validation)": training["hard_db"], "soft quantizer (training)": training["soft_db"]}
        figures["Training"] = plots.lines(training["step"], both, "step", "NMSE in dB")
    if "quantizer" in curves:
        figures["Quantizer: soft against hard"] = plots.quantizer_curve(**curves["quantizer"])
    bars = {"float": nmse.float_db, "deployed": nmse.deployed_db}
    for device in [] if results is None else results["devices"]:
        if "error" not in device:
            bars[printable(device["label"])] = device["nmse"]["device_db"]
    if measured := {name: float(value) for name, value in bars.items() if isinstance(value, int | float)}:
        figures["NMSE"] = plots.nmse_bars(measured)
    if codec.decodes:
        x, x_hat = (codec.bundle.vectors[name][:_SHOWN_VECTORS] for name in ("x", "x_hat"))
        figures["Golden vectors"] = plots.reconstructions(x, np.nan_to_num(x_hat))
    return figures


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
        "throughput": f"{device['throughput']['vectors_per_s']} vectors/s through this link",
        "retries": str(device["link"]["host"]["retries"]),
        "energy (estimate)": str(device["energy"]),
    }


def _figures(device: dict[str, Any]) -> dict[str, str]:
    from qcskit.hil.report import plots

    ticks, nmse, series, wrong = (device[key] for key in ("ticks", "nmse", "series", "mismatches"))
    figures = {}
    if isinstance(ticks, dict):
        bins, unit = ticks["histogram"], ticks["unit"]
        marks = {name: ticks[name] for name in QUANTILES}
        figures[f"Encode, {unit}"] = plots.histogram(**bins, unit=unit, marks=marks)
        figures["Encode, cumulative"] = plots.cumulative(**bins, unit=unit)
    if nmse["per_segment_db"] and not isinstance(device["recovery"], dict):
        starts = np.arange(len(nmse["per_segment_db"])) * nmse["segment_vectors"]
        curve = {"NMSE": nmse["per_segment_db"]}
        figures["NMSE over the run"] = plots.lines(starts, curve, "vector", "NMSE in dB", ".-")
    if len(series["t_s"]) > 1:
        counters = {name.replace("_", " "): values for name, values in series.items() if name != "t_s"}
        figures["Link"] = plots.lines(series["t_s"], counters, "time in s", "count")
    if wrong["count"]:
        figures["Mismatches"] = plots.mismatch_map(wrong["segments"], wrong["segment_vectors"], wrong["per_output"])
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
