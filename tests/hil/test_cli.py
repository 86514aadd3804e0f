"""`qcskit hil`, `compare` and `ports` as a user calls them: exit codes, one-line errors, files."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as Xml

import numpy as np
import pytest

from qcskit.codec.bundle import read_bundle
from qcskit.codec.decoder import load_codec
from qcskit.codec.metrics import nmse_db
from qcskit.hil.compare import Tolerances, compare
from qcskit.hil.config import HilConfig
from qcskit.hil.distribution import Distribution
from qcskit.hil.errors import LinkError
from qcskit.hil.fleet import run_fleet
from qcskit.hil.junit import junit_xml
from qcskit.hil.ports import read_bench
from qcskit.hil.vectors import vector_set


@dataclass
class Done:
    returncode: int
    stdout: str
    stderr: str


Qcskit = Callable[..., Done]


@pytest.fixture
def qcskit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Qcskit:
    """The command, in this process and an empty folder."""
    from qcskit.cli import main

    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["qcskit", *arguments])
        code: object = 0
        capsys.readouterr()
        try:
            main()
        except SystemExit as end:
            code = end.code
        out, err = capsys.readouterr()
        return Done(int(str(code or 0)), out, err)

    return call


def test_a_run_its_files_and_a_comparison(qcskit: Qcskit, tmp_path: Path, bundle_path: Path) -> None:
    """NMSE against a calculation of its own from the same bytes; the same run again compares without regression."""
    for name in ("a", "b"):
        done = qcskit("hil", str(bundle_path), "-p", "emu:native", "-n", "1500", "-o", f"{name}.json",
                      "--junit", f"{name}.xml", "--fast-baud", "921600", "-q")  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert done.stdout == ""
    results = json.loads((tmp_path / "a.json").read_text())
    entry = results["devices"][0]
    bundle = read_bundle(bundle_path)
    inputs, x = vector_set(bundle, 1500, 1, "int8").part(0, 1500)
    x_hat = load_codec(bundle).decode(vector_set(bundle, 1500, 1, "int8").expected(inputs))
    assert entry["nmse"]["device_db"] == entry["nmse"]["int8_db"] == pytest.approx(nmse_db(x, x_hat), abs=1e-5)
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


def test_ports_says_what_answers(qcskit: Qcskit, bundle_path: Path) -> None:
    from qcskit.hil.link import EmulatedBoard

    with EmulatedBoard("native", bundle_path / "c", "small") as board:
        done = qcskit("ports", "--json", "-p", board.url)
    found = {port["device"]: port for port in json.loads(done.stdout)}
    assert found[board.url]["info"]["model_id"] == read_bundle(bundle_path).manifest.model_id


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


def silent(label: str, stage: str, done: int, total: int) -> None:
    """No progress."""


def test_a_fleet_goes_on_when_one_board_fails(bundle_path: Path, tmp_path: Path) -> None:
    config = HilConfig(port=["emu:native", "/dev/ttyNONE", "emu:native"], vectors=300)
    results = run_fleet(read_bundle(bundle_path), config, out=tmp_path / "r.json", resume=False, progress=silent)
    labels = [entry["label"] for entry in results["devices"]]
    assert labels == ["emu:native #1", "/dev/ttyNONE", "emu:native #3"]
    assert results["verdict"] == {"ok": False, "vectors": 600, "mismatches": 0, "failed": ["/dev/ttyNONE"]}
    failure = Xml.fromstring(junit_xml(results).split("\n", 1)[1])[1][0][0]
    assert "does not exist" in str(failure.get("message"))
    changes = compare(results, results, Tolerances())
    assert [change.board for change in changes if change.regression] == ["/dev/ttyNONE"]


def test_a_bench_file_names_boards(tmp_path: Path) -> None:
    path = tmp_path / "bench.toml"
    path.write_text('[[board]]\nname = "left"\nport = "/dev/ttyX"\nbaud = 9600\n')
    target = read_bench(path)[0]
    assert (target.port, target.label, target.baud) == ("/dev/ttyX", "left", 9600)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[[board]]\nname = "left"\nserial_number = "no such board"\n', "'left'.*is not plugged in"),
        ('[[board]]\nname = "left"\n', "needs serial_number or port"),
        ('[[board]]\nname = "left"\nprt = "x"\n', "did you mean 'port'"),
        ('[[board]]\nname = "a"\nport = "x"\n[[board]]\nname = "a"\nport = "y"\n', "same name"),
        ('[[bord]]\nname = "left"\n', "did you mean 'board'"),
    ],
)
def test_a_wrong_bench_file_is_explained(tmp_path: Path, text: str, told: str) -> None:
    from qcskit.codec.errors import QcsError

    path = tmp_path / "bench.toml"
    path.write_text(text)
    with pytest.raises(QcsError, match=told):
        read_bench(path)


def test_distributions_against_numpy() -> None:
    rng = np.random.default_rng(1)
    values = rng.lognormal(9, 1.5, 200_000).astype(np.int64)
    exact, rounded = Distribution(distinct=10**6), Distribution(distinct=100)
    for part in np.array_split(values, 17):
        exact.add(part)
        rounded.add(part)
    for p in (0.5, 0.95, 0.99):
        wanted = np.quantile(values, p, method="inverted_cdf")
        assert exact.quantile(p) == wanted
        assert rounded.quantile(p) == pytest.approx(wanted, rel=0.01)
    summary = rounded.summary()
    assert summary is not None
    assert (summary["min"], summary["max"], summary["count"]) == (values.min(), values.max(), 200_000)
    histogram = summary["histogram"]
    assert sum(histogram["counts"]) == 200_000
    assert len(histogram["edges"]) == len(histogram["counts"]) + 1 <= 82


def test_a_rate_the_board_cannot_make_leaves_the_old_one(bundle_path: Path) -> None:
    """Whatever comes of the trial, the link works afterwards, at a rate both sides agree on."""
    from qcskit.hil import Device

    with Device.open("emu:native", read_bundle(bundle_path)) as board:
        assert board.change_baud(115_200)
        before = board.link.set_baud

        def refuse(baud: int) -> None:
            if baud == 1_000_000:
                raise LinkError("the adapter cannot run at this rate")
            before(baud)

        board.link.set_baud = refuse  # type: ignore[method-assign]
        assert not board.change_baud(1_000_000)
        assert board.link.baud == 115_200
        assert board.echo(b"still here") > 0
        assert board.change_baud(230_400)
        assert board.echo(bytes(200)) > 0
