"""results.json as it is read: what is written is taken, all else is one line; no mutant passes for another verdict."""

import copy
import json
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import TypeAdapter, ValidationError
from support.bundles import BUNDLES
from support.entries import entry, failed, results
from support.hostile import RAW, forge_evidence, json_mutants, odd_files, with_each_number

from qcskit.codec.config import Table
from qcskit.codec.errors import QcsError
from qcskit.codec.interface import Codec
from qcskit.hil.compare import Tolerances, check_comparable, compare, differing
from qcskit.hil.config import HilConfig
from qcskit.hil.fleet import run_fleet, write_results
from qcskit.hil.schema import Histogram, Mismatches, Nmse, Series, SoakFacts, read_results
from qcskit.hil.soak import run_soak

FIRST = {"vector": 7, "expected": "00ff", "got": "01ff", "outputs": [1]}
SPREAD = {"min": 0, "p50": 1, "p95": 2, "p99": 3, "max": 4, "mean": 1.5, "count": 9}
FULL = results(
    entry(
        mismatches={"count": 2, "first": [FIRST, FIRST | {"outputs": None}], "per_output": [0, 2], "undecodable": 1,
                    "segment_vectors": 100, "segments": [[0, 1], [2, 1]]},
        nmse__device_db=None, guarded=17,
        recovery={"frames": 300, "perfect": 200, "flagged": 90, "wrong": 10, "probability": 0.66},
        energy={"kind": "estimate", "encode_uj": 1.5, "radio_uj": "not measured", "uj_per_kilocycle": 1.0,
                "nj_per_bit": None},
        round_trip_us__echo=SPREAD | {"histogram": {"edges": [-0.5, 0.5, 4.5], "counts": [3, 6]}},
        soak={"seconds": 3.0, "rounds": 2, "window_s": 1.0, "windows": [
            {"window": 0, "t_s": 0.0, "vectors": 300, "mismatches": 2, "retries": 8}]},
    ),
    entry(label="right", ticks="not measured", device_time_us="not measured", board=None),
    failed("third"),
    qcskit="0",
)  # fmt: skip
"""Every key that there is."""


def write(path: Path, value: object) -> Path:
    path.write_text(json.dumps(value))
    return path


def test_every_key_at_once_is_read(tmp_path: Path) -> None:
    assert read_results(write(tmp_path / "r.json", FULL)) == FULL


@pytest.mark.parametrize("name", ["int8", "coded", "classical"])  # without decoder, with recovery, with NMSE
def test_results_of_every_kind_are_read_as_they_are_written(name: str, tmp_path: Path) -> None:
    codec, out = BUNDLES[name](tmp_path / "b"), tmp_path / "r.json"
    config = HilConfig(port=["emu:native", "/dev/ttyNONE"], vectors=120, nj_per_bit=1.0)
    written = run_fleet(codec, config, out=out, resume=False, progress=lambda *_: None)
    assert read_results(out) == written
    assert not any(differing(written, other) for other in (read_results(out), written))


def test_a_soak_is_read_as_it_is_written(codec: Codec, tmp_path: Path) -> None:
    config = HilConfig(port=["emu:native"], uj_per_kilocycle=1.0)
    written = run_soak(codec, config, 0.01, lambda found: write_results(tmp_path / "s.json", found), lambda *_: None)
    assert read_results(tmp_path / "s.json") == written
    assert written["kind"] == "soak"


def test_what_is_no_file_is_one_line_at_once(tmp_path: Path) -> None:
    for _, path in odd_files(tmp_path):
        with pytest.raises(QcsError, match=r"^results '[^\n]*$"):
            read_results(path)


@pytest.mark.parametrize("text", [*RAW.values(), "[]", "0", "null", '"hil"', "{}", '{"kind": "verdict"}'])
def test_what_is_no_results_file_is_told(text: str, tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_text(text)
    with pytest.raises(QcsError, match=r"^results '[^\n]*' (is|are) not [^\n]*$"):
        read_results(path)


@pytest.mark.parametrize("version", [1, 3, 5, "3", None, [3]])
def test_another_schema_says_what_to_run(version: object, tmp_path: Path) -> None:
    with pytest.raises(QcsError, match=r"schema version .*, this qcskit reads 4; run 'qcskit hil' again$"):
        read_results(write(tmp_path / "r.json", FULL | {"schema_version": version}))


def changed(**changes: object) -> dict[str, Any]:
    """FULL with changes at the first device; `top__…` at the top."""
    made = copy.deepcopy(FULL)
    for path, value in changes.items():
        start, *keys = path.split("__")
        holder: Any = made if start == "top" else made["devices"][0]
        *keys, last = keys if start == "top" else [start, *keys]
        for key in keys:
            holder = holder[key]
        holder[last] = value
    return made


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"answered": 301}, "more answered than asked"),
        ({"resumed": 301}, "more is resumed"),
        ({"mismatches__count": 3}, "segments or first do not add up"),
        ({"mismatches__first": []}, "segments or first do not add up"),
        ({"guarded": 301}, "guarded is more than there were vectors"),
        ({"recovery__wrong": 11}, "do not add up to frames"),
        ({"series__retries": [0]}, "columns are not equally long"),
        ({"ticks__histogram__edges": [0.5, 1.5]}, "edges"),
        ({"ticks__histogram__edges": [0.5, 2.5, 1.5]}, "edges"),
        ({"ticks__p50": 4001}, "do not ascend"),
        ({"saturated": 1.5}, "less than or equal to 1"),
        ({"clipped__share": 1.5}, "less than or equal to 1"),
        ({"clipped__per_input": []}, "at least 1 item"),
        ({"nmse__fidelity__distinct": "70"}, "valid integer"),
        ({"top__data__sha256": "ab"}, "sha256"),
        ({"model_id": "ff"}, "another model than the bundle"),
        ({"evidence__parts": {"bundle": "b1"}}, "sha256 is not that of the parts"),
        ({"top__evidence": results(bundle="b2")["evidence"]}, "evidence of a device is of another bundle"),
        ({"label": "right"}, "same label"),
        ({"more": 1}, "more: is no key of this version"),
        ({"top__verdict__ok": True}, "the verdict is not what the devices say"),
        ({"top__verdict__mismatches": 0}, "the verdict is not what the devices say"),
        ({"top__verdict__failed": ["third"]}, "the verdict is not what the devices say"),
        ({"top__settings__vektors": 1}, "settings.vektors"),
        ({"vectors": "300"}, "valid integer"),
    ],
)  # fmt: skip
def test_a_file_that_contradicts_itself_is_refused(change: dict[str, Any], told: str, tmp_path: Path) -> None:
    with pytest.raises(QcsError, match=rf"^results '[^\n]*{told}"):
        read_results(write(tmp_path / "r.json", changed(**change)))


def test_no_number_is_below_0_but_decibels_and_edges(tmp_path: Path) -> None:
    below = set()
    for place, made in with_each_number(FULL, -1):
        with suppress(QcsError):
            read_results(write(tmp_path / "r.json", made))
            below.add(place)
    assert len(below) > 20
    assert [place for place in below if not place.endswith("edges.0") and not re.search(r"_db\b", place)] == []


@pytest.mark.parametrize(
    ("table", "key", "most"),
    [
        (Mismatches, "per_output", 1 << 20), (Mismatches, "segments", 10_000), (Nmse, "per_segment_db", 10_000),
        (SoakFacts, "windows", 10_000), (Mismatches, "first", 100), (Histogram, "edges", 200), (Series, "t_s", 10_000),
    ],
)  # fmt: skip
def test_lists_are_as_long_as_a_run_makes_them_and_no_longer(table: type[Table], key: str, most: int) -> None:
    field = table.model_fields[key]
    ends = TypeAdapter(Annotated[list[Any], *field.metadata])
    assert len(ends.validate_python([0] * most)) == most
    with pytest.raises(ValidationError, match=f"at most {most} items"):
        ends.validate_python([0] * (most + 1))


@pytest.mark.parametrize("forge", [lambda made: None, forge_evidence], ids=["plain", "forged"])
def test_no_mutant_passes_for_another_verdict(forge: Callable[[Any], object], tmp_path: Path) -> None:
    """Each is refused in one line; or taken, with the verdict that it had, and then a comparison stands it."""
    path, refused, taken = tmp_path / "r.json", [], []
    for name, content in json_mutants(FULL, 5, 120, forge):
        path.write_bytes(content)
        try:
            read = read_results(path)
        except QcsError as error:
            refused.append(str(error))
            continue
        taken.append(read)
        assert read["verdict"] == FULL["verdict"], name
        check_comparable(read, read)
        assert [change.after for change in compare(read, read, Tolerances()) if change.regression] == ["failed"], name
        assert differing(read, read) == [], name
    assert len(refused) > 60
    assert len(taken) > 5
    assert not any("\n" in error or len(error) > 400 for error in refused)
