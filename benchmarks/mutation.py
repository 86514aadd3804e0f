"""How many small faults the tests notice: mutants of the packages and of the C core, each against its nearest tests.

    python benchmarks/mutation.py [--quick] [--json FILE] [--area AREA] [--mutants N] [--seed N] [--state FILE]

Needs `pip install 'qcskit[mutation]'`. A mutant is one changed operator, number or condition, or a dropped statement
(Python: Cosmic Ray's operators; C: _mutants.py), drawn evenly over the lines of an area. First the tests run without
a mutant, and are told apart by the lines that they reach, commands in processes of their own included; what fails
already is left out and named. Then each mutant meets the tests of its module, and of its folder, package and the
contract those that reach it, the nearest and quickest first, until one fails, hangs or BUDGET_S of tests have passed.
--near saves the first run: the module's own tests as they stand, NEAR_BUDGET_S of them; those that noticed a mutant
run without one at the end. Survivors are printed with their change: read each, then write the test that it asks for,
or say why it changes nothing. --state keeps what was tried, so that a broken run goes on; --again tries its survivors
once more. docs/mutation.md holds the figures and what was judged.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from queue import Queue
from typing import Self, TypeVar

from _mutants import AREAS, ROOT, Mutant, draw
from rich.progress import track
from rows import Row, report

from qcskit.codec.files import write_text

TARGETS = {"codec": 0.85, "firmware_sim": 0.85, "hil": 0.85, "c": 0.85}
"""Share noticed that is aimed at; 0.80 elsewhere."""
BUDGET_S = 60.0
"""Of tests per mutant, as the run without mutants took them."""
NEAR_BUDGET_S = 30.0
"""Of CPU per mutant with --near: no test is begun after it."""
MOST_OWN = 3
"""Test files of a module."""
EVERY = ("test_contract.py", "test_golden.py", "firmware_sim/test_cores.py")
"""Test files of all codecs."""
WHOLE = ("test_layout.py", "cli/test_config.py", "cli/test_help.py")
"""Quick test files about all of the kit: records, imports, the limits and defaults of every key and option."""

Job, Result = TypeVar("Job"), TypeVar("Result")


@dataclass
class Reach:
    """What the tests of one file do without a mutant. seconds: by test. failed: tests. lines: file → line → tests.

    The test "" stands for all of the file: imports, and fixtures that several tests share.
    """

    seconds: dict[str, float]
    failed: list[str]
    lines: dict[str, dict[str, list[str]]] = field(default_factory=dict)

    def tests(self, mutant: Mutant) -> set[str]:
        """Return which tests reach a mutant. Lines of C are not told apart: who reads the file reaches it."""
        lines = self.lines.get(mutant.file, {})
        line = max((n for n in map(int, lines) if n <= mutant.line), default=None)
        found = set(lines.get(str(line), ()))
        return set(self.seconds) if "" in found else found


class Copy:
    """A copy of the repository, new files included, to mutate, and a process that runs its tests."""

    def __init__(self) -> None:
        self.tree = Path(tempfile.mkdtemp(prefix="qcskit-mutation-"))
        listed = subprocess.run(
            ["git", "ls-files", "-coz", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True, text=True
        ).stdout
        for name in filter(None, listed.split("\0")):
            if (ROOT / name).is_file():
                (self.tree / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, self.tree / name)
        roots = [str(package.parent) for package in sorted(self.tree.glob("*/qcskit"))]
        shutil.copy2(Path(__file__).with_name("_mutant_reach.py"), Path(roots[0]) / "sitecustomize.py")
        path = os.pathsep.join([*roots, str(self.tree / "tests"), str(self.tree / "benchmarks")])
        self.process = subprocess.Popen(
            [sys.executable, "-m", "_mutant_tests"], cwd=self.tree, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, env={"QCSKIT_CACHE": str(self.tree / ".cache"), **os.environ, "PYTHONPATH": path},
            stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.process.communicate()
        shutil.rmtree(self.tree)

    def failing(self, **order: object) -> str | None:
        """Return the test that fails first; see _mutant_tests.py for the order."""
        print(json.dumps(order), file=self.process.stdin, flush=True)
        failed: str | None = json.loads(self.process.stdout.readline())
        return failed

    def reach(self, file: str) -> Reach:
        """Run the tests of a file without a mutant."""
        from coverage import CoverageData

        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            self.failing(places=[file], cpu_s=3600, reach=name)
            found = Reach(**json.loads((folder / "tests.json").read_text()))
            lines: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
            for part in folder.glob("reach.*"):
                data = CoverageData(str(part))
                data.read()
                for path in data.measured_files():
                    for line, tests in data.contexts_by_lineno(path).items():
                        lines[str(Path(path).relative_to(self.tree))][str(line)].update(tests)
            for line in (folder / "read").read_text().splitlines():
                path, _, test = line.partition("\t")
                lines[str(Path(path).relative_to(self.tree))]["0"].add(test)
        found.lines = {path: {n: sorted(tests) for n, tests in by.items()} for path, by in lines.items()}
        return found

    def noticed(self, mutant: Mutant, text: str, places: list[str], **order: object) -> Mutant:
        """Return the mutant with its verdict: whether a test fails, or never ends, with it in the tree."""
        file, started = self.tree / mutant.file, time.monotonic()
        before, times = file.read_bytes(), file.stat()
        file.write_text(text, encoding="utf-8")
        try:
            by = self.failing(places=places, **order)
        finally:
            file.write_bytes(before)
            os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))  # so that its bytecode is told from a mutant's
        return replace(mutant, noticed=by is not None, by=by or "", seconds=round(time.monotonic() - started, 1))


def test_folder(file: str) -> Path:
    """Return the folder of tests of a module's folder, or of the nearest above it that has one."""
    path, tests = Path(file), ROOT / "tests"
    folder = tests / "firmware" if path.suffix == ".c" else tests.joinpath(path.parts[0], *path.parts[3:-1])
    while not folder.is_dir():
        folder = folder.parent
    return folder


def own_tests(file: str) -> list[Path]:
    """Return the test files of a module: those of its name, or of its first words, else those that name it most."""
    path, tests, folder = Path(file), ROOT / "tests", test_folder(file)
    words = path.stem.strip("_").split("_")
    for count in range(len(words), path.suffix == ".c", -1):  # every C file begins with qcs
        found = sorted(folder.glob(f"test_{'_'.join(words[:count])}.py"))
        if found:
            break
    else:
        name = re.compile(rf"\b{path.stem}\b")
        told = {t: len(name.findall(t.read_text(encoding="utf-8"))) for t in (tests / path.parts[0]).rglob("test_*.py")}
        found = sorted(filter(told.get, told), key=lambda t: (t.parent != folder, -told[t], t))
    if path.suffix == ".py" and ">>> " in (ROOT / path).read_text(encoding="utf-8"):
        found.append(ROOT / path)
    return found


def test_files(file: str, near: bool) -> list[str]:
    """Return the files with tests that may notice a change of a file, nearest first. near: its own, if it has some."""
    path, tests = Path(file), ROOT / "tests"
    own, every, whole = own_tests(file), [tests / name for name in EVERY], [tests / name for name in WHOLE]
    if near:
        places = own[:MOST_OWN] + (every if path.suffix == ".c" or not own else [])
    elif path.suffix == ".c":
        places = [*own, *every, tests / "firmware", tests / "firmware_sim"]
    else:
        places = [*own, *whole, test_folder(file), tests / path.parts[0], *every]
    files = [test for place in places for test in (sorted(place.rglob("test_*.py")) if place.is_dir() else [place])]
    return list(dict.fromkeys(str(test.relative_to(ROOT)) for test in files))


def chosen(mutant: Mutant, reached: dict[str, Reach]) -> tuple[list[str], float]:
    """Return the tests for a mutant, BUDGET_S at most, in their order, and how long they take without it."""
    ranked, own = [], {str(path.relative_to(ROOT)) for path in own_tests(mutant.file)}
    for rank, file in enumerate(test_files(mutant.file, near=False)):
        if file not in reached:  # written since the run began
            continue
        reach, nearest = reached[file], file in own
        tests = set(reach.seconds) if file.removeprefix("tests/") in WHOLE else reach.tests(mutant)
        for test in set(reach.seconds if tests or nearest else ()) - set(reach.failed):
            ranked.append((test not in tests, not nearest, rank, reach.seconds[test], test))
    taken, total = [], 0.0
    for *_, seconds, test in sorted(ranked):
        if not taken or total + seconds <= BUDGET_S:
            taken.append(test)
            total += seconds
    return taken, total


def arguments() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="3 mutants per area")
    parser.add_argument("--json", type=Path, help="write the rows here")
    parser.add_argument("--area", action="append", choices=AREAS, help="may be given more than once; default all")
    parser.add_argument("--mutants", type=int, default=45, help="per area")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--state", type=Path, help="what was tried: read at the start, written after each mutant")
    parser.add_argument("--again", action="store_true", help="try the survivors of --state once more")
    parser.add_argument("--near", action="store_true", help="no tests but the module's own: quick, notices less")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    return parser.parse_args()


def main() -> int:
    """Draw, try, print."""
    options = arguments()
    areas = options.area or list(AREAS)
    known = json.loads(options.state.read_text()) if options.state and options.state.is_file() else []
    done = {mutant.key: mutant for mutant in (Mutant(**fields) for fields in known)}
    drawn = [m for area in areas for m in draw(area, 3 if options.quick else options.mutants, options.seed)]
    todo = [m for m in drawn if m[0].key not in done or (options.again and not done[m[0].key].noticed)]
    with ExitStack() as stack:
        copies = [stack.enter_context(Copy()) for _ in range(options.jobs if todo else 0)]
        for mutant in track(
            near_tried(todo, copies) if options.near else tried(todo, copies, options.state), "mutants", total=len(todo)
        ):
            done[mutant.key] = mutant
            if not mutant.noticed:
                print(f"survived  {mutant.file}:{mutant.line}  {mutant.change}", flush=True)
            if options.state:
                write_text(options.state, json.dumps([asdict(m) for m in done.values()], indent=1))
    rows = [row(area, [done[m.key] for m, _ in drawn if m.area == area]) for area in areas]
    return report("mutation", "Mutants that the nearest tests notice", rows, options.json)


def tried(todo: list[tuple[Mutant, str]], copies: list[Copy], state: Path | None) -> Iterator[Mutant]:
    """Yield each mutant with its verdict, as many at once as there are copies."""
    files = dict.fromkeys(file for mutant, _ in todo for file in test_files(mutant.file, near=False))
    reached = without_mutant(list(files), copies, state)

    def attempt(copy: Copy, job: tuple[Mutant, str]) -> Mutant:
        tests, seconds = chosen(job[0], reached)
        return copy.noticed(*job, places_of(tests), tests=tests, cpu_s=int(30 + 2 * seconds))

    yield from over(copies, attempt, todo)


def near_tried(todo: list[tuple[Mutant, str]], copies: list[Copy]) -> Iterator[Mutant]:
    """Yield each mutant with the verdict of the module's own tests; exits if one that noticed fails without it, too."""
    noticing: set[str] = set()
    files: set[str] = set()

    def attempt(copy: Copy, job: tuple[Mutant, str]) -> Mutant:
        return copy.noticed(*job, test_files(job[0].file, near=True), budget_s=NEAR_BUDGET_S)

    for mutant in over(copies, attempt, todo):
        if mutant.noticed:
            noticing.add(mutant.by)
            files.update(test_files(mutant.file, near=True))
        yield mutant
    if files and (failing := copies[0].failing(places=sorted(files), tests=sorted(noticing), cpu_s=3600)):
        sys.exit(f"fails without a mutant, too: {failing}")


def places_of(tests: list[str]) -> list[str]:
    """Return the files of tests, each once."""
    return list(dict.fromkeys(test.split("::")[0] for test in tests))


def without_mutant(files: list[str], copies: list[Copy], state: Path | None) -> dict[str, Reach]:
    """Return what the tests of each file reach; kept beside `state`, for as long as sources and file are the same."""
    sources = hashlib.sha256(b"".join(f.read_bytes() for glob in AREAS.values() for f in sorted(ROOT.glob(glob))))
    keys = {file: hashlib.sha256(sources.digest() + (ROOT / file).read_bytes()).hexdigest()[:16] for file in files}
    kept = state.with_suffix(".reach") if state else Path(tempfile.mkdtemp(prefix="qcskit-mutation-"))
    kept.mkdir(exist_ok=True)

    def reach(copy: Copy, file: str) -> None:
        write_text(kept / f"{keys[file]}.json", json.dumps(asdict(copy.reach(file))))

    todo = [file for file in files if not (kept / f"{keys[file]}.json").is_file()]
    for _ in track(over(copies, reach, todo), "without a mutant", total=len(todo)):
        pass
    reached = {file: Reach(**json.loads((kept / f"{keys[file]}.json").read_text())) for file in files}
    for test in (test for found in reached.values() for test in found.failed):
        print(f"fails without a mutant, left out: {test}", flush=True)
    return reached


def over(copies: list[Copy], work: Callable[[Copy, Job], Result], jobs: list[Job]) -> Iterator[Result]:
    """Yield work(copy, job) for each job as it ends, as many at once as there are copies."""
    idle: Queue[Copy] = Queue()
    for copy in copies:
        idle.put(copy)

    def one(job: Job) -> Result:
        copy = idle.get()
        try:
            return work(copy, job)
        finally:
            idle.put(copy)

    if jobs:
        with ThreadPoolExecutor(len(copies)) as pool:
            yield from (done.result() for done in as_completed([pool.submit(one, job) for job in jobs]))


def row(area: str, mutants: list[Mutant]) -> Row:
    """Return the figure of an area, its survivors by place."""
    share, target = sum(bool(m.noticed) for m in mutants) / max(1, len(mutants)), TARGETS.get(area, 0.80)
    survivors = ", ".join(f"{m.file}:{m.line}" for m in mutants if not m.noticed)
    return Row(area, "noticed", share, f"of {len(mutants)}", None, target, share >= target, survivors)


if __name__ == "__main__":
    sys.exit(main())
