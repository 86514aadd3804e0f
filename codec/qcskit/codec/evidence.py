"""What a result is evidence of: all that ran, in named parts, and one digest of them.

Every verdict.json, results.json and journal carries it; what is resumed, reported or compared is compared by it first.
"""

import platform
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

import qcskit
from qcskit.codec.bundle import Bundle
from qcskit.codec.config import Table
from qcskit.codec.errors import QcsError
from qcskit.codec.files import manifest_checksum, sha256

_LIBRARIES = ("numpy", "tflite-micro", "ai-edge-litert")
_Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
_Text = Annotated[str, StringConstraints(max_length=10_000)]


class Evidence(Table):
    """All that ran, by part: a text, or the digest of what would be a long one. sha256: of all parts."""

    parts: dict[_Name, _Text] = Field(max_length=200)
    sha256: str

    @classmethod
    def of(cls, parts: Mapping[str, str]) -> Self:
        """Return the evidence of these parts.

        >>> Evidence.of({"bundle": "ab", "seed": "1"}).differing(Evidence.of({"bundle": "cd", "seed": "1"}))
        ['bundle']
        """
        return cls(parts=dict(parts), sha256=_digest(parts))

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.sha256 != _digest(self.parts):
            raise ValueError("sha256 is not that of the parts: the file was changed")
        return self

    def differing(self, other: Self) -> list[str]:
        """Return the names of the parts that differ, or that one of both alone has."""
        names = dict.fromkeys([*self.parts, *other.parts])
        return [name for name in names if self.parts.get(name) != other.parts.get(name)]


def check_same(found: Evidence, ours: Evidence, what: str, todo: str) -> None:
    """Raise QcsError that names what differs: `what` is of another run than ours; `todo` says what helps."""
    names = found.differing(ours)
    if names:
        raise QcsError(f"{what} is of another run: {differ(names)}; {todo}")


def check_bundle(found: Evidence, bundle: Bundle, what: str, command: str) -> None:
    """Raise QcsError if a file's evidence is not of this very bundle."""
    if found.parts.get("bundle") != bundle_digest(bundle):
        raise QcsError(f"{what} is of another bundle than '{bundle.path}' (its manifest or a file of it differs); "
                       f"run 'qcskit {command}' on this bundle")  # fmt: skip


def differ(names: list[str]) -> str:
    """Return the words that these parts differ.

    >>> differ(["bundle", "compiler", "flags"]), differ(["bundle"])
    ('bundle, compiler and flags differ', 'bundle differs')
    """
    *first, last = names
    return f"{', '.join(first)} and {last} differ" if first else f"{last} differs"


def common_parts(bundle: Bundle) -> dict[str, str]:
    """Return the parts of every run: the bundle, the kit, what it computes with."""
    return {"bundle": bundle_digest(bundle), "qcskit": kit(), "libraries": libraries()}


def bundle_digest(bundle: Bundle) -> str:
    """Return the `checksum` of manifest.json: of all it says, the SHA-256 of every other file among it."""
    manifest = bundle.manifest
    return manifest.checksum or manifest_checksum(manifest.model_dump(mode="json"))


@cache
def kit() -> str:
    """Return qcskit's version, and the SHA-256 of its Python code: in a checkout the version alone says little."""
    code: dict[str, Path] = {}
    for root in map(Path, qcskit.__path__):
        for path in root.rglob("*.py"):
            code.setdefault(path.relative_to(root).as_posix(), path)
    digest = _digest({name: sha256(path.read_bytes()) for name, path in code.items()})
    return f"{version('qcskit')}, code {digest}"


@cache
def libraries() -> str:
    """Return what computes here: machine, Python, and the libraries that the reference and the oracles stand on."""
    found = [f"{platform.machine()}, python {platform.python_version()}"]
    for package in _LIBRARIES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


def _digest(parts: Mapping[str, str]) -> str:
    return sha256(repr(sorted(parts.items())).encode())
