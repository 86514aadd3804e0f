"""`qcskit doctor`: what is installed, what is missing, and the one command that installs it."""

import importlib.metadata
import platform

from rich.text import Text

from qcskit.cli.common import JsonOption, console, print_json
from qcskit.cli.sheet import Sheet
from qcskit.codec.optional import absent_extras

_PACKAGES = ("qcskit", "numpy", "scipy", "pyserial", "tflite-micro", "ai-edge-litert",
             "tensorflow-cpu", "tensorflow", "keras", "matplotlib", "numba")  # fmt: skip


def doctor(json: JsonOption = False) -> None:
    """Tell what is installed and what is missing, per board; changes nothing and always exits with 0."""
    from qcskit import firmware

    tools, extras = firmware.tool_report(), absent_extras()
    python = {name: version for name in _PACKAGES if (version := _version(name))}
    missing = sorted({tool.package for tool in tools if not tool.path})
    install, problems = firmware.install_command(*missing), firmware.board_problems()
    if json:
        rows = [{"tool": t.name, "package": t.package, "path": t.path, "version": t.version,
                 "boards": list(t.boards)} for t in tools]  # fmt: skip
        print_json({"python": platform.python_version(), "packages": python, "tools": rows, "install": install,
                    "board_problems": problems, "absent_extras": extras})  # fmt: skip
        return
    table = Sheet("tool", "version", "boards", box=None, pad_edge=False)
    table.add_row("Python", platform.python_version(), "")
    for name, version in python.items():
        table.add_row(name, version, "")
    for tool in tools:
        absent = Text.assemble(("missing", "bold red"), f": package {tool.package}")
        state = tool.version if tool.path else absent
        table.add_row(tool.name, state, ", ".join(tool.boards))
    console.print(table)
    told = []
    if extras:
        every = f"pip install 'qcskit[{','.join(extras)}]'"
        told.append(f"Extras that are not installed: {', '.join(extras)}. For all of them: {every}")
    told.append(f"To install what is missing: {install}" if install else "Nothing is missing.")
    told += [f"boards: {problem}" for problem in problems]
    console.print(*told, sep="\n", highlight=False, soft_wrap=True)


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""
