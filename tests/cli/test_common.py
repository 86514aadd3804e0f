"""Whatever a bundle, a board, a file or its name says: the terminal and the files that are made show it as text."""

import ast
import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree as Xml

import pytest
from rich.table import Table
from support.bundles import classical_bundle, learned_bundle, lossless_bundle
from support.tampered import tampered

from qcskit.cli import common, main
from qcskit.cli.common import bundle_rows, print_json, signal_rows
from qcskit.cli.hil import _show_text
from qcskit.codec.errors import QcsError
from qcskit.codec.foreign import printable

EVIL = "e\x1b[31m\x1b]0;t\x07\u202e[red]$\\x$*/<b>&:smile:\n[/]"
"""Colour, window title, bell, bidi override, Rich markup, mathtext, C comment, HTML, emoji code, a second line."""
NAME = EVIL.replace("/", "|").replace("\n", "\r")
"""The same as a name of files."""


def assert_text(text: str, *, holds: bool = True) -> None:
    """Check that nothing in `text` acts, and that the words of EVIL stand in it as they are."""
    assert printable(text, keep="\n\t") == text
    if holds:
        assert "\\x1b" in text
        assert "[red]" in "".join(text.split())


Told = Callable[..., tuple[int, str]]


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Told:
    """A function that runs the command in this process and in tmp_path: exit code, and all that it wrote."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "600")

    def call(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["qcskit", *arguments])
        capfd.readouterr()
        code: object = 0
        try:
            main()
        except SystemExit as end:
            code = end.code
        return int(str(code or 0)), "".join(capfd.readouterr())

    return call


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that decodes, whose folder and whose list of tools are called EVIL; its hashes fit."""
    root = tmp_path_factory.mktemp("hostile")
    bundle = classical_bundle(root / "good", name="good").bundle
    return tampered(bundle, root / NAME, "manifest.json", lambda manifest: manifest["tools"].update({EVIL: EVIL})).path


def test_a_screen_takes_no_string_for_markup_and_escapes_what_acts(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("column [red]", title=EVIL)
    table.add_row(EVIL)
    for shown in (EVIL, table):
        common.console.print(shown)
        common.error_console.print(shown, width=400)
    text = "".join(capsys.readouterr())
    assert_text(text)
    assert ":smile:" in text
    assert "column [red]" in text


def test_no_console_but_a_screen_and_no_markup_in_progress_bars() -> None:
    """The mechanism: any other way to the terminal would have to escape by itself."""
    for file in sorted(Path(common.__file__).parent.glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            called, place = ast.unparse(node.func), f"{file.name}:{node.lineno}"
            assert called not in ("Console", "print", "rich.print", "typer.secho", "traceback.print_exc"), place
            assert called != "typer.echo" or file.name == "common.py", place
            if called == "TextColumn" and "{" in ast.unparse(node):
                assert "markup=False" in ast.unparse(node), place


@pytest.mark.parametrize(
    ("raised", "shown"), [(None, False), (QcsError("wrong use"), False), (ZeroDivisionError("defect"), True)]
)
def test_what_native_libraries_print_is_shown_where_it_may_explain_a_defect(
    raised: Exception | None, shown: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    with suppress(ZeroDivisionError, QcsError), common.native_chatter_hidden() as terminal:
        os.write(2, f"chatter {EVIL}".encode())
        terminal.print("it goes on")
        if raised:
            raise raised
    os.write(2, b"heard again")
    told = capfd.readouterr().err
    assert ("it goes on" in told, "chatter" in told, "heard again" in told) == (True, shown, True)
    assert_text(told, holds=shown)


def test_the_log_of_a_board_is_text(capsys: pytest.CaptureFixture[str]) -> None:
    _show_text(EVIL, EVIL.encode() + b"\xff\x00\x9b1m")
    assert_text(capsys.readouterr().err)


@pytest.mark.parametrize(
    "arguments",
    [
        ("inspect", "BUNDLE", "--no-cost"),
        ("simulate", "BUNDLE", "-n", "20", "-j", "1"),
        ("package", "BUNDLE", "--to", "plain", "-o", f"package {NAME}"),
        ("decode", "BUNDLE", "BUNDLE/vectors.npz", "-o", f"{NAME}.npy"),
        ("report", "BUNDLE", "--no-cost", "-o", f"{NAME}.html"),
        ("hil", "BUNDLE", "-p", f"/dev/{NAME}", "-o", f"{NAME}.json"),
        ("ports", "-p", f"nothing://{NAME}"),
        ("profile", "BUNDLE", "--board", EVIL),
        ("export", "--codec", EVIL),
        ("design", EVIL),
        ("train", "-c", NAME),
        ("train", "-s", f"train.name={EVIL}"),
        ("sweep", "-s", f'sweep.variants=["{printable(EVIL)}"]'),
        ("compare", NAME, NAME),
        ("package", "BUNDLE", "--to", "plain", "--url", f"https://{EVIL}"),
    ],
    ids=lambda arguments: " ".join(arguments[:1]),
)
def test_every_verb_tells_hostile_names_as_text(arguments: tuple[str, ...], told: Told, hostile: Path) -> None:
    code, text = told(*(word.replace("BUNDLE", str(hostile)) for word in arguments))
    assert code in (0, 1, 2), text
    assert_text(text, holds=arguments[0] not in ("decode", "simulate"))  # those do not name the bundle


def test_what_is_made_of_hostile_results_is_text(told: Told, hostile: Path, tmp_path: Path) -> None:
    """A bench file names one board that answers and one that is not there; then report, JUnit and compare."""
    board = json.dumps(EVIL)  # a basic string of TOML as well
    text = f'[[board]]\nname = {board}\nport = "emu:native"\n[[board]]\nname = "gone"\nport = {board}\n'
    (tmp_path / "bench.toml").write_text(text)
    code, shown = told("hil", str(hostile), "--bench", "bench.toml", "-n", "50", "--junit", "junit.xml",
                       "-o", "results.json")  # fmt: skip
    assert code == 1, shown
    assert_text(shown)
    code, shown = told("report", str(hostile), "-r", "results.json", "-o", "report.html", "--no-cost")
    assert code == 0, shown
    page = (tmp_path / "report.html").read_text()
    assert_text(page)
    assert "<b>" not in page.split("</style>")[1]
    assert "$\\x$" in page.split("<svg", 1)[1]  # the label of a bar, no formula
    junit = (tmp_path / "junit.xml").read_text()
    assert_text(junit)
    assert printable(EVIL) in {suite.get("name") for suite in Xml.fromstring(junit)}
    code, shown = told("compare", "results.json", "results.json")
    assert_text(shown)


def test_a_defect_s_traceback_is_text(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError(EVIL)

    monkeypatch.setattr("qcskit.firmware.boards", broken)
    code, text = told("boards")
    assert code == 70
    assert_text(text)


CONFIG = "[simulate]\nvectors = 20\nprocesses = 1\n"


def test_a_verb_says_which_configuration_it_reads(told: Told, hostile: Path, tmp_path: Path) -> None:
    simulate = ("simulate", str(hostile))
    (tmp_path / "qcs.toml").write_text(CONFIG)
    (tmp_path / NAME).write_text(CONFIG)
    _, text = told(*simulate)
    assert "configuration: qcs.toml\n" in text
    _, text = told(*simulate, "-c", NAME)
    assert f"configuration: {printable(NAME)}\n" in text
    for silent in ("-q", "--json"):
        code, text = told(*simulate, silent)
        assert (code, "configuration:" in text) == (0, False)
    (tmp_path / "qcs.toml").unlink()
    _, text = told(*simulate, "-n", "20")
    assert "configuration:" not in text


def test_without_any_error_a_bundle_is_exact(tmp_path: Path) -> None:
    """Not measured is something else."""
    measured = lossless_bundle(tmp_path / "b")
    rows = common.bundle_rows(measured) | common.signal_rows(measured)
    assert rows["NMSE deployed"].startswith("exact, ")
    assert rows["fidelity"].startswith("exact, ")
    assert common.bundle_rows(learned_bundle(tmp_path / "l"))["NMSE deployed"] == "not measured"


def test_a_table_that_nothing_reads_is_named() -> None:
    with pytest.raises(QcsError, match=r"^there is no configuration table \[nonsense\]$"):
        common.model_of("nonsense")


def facts_of(**nmse: Any) -> Any:
    """A codec of which only this was measured."""
    known = {"float_db": None, "deployed_db": None, "frames": 0, "fidelity": None, "clipped": []} | nmse
    manifest = SimpleNamespace(model_id="00aa", nmse=SimpleNamespace(**known))
    bundle = SimpleNamespace(path=Path("b"), manifest=manifest)
    return SimpleNamespace(bundle=bundle, name="a", exact=False, describe=lambda: {"rate": "r"})


@pytest.mark.parametrize(
    ("nmse", "rows"),
    [
        ({}, {"NMSE deployed": "not measured"}),
        ({"frames": 5, "fidelity": SimpleNamespace(exact=False)}, {"NMSE deployed": "not measured"}),
        ({"frames": 5, "fidelity": SimpleNamespace(exact=True)}, {"NMSE deployed": "exact, 5 frames"}),
        ({"deployed_db": -9.126, "frames": 1234}, {"NMSE deployed": "-9.13 dB (1,234 frames)"}),
        (
            {"float_db": -9.0, "deployed_db": -8.75, "frames": 1234},
            {"NMSE float": "-9.00 dB", "NMSE deployed": "-8.75 dB (+0.25 dB, the same 1,234 frames)"},
        ),
        (
            {"float_db": -9.0, "deployed_db": -9.5, "frames": 5},
            {"NMSE float": "-9.00 dB", "NMSE deployed": "-9.50 dB (-0.50 dB, the same 5 frames)"},
        ),
        (
            {"float_db": -9.0, "deployed_db": 0.0, "frames": 5},
            {"NMSE float": "-9.00 dB", "NMSE deployed": "0.00 dB (+9.00 dB, the same 5 frames)", "attention": None},
        ),
        ({"deployed_db": -0.01, "frames": 5}, {"NMSE deployed": "-0.01 dB (5 frames)"}),
    ],
)
def test_what_was_measured_is_told_and_that_it_does_not_fit(nmse: dict[str, Any], rows: dict[str, str | None]) -> None:
    found = bundle_rows(facts_of(**nmse))
    head = {"bundle": "b", "model": "a, id 00aa", "rate": "r"}
    if "attention" in rows:
        assert "worse than sending nothing" in found["attention"]
        rows = rows | {"attention": found["attention"]}
    assert found == head | rows


@pytest.mark.parametrize(
    ("signal", "told"),
    [
        ({"matrix": "dct"}, "y = Φ x of an analog front end, M = 4 of N = 8, Φ dct"),
        ({"matrix": "none"}, "y that came with the model, M = 4; x_hat has N = 8 entries"),
        ({"direct": True}, "samples of x, M = 4 of N = 8"),
        ({"direct": True, "m": 8}, "x itself, N = 8"),
    ],
)
@pytest.mark.parametrize(
    ("level", "unit", "about"),
    [
        ((0.0, 1.0), "V", None),
        ((1234.5678, 1.0), "", "about 1234.57, standard deviation 1 (training part)"),
        ((0.0, 2.34567), "V", "about 0 V, standard deviation 2.346 V (training part)"),
    ],
)
@pytest.mark.parametrize(
    ("clipped", "share"),
    [([], None), ([0.0, 0.0], "0.00% of the counts"), ([0.01, 0.02, 0], "1.00% of the counts, most at input 1: 2.00%")],
)
def test_what_the_device_sees_is_told_with_its_level_and_what_it_clips(
    signal: dict[str, Any],
    told: str,
    level: tuple[float, float],
    unit: str,
    about: str | None,
    clipped: list[float],
    share: str | None,
) -> None:
    known = {"m": 4, "n": 8, "matrix": "identity", "direct": False, "offset": level[0], "scale": level[1]} | signal
    manifest = SimpleNamespace(
        signal=SimpleNamespace(**known),
        adc=SimpleNamespace(unit=unit, describe=lambda: "12 bits"),
        nmse=SimpleNamespace(clipped=clipped, fidelity=SimpleNamespace(describe=lambda unit: f"in {unit}")),
    )
    found = signal_rows(SimpleNamespace(bundle=SimpleNamespace(manifest=manifest)))
    wanted = {"device sees": told, "ADC": "12 bits", "x": about, "clipped": share, "fidelity": f"in {unit}"}
    assert found == {name: text for name, text in wanted.items() if text is not None}


def test_bytes_in_json_are_hex_and_what_is_no_number_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": b"\x01\xff", "b": Path("c")})
    assert json.loads(capsys.readouterr().out) == {"a": "01ff", "b": "c"}
    with pytest.raises(ValueError, match="JSON"):
        print_json(float("nan"))


@pytest.mark.parametrize("options", [(), ("-q",), ("--json",)])
def test_where_nothing_is_told_the_configuration_is_not_either_whatever_stands_first(
    options: tuple[str, ...], told: Told, tmp_path: Path
) -> None:
    (tmp_path / "mine.toml").write_text("")
    for words in (["-c", "mine.toml", *options], [*options, "-c", "mine.toml"]):
        code, text = told("design", *words)
        assert code == 2
        assert ("configuration: mine.toml" in text) == (not options)
