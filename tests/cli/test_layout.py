"""One layout of outputs: nothing need be said, and nothing of another model is lost."""

import json
import shutil
from pathlib import Path

import pytest
from support.command import Made
from typer.testing import CliRunner

from qcskit.cli import build_app
from qcskit.cli.layout import beside, bundle_and_file, claim
from qcskit.codec.errors import QcsError
from qcskit.codec.files import check_named

runner = CliRunner()


@pytest.fixture(autouse=True)
def workplace(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory; runs/bundle is the classical one."""
    shutil.copytree(made("classical"), tmp_path / "runs" / "bundle")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def called(*arguments: str) -> str:
    done = runner.invoke(build_app(), arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def refusal(*arguments: str) -> str:
    done = runner.invoke(build_app(), list(arguments))
    assert isinstance(done.exception, QcsError), done.output
    return str(done.exception)


def test_the_road_needs_no_word_and_leaves_all_beside_the_bundle(workplace: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs the extra 'report': pip install 'qcskit[report]'")
    assert "verdict: runs/verdict.json" in called("simulate", "-n", "100")
    assert "results: runs/results.json" in called("hil", "-p", "emu:native", "-n", "50")
    assert "report: runs/report.html" in called("report", "--no-cost")
    page = (workplace / "runs" / "report.html").read_text()
    assert "bit-exact" in page
    assert "Board emu:native" in page
    assert [entry.name for entry in workplace.iterdir()] == ["runs"]


def test_hil_without_a_port_measures_an_emulated_board_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qcskit.cli.demo.default_port", lambda: "emu:native")
    assert "no --port: the emulated board emu:native is measured" in called("hil", "-n", "50")


@pytest.mark.parametrize(
    ("bundle", "place"),
    [("runs/bundle", "runs/r"), ("b", "r"), ("b/", "r"), ("/x/b", "/x/r"), ("../b", "../r")],
)
def test_an_output_goes_beside_its_bundle(bundle: str, place: str) -> None:
    assert beside(Path(bundle), "r") == Path(place)
    assert beside(Path(bundle), "r", Path("else")) == Path("else")


def test_a_bundle_that_is_the_current_folder_is_no_place_for_outputs(workplace: Path) -> None:
    assert beside(Path(), "r") == workplace.parent / "r"


def test_outputs_of_another_model_are_kept_and_of_this_one_replaced(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = workplace / "results.json"
    file.write_text(json.dumps({"bundle": {"model_id": "a1"}, "old": 1}))
    claim(file, "a1")
    assert capsys.readouterr().err == ""
    assert {entry.name for entry in workplace.iterdir()} == {"runs", "results.json"}
    claim(file, "b2")
    assert json.loads((workplace / "results-a1.json").read_text())["old"] == 1
    assert "is of another model: kept as" in capsys.readouterr().err


@pytest.mark.parametrize(("head", "kept"), [
    ('<meta name="qcskit-model" content="0123456789abcdef">', "report-0123456789abcdef.html"), ("", "report-old.html"),
])  # fmt: skip
def test_a_report_of_another_model_is_kept_by_its_name(head: str, kept: str, workplace: Path) -> None:
    page = f"<html><title>qcskit: x</title>{head}</html>"
    (workplace / "report.html").write_text(page)
    claim(workplace / "report.html", "b2")
    assert (workplace / kept).read_text() == page


@pytest.mark.parametrize("text", ["my notes", "{}", '{"model_id": 5, "bundle": []}', "<title>mine</title>", "[1]"])
def test_what_qcskit_did_not_write_is_not_replaced(text: str, workplace: Path) -> None:
    for verb in (("simulate", "-n", "50"), ("hil", "-p", "emu:native", "-n", "50"), ("report", "--no-cost")):
        (workplace / "mine").write_text(text)
        assert "'mine' exists and is nothing that qcskit wrote" in refusal(*verb, "-o", "mine")
        assert (workplace / "mine").read_text() == text


def test_a_report_takes_what_is_beside_only_if_it_is_of_the_bundle(workplace: Path, made: Made) -> None:
    pytest.importorskip("matplotlib", reason="needs the extra 'report': pip install 'qcskit[report]'")
    called("hil", "-p", "emu:native", "-n", "50", "-q")
    shutil.rmtree(workplace / "runs" / "bundle")
    shutil.copytree(made("int8"), workplace / "runs" / "bundle")
    assert "left out: results 'runs/results.json' is of another bundle" in called("report", "--no-cost")
    assert "no device was measured" in (workplace / "runs" / "report.html").read_text()
    assert "another bundle" in refusal("report", "-r", "runs/results.json")


def test_a_bundle_of_another_name_is_not_replaced_and_one_of_the_same_is(workplace: Path) -> None:
    few = ("-s", "classical.train_frames=1000", "-s", "classical.test_frames=200", "-q")
    before = (workplace / "runs" / "bundle" / "manifest.json").read_bytes()
    told = refusal("design", "ce-usq-omp", *few, "--name", "other")
    assert "'runs/bundle' holds model 'ce_usq_omp' and not 'other', so it is not replaced" in told
    assert (workplace / "runs" / "bundle" / "manifest.json").read_bytes() == before
    called("design", "ce-usq-omp", *few)
    assert (workplace / "runs" / "bundle" / "manifest.json").read_bytes() != before


def test_a_run_has_a_name_too(workplace: Path) -> None:
    (workplace / "metrics.json").write_text(json.dumps({"train": {"name": "old"}}))
    check_named(workplace, "old", "metrics.json")
    with pytest.raises(QcsError, match="holds model 'old' and not 'new'"):
        check_named(workplace, "new", "metrics.json")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("simulate", "runs"), "'runs' is no bundle, but holds one: give 'runs/bundle'"),
        (("export", "runs/bundle"), "is a bundle, made already: go on with 'qcskit simulate runs/bundle'"),
        (("export", "held"), "'held' is no run, but holds one: give 'held/run'"),
        (("export",), "run 'runs/run' does not exist; train one"),
        (("export", "model"), "'model' is a file without a suffix"),
        (("export", "a.keras", "--test", "x.npy", "-o"), "--test takes two files, X and Y, and got 'x.npy' and"),
        (("decode", "x.bin", "runs/bundle"), "the bundle comes first: 'runs/bundle' 'x.bin'"),
        (("encode", "x.bin", "runs/bundle"), "the bundle comes first: 'runs/bundle' 'x.bin'"),
        (("encode", "runs/bundle"), "which samples? qcskit encode 'runs/bundle' FILE"),
        (("decode", "x.bin", "-o", "x.xlsx"), "'x.xlsx': no format has that suffix; known: .npy, .csv, .bin"),
        (("encode", "x.bin", "-o", "x.npy"), "'x.npy': no format has that suffix; known: .bin, .hex"),
        (("design", "coded", "--name", "My model"), "[export] name: a name is of small letters, digits and _, "
                                                    "a letter first; try my_model"),
    ],
)  # fmt: skip
def test_what_is_given_in_the_wrong_place_is_said(arguments: tuple[str, ...], told: str, workplace: Path) -> None:
    for name in ("model", "x.bin", "a.keras"):
        (workplace / name).write_bytes(b"1234")
    (workplace / "held" / "run").mkdir(parents=True)
    (workplace / "held" / "run" / "metrics.json").write_text("{}")
    assert told in refusal(*arguments)


def test_a_file_alone_is_of_the_bundle_at_hand(workplace: Path) -> None:
    (workplace / "x.hex").write_text("00000000\n")
    assert called("decode", "x.hex", "-q") == called("decode", "runs/bundle", "x.hex", "-q") != ""
    assert bundle_and_file(None, None) == (Path("runs/bundle"), None)
    assert bundle_and_file(Path("gone"), None) == (Path("gone"), None)
    assert bundle_and_file(Path("-"), None) == (Path("runs/bundle"), Path("-"))
    for both in (
        (Path("gone"), Path("x.hex")),
        (Path("runs/bundle"), Path("gone")),
        (Path("runs"), Path("runs/bundle")),
    ):
        assert bundle_and_file(*both) == both  # who reads them says what is wrong with them
