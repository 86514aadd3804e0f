"""Pages of the site that are made from the code, so that nothing stands twice: called by hooks.py at each build."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import typer

from qcskit.cli import build_app
from qcskit.cli.common import model_of
from qcskit.codec.config import TRUSTED, tables

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES_OF = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changes.md",
    "examples/DATA.md": "data.md",
    "notebooks/bundle.ipynb": "notebooks/bundle.md",
    "notebooks/own_model.ipynb": "notebooks/own_model.md",
}
"""File that a page links to → its page in the site."""
COMMANDS = {
    "coded_paper": "coded_recovery.py",
    "coded_real": "coded_recovery.py --real",
    "rate_distortion": "rate_distortion.py --figure",
    "running_time": "running_time.py",
}
"""File of docs/figures → the benchmark that writes it."""


def generated() -> dict[str, str]:
    """Return path in the site → Markdown, of every page that is made here."""
    made = {
        "index.md": readme(),
        "contributing.md": _inside((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")),
        "changes.md": _inside((ROOT / "CHANGELOG.md").read_text(encoding="utf-8")),
        "data.md": _inside((ROOT / "examples" / "DATA.md").read_text(encoding="utf-8")),
        "reference/cli.md": command_line(),
        "reference/configuration.md": configuration(),
        "reference/c.md": c_interface(),
        "reference/files.md": schemas(),
        "measured.md": measured(),
    }
    return made | {f"notebooks/{path.stem}.md": notebook(path) for path in sorted(DOCS.glob("notebooks/*.ipynb"))}


def rewritten(markdown: str) -> str:
    """Return a page as the site shows it: what lies outside of docs/ has a page of its own here."""
    for outside, page in PAGES_OF.items():
        markdown = re.sub(rf"\]\((\.\./)?{re.escape(outside)}(#[^)]*)?\)", rf"]({page}\2)", markdown)
    return markdown


def readme() -> str:
    """Return README.md as the first page."""
    return "---\nhide: [navigation]\n---\n\n" + _inside((ROOT / "README.md").read_text(encoding="utf-8"))


def _inside(markdown: str) -> str:
    return rewritten(markdown.replace("](docs/", "]("))


# Command line


def command_line() -> str:
    """Return the help of every subcommand: usage, arguments, options."""
    group = typer.main.get_command(build_app())
    context = typer.Context(group, info_name="qcskit")
    parts = ["# The command line\n\nMade from the code at each build; `qcskit COMMAND --help` says the same.\n"]
    for name in group.list_commands(context):  # type: ignore[attr-defined]
        command = group.get_command(context, name)  # type: ignore[attr-defined]
        inner = typer.Context(command, info_name=f"qcskit {name}", parent=None)
        usage = " ".join(command.collect_usage_pieces(inner))
        parts.append(f"## {name}\n\n```text\nqcskit {name} {usage}\n```\n\n{plain(command.help or '')}\n")
        parts += list(_options(command))
    return "\n".join(parts)


def _options(command: Any) -> Iterator[str]:
    """Yield a table of arguments and options per panel of the help."""
    panels: dict[str, list[Any]] = {}
    for parameter in command.params:
        if getattr(parameter, "hidden", False):
            continue
        kind = "Arguments" if parameter.param_type_name == "argument" else "Options"
        panels.setdefault(getattr(parameter, "rich_help_panel", None) or kind, []).append(parameter)
    for panel, parameters in panels.items():
        rows = [f"| {panel} | default | meaning |", "|---|---|---|"]
        for parameter in parameters:
            names = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
            if parameter.param_type_name == "argument":
                names = f"`{parameter.metavar or parameter.name}`"
            rows.append(f"| {names} | {_default(parameter)} | {_cell(plain(getattr(parameter, 'help', '') or ''))} |")
        yield "\n".join(rows) + "\n"


def _default(parameter: Any) -> str:
    value = parameter.default
    if parameter.required:
        return "required"
    if value is None or value is False or value == "" or callable(value) or "UNSET" in repr(value).upper():
        return ""
    return _cell(f"`{value}`")


def plain(text: str) -> str:
    """Return a help text as Markdown: Rich's markup and HTML out of the way.

    >>> plain("The table \\\\[coded] of <bundle>")
    'The table \\\\[coded] of &lt;bundle>'
    """
    return text.replace("\\[", "[").replace("[", "\\[").replace("<", "&lt;")


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


# Configuration


def configuration() -> str:
    """Return every key of every table of qcs.toml."""
    parts = [
        "# Configuration keys\n\nMade from the code at each build; `qcskit COMMAND --keys` says the same. A table "
        "stands in `qcs.toml` as `[table]`; any key can be given as `--set TABLE.KEY=VALUE`. A key marked * counts "
        "only with `-c qcs.toml` or `--set`, because it names what is run or opened.\n"
    ]
    for table in tables():
        model = model_of(table)
        schema = model.model_json_schema()
        parts.append(f"## {table}\n\n| key | default | allowed | meaning |\n|---|---|---|---|")
        for name, field in model.model_fields.items():
            star = "*" if field.json_schema_extra == TRUSTED else ""
            default = "required" if field.is_required() else f"`{json.dumps(field.default, default=str)}`"
            allowed, meaning = allowed_values(schema["properties"][name]), plain(field.description or "")
            parts.append(f"| `{name}`{star} | {_cell(default)} | {_cell(allowed)} | {_cell(meaning)} |")
        parts.append("")
    return "\n".join(parts)


def allowed_values(schema: dict[str, Any]) -> str:
    """Return what a value may be, in words.

    >>> allowed_values({"type": "integer", "minimum": 2}), allowed_values({"enum": ["a", "b"]})
    ('integer, ≥ 2', 'a, b')
    """
    options = schema.get("anyOf", [schema])
    return " or ".join(_one_kind(option) for option in options if option.get("type") != "null")


def _one_kind(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<", "pattern": "like"}
    limits = [f"{sign} {schema[word]}" for word, sign in signs.items() if word in schema]
    kind = (
        schema["$ref"].rpartition("/")[2] if "$ref" in schema else str(schema.get("type", schema.get("const", "any")))
    )
    if kind == "array" and isinstance(schema.get("items"), dict):
        kind = f"list of {allowed_values(schema['items']) or 'values'}"
    return ", ".join([plain(kind), *limits])


# C


def c_interface() -> str:
    """Return the C headers: the generated one of a small model, the core's, the serial agent's."""
    model = next((ROOT / "tests" / "data" / "bundle" / "c").glob("qcs_model_*.h"))
    parts = [
        "# C interface\n\nMade from the headers at each build. Your program needs the first one alone: the others are "
        "what it is made of. The caller owns all memory; nothing is allocated, nothing is kept between calls.\n",
        f"## The generated header\n\n`{model.name}`, of a model called `small`. Another codec has the same entry.\n",
        _c_code(model.read_text(encoding="utf-8")),
    ]
    headers = [*sorted((ROOT / "firmware" / "include").glob("*.h")), *sorted((ROOT / "firmware" / "app").glob("*.h"))]
    for header in headers:
        head, code = c_header(header.read_text(encoding="utf-8"))
        parts.append(f"## {header.name}\n\n{plain(head)}\n\n{_c_code(code)}")
    return "\n".join(parts)


def c_header(text: str) -> tuple[str, str]:
    """Return the opening comment of a header as prose, and its declarations.

    >>> c_header("/* What it is.\\n * More. */\\n#ifndef A_H\\n#define A_H\\nint a;\\n#endif\\n")
    ('What it is. More.', 'int a;')
    """
    text = re.sub(r"^/[/*] ?SPDX.*\n", "", text, flags=re.MULTILINE)
    opening = re.match(r"\s*/\*(.*?)\*/", text, re.DOTALL)
    head, code = ("", text) if opening is None else (opening[1], text[opening.end() :])
    lines = [re.sub(r"^\s*\* ?", "", line) for line in head.splitlines()]
    prose, examples = "", False
    for line in lines:  # an indented stretch is an example
        indented = line.startswith("    ")
        prose += ("\n\n" if indented != examples or not line.strip() else " " if not indented else "\n") + (
            line if indented else line.strip()
        )
        examples = indented
    code = re.sub(r"#ifdef __cplusplus\n.*?#endif\n", "", code, flags=re.DOTALL)
    code = re.sub(r"\A\s*#ifndef \w+_H\n#define \w+_H\n", "", code)
    code = re.sub(r"#endif[^\n]*\n?\Z", "", code.rstrip() + "\n")
    return prose.strip(), re.sub(r"\n{3,}", "\n\n", code).strip()


def _c_code(code: str) -> str:
    return f"```c\n{code.strip()}\n```\n"


# Files


def schemas() -> str:
    """Return the fields of manifest.json, verdict.json and results.json, from the models that read them."""
    from qcskit.codec.bundle import Manifest
    from qcskit.codec.codecs import families
    from qcskit.firmware_sim.verdict import Verdict
    from qcskit.hil.schema import Results

    parts = [
        "# Manifest, verdict, results\n\nMade at each build from the models that check these files when they are read. "
        "What each means: [the bundle](../bundle.md), [simulate](../simulate.md), [hil](../hil.md).\n"
    ]
    for name, model in (("manifest.json", Manifest), ("verdict.json", Verdict), ("results.json", Results)):
        parts += [f"## {name}\n", *_fields(model.model_json_schema(mode="serialization"))]
    parts.append("## codec in manifest.json\n")
    for family in families():
        facts = family.room("codec").Facts
        for variant in getattr(facts, "__args__", (facts,)):
            if hasattr(variant, "model_json_schema"):
                parts += [f"### {family.kind}: {variant.__name__}\n", *_fields(variant.model_json_schema(), level=4)]
    return "\n".join(parts)


def _fields(schema: dict[str, Any], level: int = 3) -> Iterator[str]:
    """Yield a table of an object's fields, then one of each object that it refers to."""
    yield f"{_first(schema)}\n\n{_table(schema)}\n"
    for name, inner in schema.get("$defs", {}).items():
        yield f"{'#' * level} {name}\n\n{_first(inner)}\n\n{_table(inner) if 'properties' in inner else ''}\n"


def _first(schema: dict[str, Any]) -> str:
    """Return the first paragraph of what a model says of itself."""
    return " ".join(plain(str(schema.get("description", ""))).partition("\n>>>")[0].split())


def _table(schema: dict[str, Any]) -> str:
    rows = ["| key | is | required |", "|---|---|---|"]
    for key, value in schema.get("properties", {}).items():
        required = "yes" if key in schema.get("required", ()) else ""
        rows.append(f"| `{key}` | {_cell(allowed_values(value))} | {required} |")
    return "\n".join(rows)


# Measured


def measured() -> str:
    """Return what docs/figures holds: every row that a benchmark measured, and its command."""
    parts = [
        "# Measured\n\nMade at each build from `docs/figures/*.json`, which the benchmarks wrote. "
        "A row is one measurement; the picture, where there is one, is drawn from the same file.\n"
    ]
    for path in sorted((DOCS / "figures").glob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        if "rows" not in content:
            continue
        figure = path.stem.removeprefix("rate_distortion_") if path.stem.startswith("rate_distortion") else ""
        command = COMMANDS.get(path.stem, COMMANDS["rate_distortion"])
        machine = ", ".join(f"{key} {value}" for key, value in content["environment"].items())
        parts.append(
            f"## {path.stem}\n\n`python benchmarks/{command} {figure}".rstrip() + f" --json FILE` ({machine})\n"
        )
        if path.with_suffix(".svg").is_file():
            parts.append(f"![{path.stem}: the rows below as curves](figures/{path.stem}.svg)\n")
        rows = [_row(row) for row in content["rows"]]
        table = ["| case | what | value | note |", "|---|---|---|---|", *rows]
        indented = "\n".join(f"    {line}" for line in table)
        parts.append(f'??? note "{len(rows)} rows"\n\n{indented}\n')
    return "\n".join(parts)


def _row(row: dict[str, Any]) -> str:
    value = f"{row['value']:.4g} {row['unit']}" if isinstance(row["value"], float | int) else str(row["value"])
    return f"| {_cell(plain(row['case']))} | {_cell(row['metric'])} | {value} | {_cell(plain(row['note']))} |"


def notebook(path: Path) -> str:
    """Return a notebook as Markdown: its text, its code, what it printed and drew."""
    parts = [f"*This is a notebook: [{path.name}]({path.name}).*\n"]
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "markdown":
            parts.append(rewritten(cell.source) + "\n")
            continue
        parts.append(f"```python\n{cell.source}\n```\n")
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            text = output.get("text") or data.get("text/plain", "")
            if "image/png" in data:
                parts.append(f"![what the cell above draws](data:image/png;base64,{data['image/png'].strip()})\n")
            elif text:
                parts.append(f"```text\n{text.rstrip()}\n```\n")
    title = next((index for index, part in enumerate(parts) if part.startswith("# ")), None)
    if title:
        parts.insert(0, parts.pop(title))
    return "\n".join(parts)
