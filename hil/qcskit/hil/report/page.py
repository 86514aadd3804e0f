"""Assemble the page: plots and tables from a bundle, results.json and verdict.json."""

import json
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from qcskit.codec.bundle import Bundle, ClassicalFacts, CodedFacts, Manifest, write_file
from qcskit.codec.errors import QcsError

NOT_MEASURED = "not measured"
_SHOWN_VECTORS = 5


def write_report(bundle: Bundle, results: dict[str, Any] | None, verdict: dict[str, Any] | None, out: Path) -> None:
    """Write the page to `out` in one rename. Raises QcsError if the extra `report` is missing."""
    text = render(bundle, results, verdict)
    write_file(out, lambda path: path.write_text(text, encoding="utf-8"))


def read_json(path: Path, bundle: Bundle, command: str) -> dict[str, Any]:
    """Return a results or verdict file of this bundle. Raises QcsError if it is missing, broken or of another model."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise QcsError(f"'{path}' does not exist; make it with 'qcskit {command}'") from None
    except (OSError, ValueError) as error:
        raise QcsError(f"'{path}' is not valid JSON ({error}); make it again with 'qcskit {command}'") from None
    model_id = data.get("model_id") or data.get("bundle", {}).get("model_id") if isinstance(data, dict) else None
    if model_id != bundle.manifest.model_id:
        raise QcsError(f"'{path}' is of model {model_id}, bundle '{bundle.path}' of {bundle.manifest.model_id}; "
                       f"run 'qcskit {command}' on this bundle")  # fmt: skip
    if {"hil": "devices", "simulate": "implementations"}[command] not in data:
        raise QcsError(f"'{path}' is not what 'qcskit {command}' writes; -r takes the results.json of hil, -v the "
                       f"verdict.json of simulate")  # fmt: skip
    return dict(data)


def render(bundle: Bundle, results: dict[str, Any] | None, verdict: dict[str, Any] | None) -> str:
    """Return the whole page as HTML text."""
    try:
        import jinja2
        import matplotlib  # noqa: F401
    except ImportError:
        raise QcsError(
            "the report needs matplotlib and jinja2; install them with: pip install 'qcskit[report]'"
        ) from None
    source = resources.files(__package__).joinpath("page.html.jinja").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    environment.filters["db"] = _db
    devices = [] if results is None else [device_view(device) for device in results["devices"]]
    page: str = environment.from_string(source).render(
        manifest=bundle.manifest,
        facts=facts(bundle),
        figures=bundle_figures(bundle, results),
        devices=devices,
        verdict=verdict,
        results=results,
    )
    return page


def facts(bundle: Bundle) -> list[tuple[str, str]]:
    """Return what the manifest says, as rows."""
    m = bundle.manifest
    if m.coded is not None:
        return coded_facts(m, m.coded)
    if m.classical is not None:
        return classical_facts(m, m.classical)
    return [
        ("model", f"{m.name}, id {m.model_id}, codec {m.codec}"),
        ("source", f"N = {m.signal.n}, M = {m.signal.m}, S = {m.signal.s}, noise variance {m.signal.noise_variance:g}"),
        ("EncNet", "-".join(str(width) for width in m.widths)),
        ("quantizer", f"{m.levels} levels per output"),
        ("rate", f"{m.rate_bits:g} bits per entry: {m.packed_bits} bits in {m.packed_bytes} bytes per vector"),
        ("NMSE float", _db(m.nmse.float_db)),
        (f"NMSE {m.arithmetic}", f"{_db(m.nmse.int8_db)} ({m.nmse.frames:,} frames)"),
        ("TFLM arena, 64-bit host", NOT_MEASURED if m.arena_bytes is None else f"{m.arena_bytes:,} bytes"),
        ("trained", ", ".join(f"{key} {value}" for key, value in m.training.items() if key != "nmse_hard_db")),
        ("made with", ", ".join(f"{tool} {number}" for tool, number in m.tools.items())),
    ]


def coded_facts(m: Manifest, c: CodedFacts) -> list[tuple[str, str]]:
    """Return what the manifest of a coded bundle says, as rows."""
    guard = "always flagged (guard)" if c.guard else "may come back wrong without a flag (no guard)"
    return [
        ("code", f"{m.name}, id {m.model_id}, codec {m.codec}"),
        ("source", f"n = {c.n} entries over p = {c.p}, at most k = {c.k} not zero; k + 1 are {guard}"),
        ("measurements", f"m = {c.m}, period 2^{c.period_bits} counts, rows {c.rows}, lists {list(c.lists)}"),
        ("rate", f"{m.rate_bits:g} bits per entry: {m.packed_bits} bits in {m.packed_bytes} bytes per vector"),
        ("perfect recovery", f"{c.perfect_recovery:.5f} of {c.frames:,} vectors at {c.snr_db:.2f} dB, "
                             f"flagged {c.flagged:.5f}"),
        ("made with", ", ".join(f"{tool} {number}" for tool, number in m.tools.items())),
    ]  # fmt: skip


def classical_facts(m: Manifest, c: ClassicalFacts) -> list[tuple[str, str]]:
    """Return what the manifest of a classical codec's bundle says, as rows."""
    fitted = ", ".join(f"{key} {value:.4g}" for key, value in c.tuning.items()) or "nothing"
    return [
        ("codec", f"{c.method}, model {m.name}, id {m.model_id}"),
        ("source", f"N = {m.signal.n}, M = {m.signal.m}, S = {m.signal.s}, noise variance {m.signal.noise_variance:g}"),
        ("quantizer", f"{m.levels} cells per measurement, thresholds between ADC counts of {m.adc.scale:.4g}"),
        ("fitted", f"{fitted}; on {c.train_frames:,} frames"),
        ("rate", f"{m.rate_bits:g} bits per entry: {m.packed_bits} bits in {m.packed_bytes} bytes per vector"),
        ("NMSE float", _db(m.nmse.float_db)),
        ("NMSE on ADC counts", f"{_db(m.nmse.int8_db)} ({m.nmse.frames:,} frames)"),
        ("made with", ", ".join(f"{tool} {number}" for tool, number in m.tools.items())),
    ]


def bundle_figures(bundle: Bundle, results: dict[str, Any] | None) -> list[tuple[str, str]]:
    """Return (title, svg) of the plots that a bundle alone, or with its results, gives."""
    from qcskit.hil.report import plots

    m, figures = bundle.manifest, []
    if m.history.get("step"):
        figures.append(("Training", plots.training_curve(m.history)))
    if m.thresholds and m.codec == "deepqcs":
        rise = m.history.get("steepness") or [5.0, 105.0]
        steepness = sorted({round(rise[0]), round(rise[len(rise) // 3]), round(rise[-1])})
        figures.append(
            ("Quantizer: soft against hard", plots.quantizer_curve(m.thresholds, m.quantizer_levels, steepness))
        )
    bars = [("float", m.nmse.float_db), (m.arithmetic, m.nmse.int8_db)]
    for device in [] if results is None else results["devices"]:
        if "error" not in device:
            bars.append((device["label"], device["nmse"]["device_db"]))
    measured = [(name, float(value)) for name, value in bars if isinstance(value, int | float)]
    if measured:
        figures.append(("NMSE", plots.nmse_bars(measured)))
    vectors = bundle.vectors
    shown = slice(0, _SHOWN_VECTORS)
    if m.coded is not None:
        vectors = {**vectors, "x_hat": np.nan_to_num(vectors["x_hat"])}
    figures.append(("Golden vectors", plots.reconstructions(vectors["x"][shown], vectors["x_hat"][shown])))
    return figures


def device_view(device: dict[str, Any]) -> dict[str, Any]:
    """Return rows and plots of one device; what has no measurement says so."""
    from qcskit.hil.report import plots

    if "error" in device:
        return {"label": device["label"], "rows": [("failed", device["error"])], "figures": [], "first": []}
    ticks, nmse, figures = device["ticks"], device["nmse"], []
    if isinstance(ticks, dict):
        marks = {name: ticks[name] for name in ("p50", "p95", "p99")}
        bins = ticks["histogram"]
        figures.append(
            (f"Encode, {ticks['unit']}", plots.histogram(bins["edges"], bins["counts"], ticks["unit"], marks))
        )
        figures.append(("Encode, cumulative", plots.cumulative(bins["edges"], bins["counts"], ticks["unit"])))
    recovery = device.get("recovery")
    if nmse.get("per_segment_db") and not isinstance(recovery, dict):
        figures.append(("NMSE over the run", plots.nmse_per_segment(nmse["per_segment_db"], nmse["segment_vectors"])))
    series = device.get("series") or {}
    if len(series.get("t_s", [])) > 1:
        lines = {"answered": series["answered"], "retries": series["retries"], "not frames": series["not_frames"]}
        figures.append(("Link", plots.over_time(series["t_s"], lines)))
    wrong = device["mismatches"]
    if wrong["count"]:
        figures.append(
            ("Mismatches", plots.mismatch_map(wrong["segments"], wrong["segment_vectors"], wrong["per_output"]))
        )
    rows = [
        ("board", f"{device['board']}, firmware {device['firmware']}, protocol {device['protocol']}"),
        ("vectors answered", f"{device['answered']:,} of {device['vectors']:,}"),
        ("mismatches", f"{device['mismatches']['count']:,}"),
        ("NMSE device", _db(nmse["device_db"])),
        ("NMSE integer reference, same vectors", _db(nmse["int8_db"])),
        ("encode", _spread(ticks)),
        ("encode time", _spread(device["device_time_us"], "µs")),
        ("round trip, one vector", _spread(device["round_trip_us"]["single"], "µs")),
        ("throughput", f"{device['throughput']['vectors_per_s']} vectors/s through this link"),
        ("retries", str(device["link"]["host"]["retries"])),
        ("energy (estimate)", device["energy"] if isinstance(device["energy"], str) else str(device["energy"])),
    ]
    if isinstance(recovery, dict):
        share = f"{recovery['perfect']:,} of {recovery['frames']:,} at {recovery['snr_db']:.2f} dB"
        rest = f"flagged {recovery['flagged']:,}, wrong {recovery['wrong']:,}"
        rows[3:5] = [("perfect recovery", f"{share}; {rest}")]
    return {"label": device["label"], "rows": rows, "figures": figures, "first": device["mismatches"]["first"][:20]}


def _spread(values: dict[str, Any] | str, unit: str | None = None) -> str:
    if not isinstance(values, dict):
        return NOT_MEASURED
    parts = ", ".join(f"{name} {values[name]:,.6g}" for name in ("min", "p50", "p95", "p99", "max"))
    return f"{parts} {unit or values.get('unit', '')}".strip()


def _db(value: float | str | None) -> str:
    return f"{value:.3f} dB" if isinstance(value, int | float) else NOT_MEASURED
