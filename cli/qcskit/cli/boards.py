"""`qcskit boards`: every board, and whether this machine can build and run it."""

from rich.table import Table

from qcskit.cli.common import JsonOption, console, print_json


def boards(json: JsonOption = False) -> None:
    """List the boards, emulated or yours, and what is missing to use them."""
    from qcskit import firmware

    known = firmware.boards().values()
    if json:
        print_json([
            {"name": b.name, "core": b.core, "summary": b.summary, "flash_bytes": b.flash_bytes,
             "ram_bytes": b.ram_bytes, "ready": not b.missing, "missing": [tool for tool, _package in b.missing]}
            for b in known
        ])  # fmt: skip
        return
    table = Table("board", "core", "what it is", "flash", "RAM", "ready", box=None, pad_edge=False)
    for b in known:
        ready = f"needs {', '.join(package for _tool, package in b.missing)}" if b.missing else "yes"
        table.add_row(b.name, b.core, b.summary, _size(b.flash_bytes), _size(b.ram_bytes), ready)
    console.print(table)


def _size(n: int) -> str:
    if not n:
        return ""
    return f"{n >> 20} MB" if n >= 1 << 20 else f"{n >> 10} KB"
