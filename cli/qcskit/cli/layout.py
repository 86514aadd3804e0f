"""Where things are if nothing is said: a folder holds run/, bundle/, verdict.json, results.json and report.html."""

import os
import re
from pathlib import Path
from typing import Any

from qcskit.cli.common import error_console
from qcskit.codec.errors import QcsError

HOME = Path("runs")
RUN, BUNDLE = HOME / "run", HOME / "bundle"
VERDICT, RESULTS, REPORT = "verdict.json", "results.json", "report.html"

_MODEL = re.compile(rb'<meta name="qcskit-model" content="([0-9a-f]{16})">')
"""In the head of a report."""


def beside(bundle: Path, name: str, given: Path | None = None) -> Path:
    """Return where an output about a bundle goes: beside it, unless a place is given."""
    if given is not None:
        return given
    return (bundle if bundle.name not in ("", "..") else Path(os.path.realpath(bundle))).parent / name


def claim(path: Path, model_id: str) -> None:
    """Make `path` free for an output about a model; what it holds of another one is kept beside it, and said.

    Raises QcsError if it holds something that the kit did not write.
    """
    from qcskit.codec.files import write_file

    if not path.is_file() or not path.stat().st_size:
        return
    content = path.read_bytes()
    found = _model_of(path, content)
    if found == model_id:
        return
    kept = path.with_name(f"{path.stem}-{found}{path.suffix}")
    write_file(kept, lambda file: file.write(content))
    error_console.print(f"'{path}' is of another model: kept as '{kept}'", highlight=False, soft_wrap=True)


def _model_of(path: Path, content: bytes) -> str:
    """Return the id of the model that a verdict, results or a report are about; "old" of a page that does not say."""
    from qcskit.codec.json_file import parse_json

    if b"<title>qcskit: " in content[:4096]:
        report = _MODEL.search(content[:4096])
        return report[1].decode() if report else "old"
    try:
        raw: Any = parse_json(content, "output")
    except QcsError:
        raw = None
    raw = raw if isinstance(raw, dict) else {}
    part = raw.get("bundle")
    found = part.get("model_id") if isinstance(part, dict) else raw.get("model_id")
    if not isinstance(found, str) or not re.fullmatch("[0-9a-f]+", found):
        raise QcsError(f"'{path}' exists and is nothing that qcskit wrote, so it is not replaced; choose another --out")
    return found


def bundle_and_file(first: Path | None, second: Path | None) -> tuple[Path, Path | None]:
    """Return the bundle and the file of arguments [BUNDLE] [FILE]; a folder is a bundle. Raises QcsError if swapped."""
    if first is not None and second is not None:
        if second.is_dir() and not first.is_dir():
            raise QcsError(f"the bundle comes first: '{second}' '{first}'")
        return first, second
    if first is None or first.is_dir() or not (first.exists() or first.suffix or first == Path("-")):
        return first or BUNDLE, None
    return BUNDLE, first
