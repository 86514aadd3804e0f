"""`qcskit new`: a project around one sensor: configuration, recording, tests, CI, and a firmware that uses the library.

What is written are the templates of project/: those of all projects, those of one format, and the C program they share.
"""

import json
import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import version
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template
from typing import Annotated, Any

import typer

from qcskit.cli import completion
from qcskit.cli.common import JsonOption, QuietOption, console, print_json
from qcskit.codec.errors import QcsError

_CENTRE = 1500
"""Of the made-up recording, in counts."""
_SPACE = "      "


class _Text(Template):
    """`%%name` in a template."""

    delimiter = "%%"


def new(
    path: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder to make; its name becomes the model's.")],
    codec: Annotated[
        str | None,
        typer.Option(
            help="Codec that 'qcskit design' makes of a recording; default the transform codec.",
            autocompletion=completion.codecs,
        ),
    ] = None,
    to: Annotated[
        str, typer.Option("--to", "-t", help="Format of library and firmware.", autocompletion=completion.packages)
    ] = "plain",
    board: Annotated[
        str, typer.Option(help="Emulated board of tests and CI, see 'qcskit boards'.", autocompletion=completion.boards)
    ] = "native",
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:  # fmt: skip
    """Start a project: configuration, an example recording, tests, CI, and a firmware that uses the library."""
    from qcskit.codec.files import write_directory

    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise QcsError(f"'{path}' exists already; choose the name of a new folder")
    made = project_files(path.resolve().name, codec, to, board)
    write_directory(path, made, "qcs.toml")
    if json:
        print_json({"project": str(path), "files": sorted(made)})
    elif not quiet:
        console.print(f"{path}: {len(made)} files\nnext: cd {path}, and the lines of its README.md", highlight=False,
                      soft_wrap=True)  # fmt: skip


def project_files(title: str, codec: str | None, kind: str, board: str) -> dict[str, bytes]:
    """Return the files of a project by name.

    title: of the folder. codec: None: that of project/formats.toml. Raises QcsError if there is no model name in the
    title, or no such codec, format or emulated board.
    """
    from qcskit.export.packages import check_kind
    from qcskit.firmware import find_board

    check_kind(kind)
    chosen = find_board(board)
    if not chosen.emulator:
        raise QcsError(f"--board '{board}' is not emulated; tests run on native or another emulated one, and on your "
                       "board with pytest --qcs-port")  # fmt: skip
    room = _root() / "project"
    known = tomllib.loads((room / "formats.toml").read_text(encoding="utf-8"))
    form = known[kind]
    name = model_name(title)
    method = codec or known["codec"]
    facts: dict[str, object] = {
        "title": title, "name": name, "NAME": name.upper(), "library": f"qcs_{name}", "LIBRARY": f"QCS_{name.upper()}",
        "codec": method, "codec_table": _codec_table(method), "format": kind, "board": board, "kit": version("qcskit"),
        "needs": form["needs"], "build": "\n".join(form["build"]).replace("{library}", f"qcs_{name}"),
        "packages": "".join(f" {package}" for package in _packages(chosen)), "centre": _CENTRE, **_entry(kind),
    }  # fmt: skip
    facts["program"] = _fill(room / "c" / "main.c.in", facts).rstrip("\n")
    steps = re.findall(r"^```sh\n(.*?)^```", _fill(room / "common" / "README.md.in", facts), re.MULTILINE | re.DOTALL)[
        0
    ]
    facts["steps"] = "\n".join(f"{_SPACE}- run: {line}" for line in steps.splitlines())
    made = dict(_rendered(room / "common", facts)) | dict(_rendered(room / kind, facts))
    return {**{file: text.encode() for file, text in made.items()}, "data/recording.csv": example_recording()}


def model_name(title: str) -> str:
    """Return the name of a model, from that of a folder. Raises QcsError if there is none in it.

    >>> model_name("My sensor-2")
    'my_sensor_2'
    """
    from qcskit.codec.config import MODEL_NAME

    name = re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_")
    if not re.fullmatch(r"[A-Za-z0-9 ._-]+", title) or not re.fullmatch(MODEL_NAME, name):
        raise QcsError(f"'{title}' gives no name for a model: a letter first, at most 31 letters, digits, '-' and '_'")
    return name


def example_recording() -> bytes:
    """Return a made-up recording as .csv: a minute of a pulse at 100 Hz, 12-bit counts; the same every time."""
    import numpy as np

    rng = np.random.default_rng(1)
    time_s = np.arange(6000) / 100
    breath = np.sin(2 * np.pi * 0.25 * time_s)
    rate_hz = 1.1 + 0.08 * breath + rng.normal(0, 0.3, time_s.size).cumsum() / 1000
    phase = np.cumsum(rate_hz) / 100 % 1
    wave = np.exp(-(((phase - 0.25) / 0.09) ** 2)) + 0.45 * np.exp(-(((phase - 0.55) / 0.12) ** 2))
    counts = np.rint(_CENTRE + 900 * wave + 70 * breath + rng.normal(0, 4, time_s.size)).astype(int)
    return "\n".join(["counts", *map(str, counts), ""]).encode()


def _codec_table(method: str) -> str:
    """Return a codec's table of qcs.toml, every key with its meaning, as a comment unless it is chosen."""
    from qcskit.cli.design import find_designer

    room = find_designer(method)
    if "signal" not in room.TABLES:
        raise QcsError(f"'{method}' is not made of a recording, so no project can be; see 'qcskit design --help'")
    (table,) = (name for name in room.TABLES if name not in ("signal", "adc"))
    given = room.chosen(method).get(table, {}) if method in room.METHODS else {}
    return f"[{table}]\n{''.join(_key_lines(room.TABLES[table], given))}"


def _key_lines(model: Any, given: dict[str, Any]) -> Iterator[str]:
    for key, field in model.model_fields.items():
        value = given.get(key, field.default)
        shown = f"{key} = {json.dumps(value)}" if value is not None else f"{key} is not set"
        yield f"# {field.description}\n{'' if key in given else '# '}{shown}\n"


def _packages(board: Any) -> list[str]:
    """Return the Debian packages that an emulated board needs."""
    return sorted({word for word in f"{board.package} {board.emulator_package}".split() if word != "gcc"})


def _entry(kind: str) -> dict[str, object]:
    """Return how the C program of a format begins and ends."""
    if kind == "esp-idf":
        return {"main": "void app_main(void)", "failed": "", "done": ""}
    return {"main": "int main(void)", "failed": " 1", "done": "  return 0;\n"}


def _root() -> Traversable:
    return files("qcskit.cli")


def _rendered(folder: Traversable, facts: dict[str, object], prefix: str = "") -> Iterator[tuple[str, str]]:
    for entry in sorted(folder.iterdir(), key=lambda item: item.name):
        name = prefix + entry.name.removesuffix(".in")
        if entry.is_dir():
            yield from _rendered(entry, facts, f"{name}/")
        else:
            yield name, _fill(entry, facts)


def _fill(template: Traversable, facts: dict[str, object]) -> str:
    return _Text(template.read_text(encoding="utf-8")).safe_substitute(facts)
