"""What `qcskit hil` asks of a run: every option, whose boards, which vectors; what it leaves and says."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from support.entries import entry, results
from support.screens import golden
from typer.testing import CliRunner

from qcskit.cli import build_app
from qcskit.cli import hil as verb
from qcskit.codec.errors import CheckFailedError, QcsError

BENCH = '[[board]]\nname = "left"\nport = "emu:native"\n'
Asked = list[tuple[Any, Any, dict[str, Any]]]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Asked:
    """What runs were called with: codec, options, the rest. A bundle, samples and a bench in an empty folder."""
    monkeypatch.chdir(tmp_path)
    golden("usq_omp")
    Path("bench.toml").write_text(BENCH)
    np.savetxt("day.csv", np.arange(205), fmt="%d")
    found: Asked = []

    def run_fleet(codec: Any, options: Any, **more: Any) -> dict[str, Any]:
        found.append((codec, options, more))
        return results(entry())

    monkeypatch.setattr("qcskit.hil.fleet.run_fleet", run_fleet)
    monkeypatch.setattr("qcskit.cli.demo.default_port", lambda: "emu:chosen")
    return found


def call(*words: str) -> Any:
    return CliRunner().invoke(build_app(), ["hil", "usq_omp", *words])


def test_every_option_reaches_the_run(asked: Asked) -> None:
    done = call(
        "-p",
        "/dev/a",
        "-p",
        "/dev/b",
        "--baud",
        "9600",
        "--fast-baud",
        "19200",
        "-n",
        "70",
        "--seed",
        "9",
        "--input",
        "counts",
        "--batch",
        "3",
        "-o",
        "deep/r.json",
        "--resume",
        "--log",
        "-q",
    )
    assert done.exit_code == 0, done.output
    ((codec, options, more),) = asked
    assert (codec.name, options.port, options.baud, options.fast_baud) == (
        "usq_omp",
        ["/dev/a", "/dev/b"],
        9600,
        19_200,
    )
    assert (options.vectors, options.seed, options.input, options.batch) == (70, 9, "counts", 3)
    assert (more["out"], more["resume"], more["targets"], more["data"]) == (Path("deep/r.json"), True, None, None)
    assert more["on_text"] is verb._show_text
    call("-p", "/dev/a")
    assert (asked[1][2]["out"], asked[1][2]["resume"], asked[1][2]["on_text"]) == (Path("results.json"), False, None)


@pytest.mark.parametrize(
    ("words", "port", "told"),
    [
        ((), ["emu:chosen"], True),
        (("-q",), ["emu:chosen"], False),
        (("--json",), ["emu:chosen"], False),
        (("-p", "emu:native"), ["emu:native"], False),
        (("--bench", "bench.toml"), [], False),
    ],
)
def test_the_emulated_board_is_only_for_those_who_name_none(
    words: tuple[str, ...], port: list[str], told: bool, asked: Asked
) -> None:
    done = call(*words)
    assert asked[0][1].port == port
    assert ("no --port: the emulated board emu:chosen is measured" in done.stderr) == told
    assert (asked[0][2]["targets"] is None) == ("--bench" not in words)


@pytest.mark.parametrize(("words", "vectors"), [((), 10), (("-n", "4"), 4), (("-n", "400"), 10)])
def test_own_data_is_sent_whole_unless_fewer_are_asked_for(words: tuple[str, ...], vectors: int, asked: Asked) -> None:
    call("--data", "day.csv", "--in", "counts", "-q", *words)
    ((_, options, more),) = asked
    assert (options.vectors, len(more["data"].counts)) == (vectors, 10)


def test_checks_go_into_an_xml_file_and_a_mismatch_ends_with_1(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[Any] = []
    monkeypatch.setattr("qcskit.hil.junit.write_junit", lambda *given: written.append(given))
    assert call("-q").exit_code == 0
    assert written == []
    wrong = results(entry(mismatches__count=3), entry(label="right"))
    monkeypatch.setattr("qcskit.hil.fleet.run_fleet", lambda *given, **more: wrong)
    done = call("--junit", "j.xml", "--json", "-o", "r.json")
    assert written == [(Path("j.xml"), wrong)]
    assert json.loads(done.stdout) == wrong
    assert isinstance(done.exception, CheckFailedError)
    assert str(done.exception).startswith("left: 3 of 300 vectors")
    assert str(done.exception).endswith("; see r.json")
    for junit, told in (("r.json", "'r.json'"), ("usq_omp/j.xml", "'usq_omp'"), ("day.csv", "'day.csv'")):
        refused = call("--junit", junit, "-o", "r.json", "--data", "day.csv").exception
        assert isinstance(refused, QcsError)
        assert f"would change {told}" in str(refused)


@pytest.mark.parametrize("kept", [True, False])
def test_what_is_broken_off_says_how_it_goes_on_if_there_is_something_to_go_on_with(
    kept: bool, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*given: object, **more: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("qcskit.hil.fleet.run_fleet", broken)
    if kept:
        Path("results.json.0.partial").write_text("")
    done = call()
    assert done.exit_code != 0
    assert ("broken off; answers so far are kept, go on with --resume" in done.stderr) == kept


@pytest.mark.parametrize(("number", "told"), [(0, False), (1, False), (2, True)])
def test_there_is_something_to_resume_if_any_board_left_something(number: int, told: bool, asked: Asked) -> None:
    Path(f"results.json.{number}.partial").write_text("")
    done = call("--resume", "-p", "emu:native", "-p", "emu:uno")
    assert ("nothing to resume: 'results.json.0.partial' does not exist" in done.stderr) == told


def test_a_soak_runs_for_its_time_and_writes_as_it_goes(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[Any] = []

    def run_soak(codec: Any, options: Any, seconds: float, write: Any, progress: Any) -> dict[str, Any]:
        found.append((codec.name, options.port, seconds))
        write({"so": "far"})
        found.append(json.loads(Path("results.json").read_text()))
        progress(SimpleNamespace(answered=12_345, elapsed_s=30.9, duration_s=90.0), 2)
        return results(entry())

    monkeypatch.setattr("qcskit.hil.soak.run_soak", run_soak)
    done = call("--soak", "90s", "-p", "emu:native", "--resume")
    assert done.exit_code == 0, done.output
    assert found == [("usq_omp", ["emu:native"], 90.0), {"so": "far"}]
    assert done.stderr.splitlines() == ["soak, seconds …"]
    assert asked == []
