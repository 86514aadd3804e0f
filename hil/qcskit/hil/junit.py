"""Results as JUnit XML, the form every CI server reads: one suite per board, one case per check."""

from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

from qcskit.codec.files import write_text
from qcskit.codec.foreign import printable


def junit_xml(results: dict[str, Any]) -> str:
    """Return the XML text of results.json."""
    root = Xml.Element("testsuites", name=f"qcskit hil {results['bundle']['name']}")
    for entry in results["devices"]:
        cases = _cases(entry)
        failures = sum(failure is not None for _, failure in cases)
        seconds = str(entry.get("throughput", {}).get("seconds", 0))
        suite = Xml.SubElement(root, "testsuite", name=entry["label"], tests=str(len(cases)), failures=str(failures),
                               errors="0", skipped="0", time=seconds)  # fmt: skip
        properties = Xml.SubElement(suite, "properties")
        for name, value in _properties(results, entry).items():
            Xml.SubElement(properties, "property", name=name, value=str(value))
        for number, (name, failure) in enumerate(cases):
            took = "0" if number else seconds  # one run gives the answers that all cases look at
            case = Xml.SubElement(suite, "testcase", classname=f"qcskit.hil.{entry['label']}", name=name, time=took)
            if failure is not None:
                Xml.SubElement(case, "failure", message=failure).text = failure
    _make_printable(root)
    Xml.indent(root)
    return Xml.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _properties(results: dict[str, Any], entry: dict[str, Any]) -> dict[str, Any]:
    """Return what a suite is about, and its figures; what was not measured says so."""
    bundle = results["bundle"]
    about = {"model": bundle["name"], "model_id": bundle["model_id"], "evidence": results["evidence"]["sha256"],
             "port": entry.get("port", "")}  # fmt: skip
    if "error" in entry:
        return about
    ticks = entry["ticks"]
    cost = (
        {"ticks": ticks} if isinstance(ticks, str) else {f"ticks_{q}": ticks[q] for q in ("p50", "p99", "max", "unit")}
    )
    return about | {
        "firmware": entry["firmware"], "vectors": entry["answered"], "mismatches": entry["mismatches"]["count"],
        "nmse_device_db": entry["nmse"]["device_db"], "vectors_per_s": entry["throughput"]["vectors_per_s"],
        "retries": entry["link"]["host"]["retries"], **cost,
    }  # fmt: skip


def _make_printable(root: Xml.Element) -> None:
    """Escape what XML 1.0 does not allow (control characters, surrogates) and what acts on a terminal."""
    for element in root.iter():
        element.attrib.update({name: printable(value) for name, value in element.attrib.items()})
        element.text = printable(element.text, keep="\n") if element.text else None


def write_junit(path: Path, results: dict[str, Any]) -> None:
    """Write the XML, all or nothing."""
    write_text(Path(path), junit_xml(results))


def _cases(entry: dict[str, Any]) -> list[tuple[str, str | None]]:
    if "error" in entry:
        return [("run", entry["error"])]
    wrong, missing, link = entry["mismatches"], entry["vectors"] - entry["answered"], entry["link"]
    first = wrong["first"][0] if wrong["first"] else {}
    device_db, deployed_db = entry["nmse"]["device_db"], entry["nmse"]["deployed_db"]
    off = f"{device_db} dB against {deployed_db} dB" if device_db != deployed_db else None
    counted = f"board {link['board']['frames']:,} frames, host {link['host']['frames_sent']:,}"
    return [
        ("every vector is answered", f"{missing} vectors have no answer" if missing else None),
        ("every byte equals the reference", f"{wrong['count']} vectors differ, first: {first}" if first else None),
        ("NMSE equals the reference's", off),
        ("host and board count the same", None if link["agree"] or link["board_restarted"] else counted),
        ("vectors are not all saturated", "equal answers prove nothing" if entry["saturated"] == 1 else None),
    ]
