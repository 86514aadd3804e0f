"""Small faults in the sources: one changed operator, number or condition, or a dropped statement."""

import ast
import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("codec", "training", "export", "firmware", "firmware_sim", "hil", "cli")
AREAS = {**{name: f"{name}/qcskit/**/*.py" for name in PACKAGES}, "c": "firmware/*/*.c"}

C_CHANGES = (
    (r"<=", "<"), (r">=", ">"), (r"(?<![<>-])<(?![<=])", "<="), (r"(?<![->])>(?![>=])", ">="), (r"==", "!="),
    (r"!=", "=="), (r"&&", "||"), (r"\|\|", "&&"), (r"<<", ">>"), (r">>", "<<"), (r"(?<=\w )\+(?= \w)", "-"),
    (r"(?<=\w )-(?= \w)", "+"), (r"\b\d+\b(?![.\"])", "+1"), (r"\b\d+\b(?![.\"])", "-1"),
    (r"^\s+(?!return|(\w+ )+\*?\w+( =|;|,|\[))\w[^=;{}]*(\(|=)[^;{}]*;$", "drop"),
)  # fmt: skip
"""Pattern and what takes its place; "+1", "-1": the number plus that; "drop": the statement goes."""

Make = Callable[[], str | None]
"""Makes the mutated source; None if it turns out to be the same."""
Place = tuple[int, Make]
"""A line, and what changes it."""


@dataclass(frozen=True)
class Mutant:
    """One change of a file. noticed: by the tests, after so many seconds; None before they ran. by: the test."""

    area: str
    file: str
    line: int
    change: str
    noticed: bool | None = None
    seconds: float = 0.0
    by: str = ""

    @property
    def key(self) -> tuple[str, int, str]:
        """What it is, tried or not."""
        return self.file, self.line, self.change


def python_places(source: str) -> Iterator[Place]:
    """Yield where a module can be mutated, but not in annotations and heads of functions."""
    from cosmic_ray import plugins
    from cosmic_ray.ast import ast_nodes, get_ast

    tree, nodes = ast.parse(source), list(ast_nodes(get_ast(source)))
    silent = {line for node in ast.walk(tree) for line in _silent_lines(node)}
    for name in plugins.operator_names():
        if re.search("NoOp|Decorator|VariableInserter|VariableReplacer", name):
            continue
        operator, occurrence = plugins.get_operator(name)(), 0
        for node in nodes:
            for (line, _), _ in operator.mutation_positions(node):
                if line not in silent:
                    yield line, lambda o=operator, n=occurrence: _mutated(source, o, n)
                occurrence += 1
    lines = source.splitlines(keepends=True)
    for node in ast.walk(tree):
        value = getattr(node, "value", None)
        if isinstance(node, ast.Raise | ast.AugAssign | ast.Expr) and not isinstance(value, ast.Constant):
            head, tail = lines[: node.lineno - 1], lines[node.end_lineno :]
            indent = lines[node.lineno - 1][: node.col_offset]
            if not indent.strip():
                yield node.lineno, lambda a=head, b=indent, c=tail: "".join([*a, f"{b}pass\n", *c])


def _mutated(source: str, operator: object, occurrence: int) -> str | None:
    """Return the source with one change; None where Cosmic Ray cannot make it: `except module.Error` to another."""
    from cosmic_ray.mutating import mutate_code

    try:
        return mutate_code(source, operator, occurrence)
    except AttributeError:
        return None


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
        if inside or code.lstrip().startswith(("#", "*")) or not code.strip() or ".p2align" in code:
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
    sources = {file: file.read_text(encoding="utf-8") for file in sorted(ROOT.glob(AREAS[area]))}
    order = [(file, line) for file, source in sources.items() for line in range(1, source.count("\n") + 1)]
    rng = random.Random(f"{area} {seed}")
    rng.shuffle(order)
    places: dict[Path, dict[int, list[Make]]] = {}
    for file, line in order:
        if not count:
            return
        source = sources[file]
        if file not in places:  # to look through all files takes minutes
            places[file] = defaultdict(list)
            for number, make in (c_places if file.suffix == ".c" else python_places)(source):
                places[file][number].append(make)
        makes = places[file].get(line)
        text = rng.choice(makes)() if makes else None
        if text and text != source:
            count -= 1
            before, after = source.splitlines(), text.splitlines()
            new = next((b for a, b in zip(before, after, strict=False) if a != b), "")
            change = f"{before[line - 1].strip()}  →  {new.strip()}"
            yield Mutant(area, str(file.relative_to(ROOT)), line, change), text
