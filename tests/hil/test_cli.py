"""`qcskit hil`, `compare` and `ports` as a user calls them: exit codes, one-line errors, files."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import pytest

from qcskit.codec.codecs import open_codec
from qcskit.codec.metrics import nmse_db
from qcskit.hil.link import start_emulated
from qcskit.hil.vectors import VectorSet

Qcskit = Callable[..., Any]


def test_a_run_its_files_and_a_comparison(qcskit: Qcskit, tmp_path: Path, bundle_path: Path) -> None:
    """NMSE against a calculation of its own from the same bytes; the same run again compares without regression."""
    for name in ("a", "b"):
        done = qcskit("hil", str(bundle_path), "-p", "emu:native", "-n", "1500", "-o", f"{name}.json",
                      "--junit", f"{name}.xml", "--fast-baud", "921600", "-q")  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert done.stdout == ""
    results = json.loads((tmp_path / "a.json").read_text())
    entry = results["devices"][0]
    codec = open_codec(bundle_path)
    vectors = VectorSet(codec, 1500)
    values, x = vectors.part(0, 1500)
    x_hat = codec.decode(vectors.expected(values))
    assert entry["nmse"]["device_db"] == entry["nmse"]["deployed_db"] == pytest.approx(nmse_db(x, x_hat), abs=1e-5)
    assert entry["baud"] == 921_600
    assert entry["link"]["agree"]
    suite = Xml.parse(tmp_path / "a.xml").getroot()[0]
    assert (suite.get("tests"), suite.get("failures")) == ("3", "0")
    assert qcskit("compare", "a.json", "b.json").returncode == 0
    worse = json.loads((tmp_path / "b.json").read_text())
    worse["devices"][0]["mismatches"]["count"] = 1
    worse["devices"][0]["nmse"]["device_db"] += 0.2
    (tmp_path / "b.json").write_text(json.dumps(worse))
    done = qcskit("compare", "a.json", "b.json", "--json")
    assert done.returncode == 1
    changes = {change["figure"]: change for change in json.loads(done.stdout)["changes"]}
    assert [name for name, change in changes.items() if change["regression"]] == ["mismatches", "NMSE device"]
    assert qcskit("compare", "b.json", "a.json").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("hil", "nowhere", "-p", "emu:native"), 2, "bundle 'nowhere' does not exist"),
        (("hil", "BUNDLE"), 2, "no port: give --port"),
        (("hil", "BUNDLE", "-p", "/dev/ttyNONE"), 2, "cannot open port '/dev/ttyNONE': it does not exist"),
        (("hil", "BUNDLE", "-p", "emu:cray"), 2, "cray"),
        (("hil", "BUNDLE", "-p", "emu:native", "--set", "hil.vektors=3"), 2, "did you mean 'vectors'?"),
        (("hil", "BUNDLE", "-p", "emu:native", "--input", "float"), 2, "input"),
        (("hil", "BUNDLE", "-p", "emu:native", "--soak", "soon"), 2, "expected a duration"),
        (("hil", "BUNDLE", "--bench", "none.toml"), 2, "bench 'none.toml' cannot be read"),
        (("compare", "x.json", "y.json"), 2, "results 'x.json' cannot be read"),
    ],
)
def test_wrong_use_gives_one_line(
    qcskit: Qcskit, bundle_path: Path, arguments: tuple[str, ...], code: int, told: str
) -> None:
    done = qcskit(*(a.replace("BUNDLE", str(bundle_path)) for a in arguments))
    assert done.returncode == code
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_soak_adds_up(qcskit: Qcskit, tmp_path: Path, bundle_path: Path) -> None:
    done = qcskit("hil", str(bundle_path), "-p", "emu:native", "--soak", "3s", "-o", "s.json", "--json")
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "s.json").read_text())
    entry = results["devices"][0]
    assert results == json.loads(done.stdout)
    assert results["kind"] == "soak"
    assert entry["answered"] == sum(window["vectors"] for window in entry["soak"]["windows"]) > 500
    assert entry["ticks"]["count"] == entry["answered"]
    assert entry["mismatches"]["count"] == 0
    assert entry["link"]["agree"]


def test_ports_says_what_answers(qcskit: Qcskit, bundle_path: Path) -> None:
    codec = open_codec(bundle_path)
    with start_emulated("native", codec) as board:
        done = qcskit("ports", "--json", "-p", board.url)
    found = {port["device"]: port for port in json.loads(done.stdout)}
    assert found[board.url]["info"]["model_id"] == codec.bundle.manifest.model_id
