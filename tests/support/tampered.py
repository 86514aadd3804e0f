"""Bundles and C texts that contradict themselves: only a comparison can find it."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qcskit.codec.arrays import npz_bytes, read_npz
from qcskit.codec.bundle import Bundle, read_bundle
from qcskit.codec.files import manifest_checksum, sha256
from qcskit.codec.interface import Codec


def tampered(bundle: Bundle, where: Path, name: str, edit: Callable[[Any], Any]) -> Bundle:
    """Copy the bundle with one file changed and the hashes made to fit: only a comparison can find it."""
    shutil.copytree(bundle.path, where)
    manifest = json.loads((where / "manifest.json").read_text())
    if name == "manifest.json":
        edit(manifest)
    else:
        (where / name).write_bytes(edit((where / name).read_bytes()))
        manifest["files"][name] = sha256((where / name).read_bytes())
    manifest["checksum"] = manifest_checksum(manifest)
    (where / "manifest.json").write_text(json.dumps(manifest))
    return read_bundle(where)


def contents(path: Path) -> dict[str, bytes]:
    """Return every file below a directory."""
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def arrays_edited(edit: Callable[[dict[str, Any]], object]) -> Callable[[bytes], bytes]:
    """Return the edit of an .npz that `edit` makes of its arrays."""

    def changed(content: bytes) -> bytes:
        arrays = read_npz(content, "npz")
        edit(arrays)
        return npz_bytes(arrays)

    return changed


def lower_first_threshold(text: str, by: int = 1) -> str:
    """The plain form's table is the last one."""
    head, tail = text.rsplit(" thresholds[", 1)
    first = re.search(r"-?\d+,", tail.split("{", 1)[1])
    assert first is not None
    value = int(first.group()[:-1])
    return head + " thresholds[" + tail.replace(f"{value},", f"{value - by},", 1)


def flipping_c(condition: str) -> Callable[[str], str]:
    """Return the edit of a C text that flips a bit of the packet where `condition` on `counts` holds."""

    def edit(text: str) -> str:
        head, tail = text.split("const qcs_codec_t ")
        entry = tail.split(".encode = ")[1].split(",")[0]
        wrong = f"""\
static uint16_t wrong(const qcs_codec_t *codec, uint8_t type, const void *input, uint8_t packed[], void *scratch) {{
  const int16_t *counts = input;
  const uint16_t length = {entry}(codec, type, input, packed, scratch);
  if (type == QCS_INPUT_COUNTS && {condition})
    packed[0] ^= 1U;
  return length;
}}
"""
        return f"{head}{wrong}\nconst qcs_codec_t {tail.replace(f'.encode = {entry}', '.encode = wrong')}"

    return edit


def with_other_c(codec: Codec, edit: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the C of a codec be another one than its tables give."""
    files = codec.c_files()
    name = f"qcs_model_{codec.name}.c"
    other = {**files, name: edit(files[name])}
    assert other != files
    monkeypatch.setattr(type(codec), "checked_c_files", lambda self: other)
