"""What a CI server reads of results: suites, cases, failures, by hand."""

from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import pytest
from support.entries import MODEL_ID, entry, results

from qcskit.hil.junit import junit_xml, write_junit

ANSWERED, EQUAL, NMSE = "every vector is answered", "every byte equals the reference", "NMSE equals the reference's"
COUNTS, SATURATED = "host and board count the same", "vectors are not all saturated"


def suites(*devices: dict[str, Any]) -> list[Xml.Element]:
    """The suites of a results file."""
    root = Xml.fromstring(junit_xml(results(*devices)).split("\n", 1)[1])
    assert (root.tag, root.get("name")) == ("testsuites", "qcskit hil b")
    return list(root)


def failures(suite: Xml.Element) -> dict[str | None, str | None]:
    """The failing cases of a suite, name → message."""
    return {case.get("name"): failure.get("message") for case in suite.iter("testcase") for failure in case}


FIRST = {"vector": 7, "expected": "00", "got": "01", "outputs": [1]}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, {}),
        ({"answered": 299}, {ANSWERED: "1 vectors have no answer"}),
        ({"mismatches__count": 3, "mismatches__first": [FIRST, {}]}, {EQUAL: f"3 vectors differ, first: {FIRST}"}),
        ({"nmse__device_db": -11.0}, {NMSE: "-11.0 dB against -12.0 dB"}),
        ({"nmse__device_db": None}, {NMSE: "None dB against -12.0 dB"}),
        ({"nmse__device_db": "not measured", "nmse__deployed_db": "not measured"}, {}),
        ({"link__agree": False}, {COUNTS: "board 36 frames, host 40"}),
        ({"link__agree": False, "link__board_restarted": True}, {}),
        ({"saturated": 1.0}, {SATURATED: "equal answers prove nothing"}),
        (
            {"answered": 0, "nmse__device_db": -1.0},
            {ANSWERED: "300 vectors have no answer", NMSE: "-1.0 dB against -12.0 dB"},
        ),
    ],
)
def test_each_check_is_a_case(changes: dict[str, object], told: dict[str, str]) -> None:
    (suite,) = suites(entry(**changes))
    assert failures(suite) == told
    assert [case.get("name") for case in suite.iter("testcase")] == [ANSWERED, EQUAL, NMSE, COUNTS, SATURATED]
    assert {case.get("classname") for case in suite.iter("testcase")} == {"qcskit.hil.left"}
    assert [case.get("time") for case in suite.iter("testcase")] == ["0.25", "0", "0", "0", "0"]
    counts = suite.get("tests"), suite.get("failures"), suite.get("errors"), suite.get("skipped"), suite.get("time")
    assert counts == ("5", str(len(told)), "0", "0", "0.25")


def test_each_board_is_a_suite_and_one_that_failed_says_why() -> None:
    left, right = suites(entry(), {"label": "right", "error": "it does <not> exist"})
    assert (left.get("name"), left.get("failures")) == ("left", "0")
    assert (right.get("name"), right.get("tests"), right.get("failures")) == ("right", "1", "1")
    assert failures(right) == {"run": "it does <not> exist"}
    assert right[1][0].text == "it does <not> exist"


def test_a_suite_says_what_was_measured_on_what() -> None:
    made = results(entry())
    left, right = suites(entry(), {"label": "right", "port": "/dev/x", "error": "gone"})
    found = [{one.get("name"): one.get("value") for one in suite.iter("property")} for suite in (left, right)]
    about = {"model": "b", "model_id": MODEL_ID, "evidence": made["evidence"]["sha256"]}
    assert found[1] == about | {"port": "/dev/x"}
    assert found[0] == about | {
        "port": "emu:native", "firmware": "1.2.3", "vectors": "300", "mismatches": "0", "nmse_device_db": "-12.0",
        "vectors_per_s": "1200.0", "retries": "8", "ticks_p50": "1000", "ticks_p99": "2000", "ticks_max": "4000",
        "ticks_unit": "cycles",
    }  # fmt: skip


def test_the_file_is_the_text(tmp_path: Path) -> None:
    write_junit(tmp_path / "r.xml", results(entry()))
    assert (tmp_path / "r.xml").read_text() == junit_xml(results(entry()))
