"""Where a verb must not write is one line before any work, and changes nothing."""

import fcntl
import os
import shutil
from pathlib import Path

import pytest
from support.command import Made
from typer.testing import CliRunner

from qcskit.cli import build_app
from qcskit.codec.errors import QcsError

FILES = {
    "simulate": ["simulate", "bundle", "-n", "100", "-o"],
    "hil": ["hil", "bundle", "-p", "emu:native", "-n", "100", "-o"],
    "junit": ["hil", "bundle", "-p", "emu:native", "-n", "100", "--junit"],
    "report": ["report", "bundle", "-o"],
    "decode": ["decode", "bundle", "packets.bin", "-o"],
    "profile": ["profile", "bundle", "--svg"],
}
DIRECTORIES = {
    "train": ["train", "-o"],
    "export": ["export", "run", "-o"],
    "design": ["design", "ce-usq-omp", "-o"],
    "package": ["package", "bundle", "--to", "plain", "-o"],
}
BOTH = FILES | DIRECTORIES


@pytest.fixture(autouse=True)
def workplace(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory: a bundle, packets, a file and a directory of the user."""
    inside = tmp_path / "inside"
    shutil.copytree(made("classical"), inside / "bundle")
    (inside / "packets.bin").write_bytes(b"")
    (inside / "thesis").mkdir()
    (inside / "thesis" / "thesis.tex").write_text("irreplaceable")
    os.mkfifo(inside / "fifo")
    monkeypatch.chdir(inside)
    return tmp_path


def tree(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() if path.is_file() else b"" for path in root.rglob("*")}


def refusal(*arguments: str) -> str:
    """Run the command and return the line that it is refused with."""
    done = CliRunner().invoke(build_app(), list(arguments))
    assert isinstance(done.exception, QcsError), done
    assert done.exception.exit_code == 2
    assert "\n" not in str(done.exception)
    return str(done.exception)


@pytest.mark.parametrize("place", [".", "", "..", "/", "/dev/null", "fifo", "thesis", "/proc/none", "packets.bin/x"])
@pytest.mark.parametrize("verb", BOTH)
def test_a_place_that_no_verb_writes(verb: str, place: str, workplace: Path) -> None:
    before = tree(workplace)
    told = refusal(*BOTH[verb], place)
    if (verb, place) == ("junit", "/proc/none"):
        Path("results.json").unlink()  # JUnit comes after the results, which are kept
    assert f"'{Path(place)}' " in told
    assert tree(workplace) == before


@pytest.mark.parametrize("verb", FILES)
@pytest.mark.parametrize("place", ["bundle/manifest.json", "bundle/more"])
def test_a_file_does_not_go_into_the_bundle_that_it_is_about(verb: str, place: str, workplace: Path) -> None:
    before = tree(workplace)
    assert "would change 'bundle', which this run needs" in refusal(*FILES[verb], place)
    assert tree(workplace) == before


@pytest.mark.parametrize(
    ("arguments", "kept"),
    [
        (["decode", "bundle", "packets.bin", "-o", "packets.bin"], "packets.bin"),
        (["report", "bundle", "-r", "packets.bin", "-o", "packets.bin"], "packets.bin"),
        (["report", "bundle", "-v", "packets.bin", "-o", "packets.bin"], "packets.bin"),
        (["hil", "bundle", "-p", "emu:native", "-o", "r.json", "--junit", "r.json"], "r.json"),
        (["export", "thesis", "-o", "thesis"], "thesis"),
        (["package", "bundle", "--to", "plain", "-o", "bundle"], "bundle"),
        (["package", "bundle", "--to", "plain", "-o", "bundle/library"], "bundle"),
    ],
)
def test_an_output_is_nothing_that_the_run_needs(arguments: list[str], kept: str, workplace: Path) -> None:
    before = tree(workplace)
    assert f"would change '{kept}', which this run needs" in refusal(*arguments)
    assert tree(workplace) == before


def test_the_library_beside_an_exported_bundle_is_checked_before_the_work(workplace: Path) -> None:
    shutil.move("thesis", "b-plain")
    before = tree(workplace)
    assert "'b-plain' exists and holds no qcskit.json" in refusal("export", "run", "-o", "b", "--to", "plain")
    assert tree(workplace) == before


@pytest.mark.parametrize("verb", [*BOTH, "sweep", "demo"])
def test_a_second_run_on_one_output_is_refused(verb: str, workplace: Path) -> None:
    locks = {"sweep": "out/.results.csv.qcskit-lock", "demo": "out/.report.html.qcskit-lock"}
    lock = Path(locks.get(verb, "out/.new.qcskit-lock"))
    lock.parent.mkdir()
    before = tree(workplace)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        out = ["out/new"] if verb in BOTH else ["-o", "out"]
        assert "another run is writing 'out/" in refusal(*BOTH.get(verb, [verb]), *out)
    lock.unlink()
    Path("results.json").unlink(missing_ok=True)  # JUnit comes after the results, which are kept
    assert tree(workplace) == before


def test_what_the_user_added_to_an_output_is_kept_and_named(workplace: Path) -> None:
    arguments = ["package", "bundle", "--to", "plain", "-o", "library", "-q"]
    for _ in range(2):
        assert CliRunner().invoke(build_app(), arguments).exit_code == 0
    (workplace / "inside" / "library" / "src" / "main.c").write_text("int main(void) { return 0; }")
    with (workplace / "inside" / "library" / "CMakeLists.txt").open("a") as edited:
        edited.write("# mine")
    before = tree(workplace)
    told = "holds CMakeLists.txt, src/main.c, not listed in its qcskit.json or edited since, so it is not replaced"
    assert told in refusal(*arguments)
    assert tree(workplace) == before


@pytest.mark.parametrize(
    "arguments",
    [
        ["hil", "bundle", "-p", "emu:native", "-n", "50", "--batch", "255", "-o", "deep/er/r.json"],
        ["decode", "bundle", "thesis/thesis.tex", "--in", "npz", "-o", "deep/er/x.npy"],
    ],
)
def test_a_run_that_fails_leaves_no_directory_and_no_journal(arguments: list[str], workplace: Path) -> None:
    before = tree(workplace)
    refusal(*arguments)
    assert tree(workplace) == before
