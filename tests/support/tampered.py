"""Bundles and C texts that contradict themselves: only a comparison can find it."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qcskit.codec.bundle import Bundle, read_bundle
from qcskit.codec.files import sha256
from qcskit.codec.interface import Codec


def tampered(bundle: Bundle, where: Path, name: str, edit: Callable[[Any], Any]) -> Bundle:
    """Copy the bundle with one file changed and its hash made to fit: only a comparison can find it."""
    shutil.copytree(bundle.path, where)
    manifest = json.loads((where / "manifest.json").read_text())
    if name == "manifest.json":
        edit(manifest)
    else:
        (where / name).write_bytes(edit((where / name).read_bytes()))
        manifest["files"][name] = sha256((where / name).read_bytes())
    (where / "manifest.json").write_text(json.dumps(manifest))
    return read_bundle(where)


def lower_first_threshold(text: str, by: int = 1) -> str:
    """The plain form's table is the last one."""
    head, tail = text.rsplit(" thresholds[", 1)
    first = re.search(r"-?\d+,", tail.split("{", 1)[1])
    assert first is not None
    value = int(first.group()[:-1])
    return head + " thresholds[" + tail.replace(f"{value},", f"{value - by},", 1)


def with_other_c(codec: Codec, edit: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the C of a codec be another one than its tables give."""
    files = codec.c_files()
    name = f"qcs_model_{codec.name}.c"
    other = {**files, name: edit(files[name])}
    assert other != files
    monkeypatch.setattr(type(codec), "checked_c_files", lambda self: other)
