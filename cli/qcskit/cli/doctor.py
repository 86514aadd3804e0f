"""`qcskit doctor`: what is installed, what is missing, and the one command that installs it."""

import importlib.metadata
import platform

from rich.table import Table
from rich.text import Text

from qcskit.cli.common import JsonOption, console, print_json

_PACKAGES = ("qcskit", "numpy", "scipy", "pyserial", "tflite-micro", "tflite-runtime", "ai-edge-litert",
             "tensorflow-cpu", "tensorflow", "keras", "matplotlib", "numba")  # fmt: skip


def doctor(json: JsonOption = False) -> None:
    """Tell what is installed and what is missing, per board; changes nothing and always exits with 0."""
    from qcskit import firmware

    tools = firmware.tool_report()
    python = {name: version for name in _PACKAGES if (version := _version(name))}
    missing = sorted({tool.package for tool in tools if not tool.path})
    apt = f"sudo apt-get install {' '.join(missing)}" if missing else ""
    if json:
        rows = [{"tool": t.name, "package": t.package, "path": t.path, "version": t.version,
                 "boards": list(t.boards)} for t in tools]  # fmt: skip
        print_json({"python": platform.python_version(), "packages": python, "tools": rows, "install": apt})
        return
    table = Table("tool", "version", "boards", box=None, pad_edge=False)
    table.add_row("Python", platform.python_version(), "")
    for name, version in python.items():
        table.add_row(name, version, "")
    for tool in tools:
        absent = Text.assemble(("missing", "bold red"), f": Debian package {tool.package}")
        state = tool.version if tool.path else absent
        table.add_row(tool.name, state, ", ".join(tool.boards))
    console.print(table)
    if "tensorflow" not in python and "tensorflow-cpu" not in python:
        console.print("TensorFlow is not installed: only training and export need it (pip install 'qcskit[train]').")
    console.print(f"To install what is missing: {apt}" if apt else "Nothing is missing.", soft_wrap=True)


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""
