"""Outputs of every verb, ended at each operation that changes files: by a kill, by a refusal, by a full disk.

Afterwards the old or the new output is whole, and the next run works. In this process `files._step` stands for the file
system, so each operation can be the last one; a few real SIGKILLs, a real limit and real directories show that it does.
"""

import errno
import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import tflite
from support.bundles import classical_bundle, learned_bundle
from support.command import refused

from qcskit.cli import main
from qcskit.codec import files
from qcskit.codec.bundle import read_bundle
from qcskit.codec.errors import QcsError
from qcskit.codec.evidence import Evidence
from qcskit.export import writer
from qcskit.export.packages import package_files, write_package
from qcskit.firmware import sources
from qcskit.firmware.protocol.messages import Answers
from qcskit.firmware_sim.config import SimulateConfig
from qcskit.firmware_sim.verdict import Verdict, read_verdict
from qcskit.hil import fleet
from qcskit.hil.config import HilConfig
from qcskit.hil.journal import Journal
from qcskit.hil.report import page
from qcskit.hil.stream import Answer
from qcskit.training.classical import sweep as classical
from qcskit.training.sweep import COLUMNS, append_row, read_table

NEEDS_ROOM = ("mkdir", "open", "write", "fsync")


class KilledError(BaseException):
    """The process is gone: nothing of it runs any more, not even what tidies up."""


class Fault:
    """Stands in for `files._step`: something happens at operation `at`, before or after it.

    happens: what is raised there; after a kill nothing else is done. Syncs are left out, they only cost time here.
    """

    def __init__(self, at: int = -1, after: bool = False, happens: type[BaseException] | OSError = KilledError) -> None:
        self.names: list[str] = []
        self._at, self._after, self._happens, self._dead = at, after, happens, False

    def __call__(self, operation: Callable[..., Any], *arguments: Any) -> Any:
        if self._dead:
            raise KilledError
        number, name = len(self.names), operation.__name__
        self.names.append("write" if name == "<lambda>" else name)
        if number == self._at and not self._after:
            if operation is shutil.rmtree:  # it dies half-way
                next(path for path in arguments[0].rglob("*") if path.is_file()).unlink()
            self._end()
        try:
            return None if operation is os.fsync else operation(*arguments)
        finally:
            if number == self._at:
                self._end()

    def _end(self) -> None:
        self._dead = self._happens is KilledError
        raise self._happens


@dataclass(frozen=True)
class Output:
    """What a verb writes. write(folder, version): one run; version 0 is the old output, 1 the new one.

    read(folder): what stands there, through the kit's own reader where there is one.
    """

    write: Callable[[Path, int], object]
    read: Callable[[Path], object]


def tree(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Output]:
    """Outputs by verb. What they hold is made once, so that a run is only its writing."""
    root = tmp_path_factory.mktemp("made")
    codecs = [learned_bundle(root / f"{seed}", seed=seed, profile="native") for seed in (1, 2)]
    bundles = [tree(codec.bundle.path) for codec in codecs]
    packages = [package_files([codec.bundle], "cmsis-pack", sources()) for codec in codecs]
    verdicts = [
        Verdict(bundle="b", model_id="0" * 16, evidence=Evidence.of({}), config=SimulateConfig(), passed=True,
                complete=False, vectors=0, sets={}, implementations=[], not_run={"board": f"{version}"})
        for version in (0, 1)
    ]  # fmt: skip
    metrics = [{"classical": version} for version in (0, 1)]

    def read_package(folder: Path) -> dict[str, bytes]:
        files.put_back(folder / "package")
        return tree(folder / "package")

    def read_point(folder: Path) -> object:
        files.put_back(folder / "point")
        return json.loads((folder / "point" / "metrics.json").read_bytes())["classical"]

    return {
        "export": Output(
            lambda folder, version: writer.write_directory(folder / "bundle", bundles[version]),
            lambda folder: read_bundle(folder / "bundle").manifest.model_id,
        ),
        "package": Output(lambda folder, version: write_package(folder / "package", packages[version]), read_package),
        "run": Output(
            lambda folder, version: classical.write_directory(
                folder / "point", {"metrics.json": files.sealed(metrics[version], {})}, marker="metrics.json"
            ),
            read_point,
        ),
        "simulate": Output(
            lambda folder, version: verdicts[version].write(folder / "verdict.json"),
            lambda folder: read_verdict(folder / "verdict.json"),
        ),
        "report": Output(write_page, lambda folder: (folder / "report.html").read_bytes()),
        "hil": Output(measure, lambda folder: json.loads((folder / "results.json").read_bytes())),
        "sweep": Output(sweep, lambda folder: [row["point"] for row in read_table(folder / "results.csv")]),
    }


VERBS = ("export", "package", "run", "simulate", "report", "hil", "sweep")


def write_page(folder: Path, version: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page, "render", lambda *facts: f"page {version} " * 1000)
        page.write_report(None, None, None, folder / "report.html")


def measure(folder: Path, version: int) -> None:
    """A run on one board, whose answers are kept in a journal until the results are written."""

    def run_device(codec: object, run: fleet.Run) -> dict[str, Any]:
        run.journal_path.unlink(missing_ok=True)
        answer = Answer(0, Answers(np.zeros((1, 2), np.uint8), np.ones(1, np.int64), np.zeros(1, np.uint32)), 0.0, 1)
        with Journal(run.journal_path, Evidence.of({})) as journal:
            journal.append(answer)
        return {}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fleet, "run_device", run_device)
        patch.setattr(fleet, "results_of", lambda codec, config, devices, data: {"version": version})
        config = HilConfig(port=["emu:native"])
        fleet.run_fleet(None, config, out=folder / "results.json", resume=False, progress=lambda *what: None)


def sweep(folder: Path, version: int) -> None:
    """One point of a sweep ends; a point that the table holds already is not run again."""
    table = folder / "results.csv"
    with files.locked(table):
        known = [row["point"] for row in read_table(table)]
        for number in range(version + 1):
            if f"{number}" not in known:
                append_row(table, dict.fromkeys(COLUMNS, "x") | {"point": f"{number}"})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the output stands, two levels down, so that directories are made for it too."""
    return tmp_path / "runs" / "x"


def states(output: Output, folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[list[Any], list[str]]:
    """Write the old, then the new output; return both contents, and the names of the operations of the second run."""
    monkeypatch.setattr(files, "_step", fault := Fault())
    output.write(folder, 0)
    old, count = output.read(folder), len(fault.names)
    shutil.copytree(folder, folder.parent / "old")
    output.write(folder, 1)
    return [old, output.read(folder)], fault.names[count:]


def reset(folder: Path, old: bool) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    if old:
        shutil.copytree(folder.parent / "old", folder)


@pytest.mark.parametrize("verb", VERBS)
def test_a_kill_at_any_operation_leaves_a_whole_output_and_the_next_run_works(
    verb: str, outputs: dict[str, Output], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = outputs[verb]
    contents, names = states(output, folder, monkeypatch)
    entries = sorted(path.name for path in folder.iterdir())
    for number in range(2 * len(names)):
        reset(folder, old=True)
        monkeypatch.setattr(files, "_step", Fault(number // 2, after=bool(number % 2)))
        with pytest.raises(KilledError):
            output.write(folder, 1)
        monkeypatch.setattr(files, "_step", Fault())
        for aside in folder.glob(".*.qcskit-old"):  # whoever looks for the output will believe it
            assert tree(aside) == tree(folder.parent / "old" / aside.name[1 : -len(".qcskit-old")])
        if number % 2:  # a reader comes first, or the next run does
            assert output.read(folder) in contents
        output.write(folder, 1)
        assert output.read(folder) == contents[1], names[number // 2]
        assert sorted(path.name for path in folder.iterdir()) == entries
    print(f"{verb}: {2 * len(names)} points")


@pytest.mark.parametrize("verb", VERBS)
def test_a_kill_during_the_first_run_does_not_stop_the_next(
    verb: str, outputs: dict[str, Output], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = outputs[verb]
    contents, _ = states(output, folder, monkeypatch)
    reset(folder, old=False)
    monkeypatch.setattr(files, "_step", fault := Fault())
    output.write(folder, 1)
    for number in range(2 * len(fault.names)):
        reset(folder, old=False)
        monkeypatch.setattr(files, "_step", Fault(number // 2, after=bool(number % 2)))
        with pytest.raises(KilledError):
            output.write(folder, 1)
        monkeypatch.setattr(files, "_step", Fault())
        output.write(folder, 1)
        assert output.read(folder) == contents[1], fault.names[number // 2]
    print(f"{verb}, first run: {2 * len(fault.names)} points")


@pytest.mark.parametrize("verb", VERBS)
def test_what_is_renamed_into_place_was_synced(
    verb: str, outputs: dict[str, Output], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, names = states(outputs[verb], folder, monkeypatch)
    places = [place for place, name in enumerate(names) if name == "write"]
    assert places
    assert all(names[place + 1] == "fsync" for place in places)
    moves = [place for place, name in enumerate(names) if name in ("rename", "replace")]
    assert all(place < moves[0] for place in places if moves)
    if "rename" in names:
        assert names[moves[0] - 1] == names[moves[0] - 2] == "fsync"  # the names in the directory, too
        assert names[moves[1] + 1] == "fsync"


@pytest.mark.parametrize("verb", VERBS)
def test_a_full_disk_is_one_line_and_changes_nothing(
    verb: str, outputs: dict[str, Output], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = outputs[verb]
    contents, names = states(output, folder, monkeypatch)
    reset(folder, old=True)
    before, full = tree(folder), OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    for number in (number for number, name in enumerate(names) if name in NEEDS_ROOM):
        monkeypatch.setattr(files, "_step", Fault(number, happens=full))
        told = ""
        try:
            output.write(folder, 1)
        except QcsError as error:
            told = str(error)
        if told:
            assert told.endswith("' cannot be written: No space left on device")
            kept = {name: content for name, content in tree(folder).items() if not name.endswith(".partial")}
            assert kept == before  # what a board answered is kept for --resume
        else:  # it was a sync of names, which costs nothing but a guarantee
            assert names[number] == "fsync"
        monkeypatch.setattr(files, "_step", Fault())
        output.write(folder, 1)
        assert output.read(folder) == contents[1]
        reset(folder, old=True)


@pytest.mark.parametrize("verb", VERBS)
def test_a_place_that_cannot_be_written_is_one_line(
    verb: str, outputs: dict[str, Output], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs[verb].write(folder, 0)
    before = tree(folder)

    def refuse(*what: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(files, "_step", refuse)
    with pytest.raises(QcsError, match=r"' cannot be written: Read-only file system$"):
        outputs[verb].write(folder, 1)
    assert tree(folder) == before


KILLING = """
import csv, json, os, signal, sys
from pathlib import Path
import numpy as np
from qcskit.cli import build_app
from qcskit.codec import files

count, runs, step = 0, 0, files._step
points, out, *arguments = sys.argv[1:]
points, out = int(points), Path(out)

def run(at):
    global count
    count = 0
    def counting(operation, *arguments):
        global count
        if count == at:
            os.kill(os.getpid(), signal.SIGKILL)
        count += 1
        return step(operation, *arguments)
    files._step = counting
    build_app()([word.format(run=runs) for word in arguments], standalone_mode=False)

def end_of(at):
    child = os.fork()
    if child == 0:
        try:
            run(at)
        except BaseException as error:
            print(error, flush=True)
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1]

def read():
    files.put_back(out)
    found = [out] if out.is_file() else sorted(out.rglob("*"))
    found = [path for path in found if path.is_file() and ".qcskit-" not in str(path.relative_to(out.parent))]
    for path in found:
        content = path.read_bytes()
        if path.suffix == ".json":
            json.loads(content)
        elif path.suffix == ".html":
            assert content.endswith(b"</html>"), path
        elif path.suffix == ".csv":
            head, *rows = csv.reader(content.decode().splitlines())
            assert content.endswith(b"\\n") and {len(row) for row in rows} <= {len(head)}, path
        elif path.suffix in (".npy", ".npz"):
            np.load(path)
        assert content, path
    return {path: path.stat().st_size for path in found}

run(None)  # makes the directories above, too
runs = 1
run(None)
whole = count
for point in range(points):  # each one finds what the one before it left
    runs, before = runs + 1, read()
    killed = end_of((whole - 1) * point // (points - 1))
    assert os.WIFSIGNALED(killed) and os.WTERMSIG(killed) == signal.SIGKILL, killed
    assert before.keys() <= read().keys(), (before, read())
runs += 1
run(None)
print(f"killed {points} times")
"""

FEW = ("-s", "classical.train_frames=1000", "-s", "classical.test_frames=100")
COMMANDS = {
    "design": (4, "out", "design", "ce-usq-omp", *FEW),
    "package": (8, "out", "package", "bundle", "--to", "plain"),
    "decode": (8, "out.npy", "decode", "bundle", "packets.bin"),
    "simulate": (4, "out.json", "simulate", "bundle", "-n", "100", "-j", "1"),
    "hil": (8, "out.json", "hil", "bundle", "-p", "emu:native", "-n", "100"),
    "report": (4, "out.html", "report", "bundle", "--no-cost"),
    "sweep": (3, "out", "sweep", "--rate", "1", "--variant", "ce-usq-omp", "--seed", "{run}", *FEW),
}
"""What is run: at how many points it is killed, its output, its arguments; {run} is another number each time."""


WRITING = {verb: [*arguments, "-q", "--out"] for verb, (_, _, *arguments) in COMMANDS.items()} | {
    "advise": ["advise", "y.npy", "-n", "16", "-m", "4", "--no-compare", "-q", "--out"],
    "encode": ["encode", "bundle", "y.npy", "-q", "--out"],
    "export": [
        "export",
        "m.tflite",
        "--calibrate",
        "m.npy",
        "--levels",
        "5",
        "-s",
        "export.golden_frames=8",
        "-q",
        "--out",
    ],
    "junit": ["hil", "bundle", "-p", "emu:native", "-n", "100", "-q", "--junit"],
}
"""What writes what is named last."""


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a bundle, packets, measurements and a converter's model."""
    root = tmp_path_factory.mktemp("workplace")
    codec = classical_bundle(root / "bundle")
    (root / "packets.bin").write_bytes(codec.bundle.vectors["packed"].tobytes())
    (root / "m.tflite").write_bytes(tflite.read("per_tensor"))
    np.save(root / "m.npy", tflite.frames())
    np.save(root / "y.npy", codec.bundle.vectors["counts"].astype(np.int16).ravel())
    return root


@pytest.mark.parametrize("verb", COMMANDS)
def test_the_command_runs_again_after_it_was_killed(verb: str, workplace: Path, source_env: dict[str, str]) -> None:
    points, out, *arguments = COMMANDS[verb]
    command = [sys.executable, "-c", KILLING, f"{points}", f"{verb}/{out}", *arguments, "-q", "--out", f"{verb}/{out}"]
    done = subprocess.run(command, cwd=workplace, env=source_env, capture_output=True, text=True, check=False)
    assert f"killed {points} times" in done.stdout, done.stdout + done.stderr
    assert [path.name for path in (workplace / verb).iterdir()] == [out]
    assert not [path for path in (workplace / verb).rglob("*") if ".qcskit-" in path.name]


Call = Callable[..., tuple[int, str]]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], workplace: Path) -> Call:
    """Run the command in this process and the workplace; return exit code and stderr."""
    monkeypatch.chdir(workplace)

    def run(verb: str, number: int, out: str = "disk/deep/out") -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["qcskit", *filled(verb, number, out)])
        try:
            main()
        except SystemExit as end:
            return int(end.code or 0), capsys.readouterr().err
        return 0, ""

    return run


def filled(verb: str, number: int, out: str) -> list[str]:
    """Return the arguments of a run; a picture is told by its suffix."""
    return [word.format(run=number) for word in (*WRITING[verb], f"{out}.svg" if verb == "advise" else out)]


@pytest.mark.parametrize("verb", sorted(WRITING.keys() - {"junit"}))  # it comes after the results
def test_a_file_size_limit_is_one_line(verb: str, workplace: Path, source_env: dict[str, str], call: Call) -> None:
    place = workplace / f"limit {verb}"
    assert call(verb, 0, f"{place}/out") == (0, "")
    kept, limit = tree(place), 2000 if verb == "export" else 20  # TFLM reports its memory through a temporary file
    done = subprocess.run([sys.executable, "-m", "qcskit.cli", *filled(verb, 1, f"{place}/out")], env=source_env,
                          capture_output=True, text=True, check=False,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))  # fmt: skip
    refused(done, f"'{place}/out", "' cannot be written: File too large")
    assert tree(place) == kept


@pytest.fixture
def small_disk(workplace: Path) -> Iterator[Path]:
    """A file system of its own in the workplace, of 4 MB."""
    disk = workplace / "disk"
    disk.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a tmpfs")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def fill(disk: Path, left_bytes: int) -> Path:
    """Write a file that leaves this much room, and return it."""
    with (disk / "filler").open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass
    os.truncate(file.name, max(0, Path(file.name).stat().st_size - left_bytes))
    return Path(file.name)


@pytest.mark.parametrize("verb", WRITING)
def test_a_disk_that_is_full_is_one_line_and_changes_nothing(verb: str, small_disk: Path, call: Call) -> None:
    """Of the old output; where a first one would be, not even a directory stays."""
    for number, old in enumerate((False, True)):
        if old:
            assert call(verb, 100) == (0, "")
        before = tree(small_disk)
        filler = fill(small_disk, 0)
        code, told = call(verb, number)
        filler.unlink()
        assert (code, told.count("\n"), told.split(": ")[-1]) == (2, 1, "No space left on device\n"), told
        assert tree(small_disk) == before
        assert (small_disk / "deep").exists() == old
    assert call(verb, 101) == (0, "")
    assert tree(small_disk).keys() >= before.keys()


@pytest.mark.parametrize("verb", WRITING)
def test_a_read_only_disk_is_one_line(verb: str, small_disk: Path, call: Call) -> None:
    for number, old in enumerate((False, True)):
        if old:
            assert call(verb, 100) == (0, "")
        before = tree(small_disk)
        subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
        code, told = call(verb, number)
        subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
        assert (code, told.count("\n"), told.split(": ")[-1]) == (2, 1, "Read-only file system\n"), told
        assert tree(small_disk) == before
