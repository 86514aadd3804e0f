"""How many small faults the tests notice: mutants of the packages and of the C core, each against its nearest tests.

    python benchmarks/mutation.py [--quick] [--json FILE] [--area AREA] [--mutants N] [--seed N] [--state FILE]

Needs `pip install 'qcskit[mutation]'`. A mutant is one changed operator, number or condition, or a dropped statement
(Python: Cosmic Ray's operators; C: the table below), drawn evenly over the lines of an area. Tests run nearest first
and stop at the first failure; one that hangs has failed too. First all of them must pass without a mutant: what fails
anyway would notice everything. Survivors are printed with their change: read each,
then write the test that it asks for, or say why it changes nothing. --state keeps what was tried, so that a broken
run goes on; --again tries its survivors once more.
"""

import argparse
import ast
import contextlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from queue import Queue

from rich.progress import track
from rows import Row, report

from qcskit.codec.files import write_text

ROOT = Path(__file__).parents[1]
PACKAGES = ("codec", "training", "export", "firmware", "firmware_sim", "hil", "cli")
AREAS = {**{name: f"{name}/qcskit/**/*.py" for name in PACKAGES}, "c": "firmware/*/*.c"}
TARGETS = {"codec": 0.85, "firmware_sim": 0.85, "hil": 0.85, "c": 0.85}
"""Share noticed that is aimed at; 0.80 elsewhere."""
TIMEOUT_S = 300
"""Of one test: a mutant's whole run takes long on a busy machine, which is no failure."""

LOADING_TIMEOUT_S = 3600
"""Of a whole run, for a mutant that never ends while its module is loaded."""

C_CHANGES = (
    (r"<=", "<"), (r">=", ">"), (r"(?<![<>-])<(?![<=])", "<="), (r"(?<![->])>(?![>=])", ">="), (r"==", "!="),
    (r"!=", "=="), (r"&&", "||"), (r"\|\|", "&&"), (r"<<", ">>"), (r">>", "<<"), (r"(?<=\w )\+(?= \w)", "-"),
    (r"(?<=\w )-(?= \w)", "+"), (r"\b\d+\b(?![.\"])", "+1"), (r"\b\d+\b(?![.\"])", "-1"),
    (r"^\s+\w[^=;{}]*(\(|=)[^;{}]*;$", "drop"),
)  # fmt: skip
"""Pattern and what takes its place; "+1", "-1": the number plus that; "drop": the statement goes."""

Place = tuple[int, Callable[[], str | None]]
"""A line, and what makes the mutated source; None if it turns out to be the same."""


@dataclass(frozen=True)
class Mutant:
    """One change of a file. noticed: by the tests; None before they ran."""

    area: str
    file: str
    line: int
    change: str
    noticed: bool | None = None

    @property
    def key(self) -> tuple[str, int, str]:
        """What it is, tried or not."""
        return self.file, self.line, self.change


def python_places(source: str) -> Iterator[Place]:
    """Yield where a module can be mutated, but not in annotations and heads of functions."""
    from cosmic_ray import plugins
    from cosmic_ray.ast import ast_nodes, get_ast
    from cosmic_ray.mutating import mutate_code

    tree, nodes = ast.parse(source), list(ast_nodes(get_ast(source)))
    silent = {line for node in ast.walk(tree) for line in _silent_lines(node)}
    for name in plugins.operator_names():
        if re.search("NoOp|Decorator|VariableInserter|VariableReplacer", name):
            continue
        operator, occurrence = plugins.get_operator(name)(), 0
        for node in nodes:
            for (line, _), _ in operator.mutation_positions(node):
                if line not in silent:
                    yield line, lambda o=operator, n=occurrence: mutate_code(source, o, n)
                occurrence += 1
    lines = source.splitlines(keepends=True)
    for node in ast.walk(tree):
        value = getattr(node, "value", None)
        if isinstance(node, ast.Raise | ast.AugAssign | ast.Expr) and not isinstance(value, ast.Constant):
            head, tail = lines[: node.lineno - 1], lines[node.end_lineno :]
            indent = lines[node.lineno - 1][: node.col_offset]
            if not indent.strip():
                yield node.lineno, lambda a=head, b=indent, c=tail: "".join([*a, f"{b}pass\n", *c])


def _silent_lines(node: ast.AST) -> Iterator[int]:
    """Yield the lines on which operators and numbers mean nothing: annotations, heads without defaults, __repr__."""
    bare = isinstance(node, ast.AnnAssign) and node.value is None
    if bare or (isinstance(node, ast.FunctionDef) and node.name == "__repr__"):
        yield from range(node.lineno, (node.end_lineno or node.lineno) + 1)
    elif isinstance(node, ast.FunctionDef) and not node.args.defaults and not node.args.kw_defaults:
        yield from range(node.lineno, node.body[0].lineno)


def c_places(source: str) -> Iterator[Place]:
    """Yield where a C file can be mutated, but not in comments and directives."""
    lines, comment = source.splitlines(keepends=True), False
    for number, line in enumerate(lines):
        code = line.split("//")[0].split("/*")[0].rstrip()
        comment, inside = ("/*" in line or comment) and "*/" not in line, comment
        if inside or code.lstrip().startswith(("#", "*")) or not code.strip():
            continue
        for pattern, new in C_CHANGES:
            for match in re.finditer(pattern, code):
                changed = line[: match.start()] + _changed(match.group(), new) + line[match.end() :]
                text = "".join([*lines[:number], changed, *lines[number + 1 :]])
                yield number + 1, lambda t=text: t


def _changed(found: str, new: str) -> str:
    if new in ("+1", "-1"):
        return str(int(found) + int(new))
    return "  ;" if new == "drop" else new


def draw(area: str, count: int, seed: int) -> Iterator[tuple[Mutant, str]]:
    """Yield mutants of an area with their files' text, drawn evenly over its lines."""
    by_line: dict[tuple[str, int], list[Callable[[], str | None]]] = {}
    for file in sorted(ROOT.glob(AREAS[area])):
        places = c_places if file.suffix == ".c" else python_places
        for line, make in places(file.read_text(encoding="utf-8")):
            by_line.setdefault((str(file.relative_to(ROOT)), line), []).append(make)
    rng = random.Random(f"{area} {seed}")
    order = sorted(by_line)
    rng.shuffle(order)
    for file, line in order:
        source, text = (ROOT / file).read_text(encoding="utf-8"), rng.choice(by_line[file, line])()
        if not count:
            return
        if text and text != source:
            count -= 1
            before, after = source.splitlines(), text.splitlines()
            new = next((b for a, b in zip(before, after, strict=False) if a != b), "")
            yield Mutant(area, file, line, f"{before[line - 1].strip()}  →  {new.strip()}"), text


def nearest(file: str) -> list[str]:
    """Return test files and folders, nearest first."""
    path, tests = Path(file), ROOT / "tests"
    if path.suffix == ".c":
        own = sorted(tests.glob(f"firmware/test_{path.stem}*.py"))
        places = [*own, tests / "test_contract.py", tests / "firmware", tests / "firmware_sim"]
    else:
        folder = tests.joinpath(path.parts[0], *path.parts[3:-1])
        places = [folder / f"test_{path.stem}.py", folder, tests / path.parts[0], tests / "test_contract.py"]
    return list(dict.fromkeys(str(place.relative_to(ROOT)) for place in places if place.exists()))


def copy_tree() -> Path:
    """Return a copy of the repository's files and of new ones, to mutate."""
    tree = Path(tempfile.mkdtemp(prefix="qcskit-mutation-"))
    listed = subprocess.run(
        ["git", "ls-files", "-coz", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True, text=True
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tree / name)
    return tree


def noticed(tree: Path, mutant: Mutant, text: str) -> bool:
    """Return whether a test fails, or never ends, with the mutant in the tree."""
    file = tree / mutant.file
    before = file.read_bytes()
    file.write_text(text, encoding="utf-8")
    try:
        return not tests_pass(tree, nearest(mutant.file))
    finally:
        file.write_bytes(before)


def tests_pass(tree: Path, places: list[str]) -> bool:
    """Return whether the tests at these places pass on the tree."""
    roots = [str(package.parent) for package in sorted(tree.glob("*/qcskit"))]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([*roots, str(tree / "tests")]), "PYTHONDONTWRITEBYTECODE": "1"}
    limits = [f"--timeout={TIMEOUT_S}", "--timeout-method=thread"]  # a thread ends C that loops, too
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *limits, *places]
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, cwd=tree, env=env, stdout=quiet, stderr=quiet, start_new_session=True)
    try:
        return process.wait(LOADING_TIMEOUT_S) == 0
    except subprocess.TimeoutExpired:
        return False
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # what a test that was ended has left running
        process.wait()


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
    trees = [copy_tree() for _ in range(options.jobs)]
    try:
        for mutant in track(tried(todo, trees), "mutants", total=len(todo)):
            done[mutant.key] = mutant
            if not mutant.noticed:
                print(f"survived  {mutant.file}:{mutant.line}  {mutant.change}", flush=True)
            if options.state:
                write_text(options.state, json.dumps([asdict(m) for m in done.values()], indent=1))
    finally:
        for tree in trees:
            shutil.rmtree(tree)
    rows = [row(area, [done[m.key] for m, _ in drawn if m.area == area]) for area in areas]
    return report("mutation", "Mutants that the nearest tests notice", rows, options.json)


def tried(todo: list[tuple[Mutant, str]], trees: list[Path]) -> Iterator[Mutant]:
    """Yield each mutant with its verdict, as many at once as there are trees. Exits if the tests fail without one."""
    places = list(dict.fromkeys(place for mutant, _ in todo for place in nearest(mutant.file)))
    if todo and not tests_pass(trees[0], places):
        sys.exit(f"without a mutant, too, these fail: pytest {' '.join(places)}")
    idle: Queue[Path] = Queue()
    for tree in trees:
        idle.put(tree)

    def attempt(job: tuple[Mutant, str]) -> Mutant:
        tree = idle.get()
        try:
            return replace(job[0], noticed=noticed(tree, *job))
        finally:
            idle.put(tree)

    with ThreadPoolExecutor(len(trees)) as pool:
        yield from pool.map(attempt, todo)


def row(area: str, mutants: list[Mutant]) -> Row:
    """Return the figure of an area, its survivors by place."""
    share, target = sum(bool(m.noticed) for m in mutants) / max(1, len(mutants)), TARGETS.get(area, 0.80)
    survivors = ", ".join(f"{m.file}:{m.line}" for m in mutants if not m.noticed)
    return Row(area, "noticed", share, f"of {len(mutants)}", None, target, share >= target, survivors)


if __name__ == "__main__":
    sys.exit(main())
