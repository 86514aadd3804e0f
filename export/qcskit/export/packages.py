"""A bundle as a library that an engineer adds to a project as is: Arduino, PlatformIO, Zephyr, ESP-IDF, CMSIS, CMake.

A format is a folder of templates/; every file there is filled in and keeps its place. The C files come beside them:
the core, one or more models and, if wanted, the serial agent. Needs no TensorFlow.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import files
from importlib.resources.abc import Traversable
from io import BytesIO
from pathlib import Path
from string import Template
from typing import Any
from xml.sax.saxutils import escape
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.bundle import Bundle
from qcskit.codec.codecs import load_codec
from qcskit.codec.config import nearest
from qcskit.codec.errors import QcsError
from qcskit.codec.files import check_replaceable, sealed, write_directory
from qcskit.codec.interface import Codec

KINDS = ("arduino", "platformio", "zephyr", "esp-idf", "cmsis-pack", "plain")
MARKER = "qcskit.json"
"""What a package is made of; a directory without it is not replaced."""

PUBLIC_URL = "https://example.com/qcskit"
"""Stands in the metadata that must name one, unless the user gives another."""

_URL = r"https?://[!#-;=?-\[\]-~]+"
"""Printable ASCII without space, quote, <, > and backslash."""

_AGENT = ("qcs_agent.c", "qcs_agent.h", "qcs_mark.h")
_COLUMNS = 96


class _Text(Template):
    """`%%name` in a template; CMake, JSON and C need the `$` themselves."""

    delimiter = "%%"


@dataclass(frozen=True)
class CFiles:
    """C files of a package by name: what users include, and the rest."""

    public: dict[str, bytes]
    private: dict[str, bytes]

    @property
    def sources(self) -> list[str]:
        """Names of the files to compile."""
        return sorted(name for name in (*self.public, *self.private) if name.endswith(".c"))


def package_files(
    bundles: Sequence[Bundle], kind: str, c_root: Path, *, agent: bool = False, url: str = PUBLIC_URL
) -> dict[str, bytes]:
    """Return the files of a package, by name relative to its root.

    bundles: one or more models that share the core; the examples use the first. kind: one of `KINDS`. c_root: directory
    with the core's include/, src/ and app/. agent: add the serial agent. Raises QcsError on an unknown kind, two models
    of one name, or a bundle without C text.
    """
    check_kind(kind)
    models = [load_codec(bundle) for bundle in bundles]
    names = [model.name for model in models]
    if len(set(names)) < len(names):
        raise QcsError(f"two models are called the same ({', '.join(names)}); export one with another --name")
    c_files = collect(models, c_root, agent)
    public, private = ("src", "src") if kind == "arduino" else ("include", "src")
    facts = _facts(models[0], names, c_files, kind, url)
    package = {f"{public}/{name}": content for name, content in c_files.public.items()}
    package |= {f"{private}/{name}": content for name, content in c_files.private.items()}
    package |= dict(_rendered(kind, facts))
    if kind == "arduino" and agent:
        package |= dict(_rendered("arduino-agent", facts))
    if kind == "cmsis-pack":
        package = _packed(package, facts)
    package[MARKER] = _marker(models, kind, package)
    return package


def check_kind(kind: str) -> None:
    """Raise QcsError that suggests the nearest format if `kind` is none of `KINDS`."""
    if kind not in KINDS:
        raise QcsError(f"there is no package format '{kind}'; {nearest(kind, KINDS)}")


def check_package(path: Path, *bundles: Path) -> None:
    """Raise QcsError if `write_package` would refuse `path`, or if it is or lies in one of the bundles."""
    check_replaceable(path, MARKER, *bundles)


def write_package(path: Path, package: dict[str, bytes]) -> None:
    """Write what `package_files` returned as directory `path`, in one rename.

    It replaces only an earlier package to which nothing was added and in which nothing was edited.
    """
    write_directory(path, package, MARKER)


def collect(models: Iterable[Codec], c_root: Path, agent: bool) -> CFiles:
    """Return the C files of core, models and agent."""
    public = {file.name: file.read_bytes() for file in sorted((c_root / "include").glob("*.h"))}
    private = {file.name: file.read_bytes() for file in sorted((c_root / "src").glob("*.[ch]"))}
    if agent:
        for name in _AGENT:
            place = public if name.endswith(".h") else private
            place[name] = (c_root / "app" / name).read_bytes()
    for model in models:
        for name, text in model.checked_c_files().items():
            (public if name.endswith(".h") else private)[name] = text.encode()
    return CFiles(public, private)


def _facts(codec: Codec, names: Sequence[str], c_files: CFiles, kind: str, url: str) -> dict[str, object]:
    """Return what the templates may name. Nothing needs escaping: numbers, our words, names and ids of checked form.

    Raises QcsError if `url`, the one free text, is none.
    """
    if not re.fullmatch(_URL, url):
        raise QcsError(f"--url '{url}' is no address of a page: http:// or https://, without spaces, quotes, < and >")
    name, model_id = codec.name, codec.bundle.manifest.model_id
    counts = example_counts(codec)
    expected = codec.encode_counts(counts[None])[0]
    library, at_most = f"qcs_{name}", "" if codec.fixed_size else " at most"
    sources = [f"src/{source}" for source in c_files.sources]
    facts: dict[str, object] = {
        "name": name, "NAME": name.upper(), "library": library, "pack": f"qcskit.{library}",
        "url": url, "xml_url": escape(url), "model_id": model_id, "version": version("qcskit"), "inputs": codec.inputs,
        "sentence": f"Encoder {name}: {codec.inputs} ADC counts to {codec.packed_bytes_max} bytes{at_most}, "
                    f"{codec.rate_bits:g} bits per source entry.",
        "sources": "\n  ".join(sources),
        "rooted_sources": "\n    ".join(f"${{QCS_ROOT}}/{source}" for source in sources),
        "quoted_sources": "\n    ".join(f'"{source}"' for source in sources),
        "pdsc_files": "\n        ".join(_pdsc_files(c_files)),
        "model_includes": "\n".join(f'#include "qcs_model_{each}.h"' for each in names),
        "counts": _numbers(counts), "expected": _numbers(expected), "expected_bytes": len(expected),
        "main": "void app_main(void)" if kind == "esp-idf" else "int main(void)",
        "leave": "\n  if (!same)\n    exit(1);" if kind == "esp-idf" else "\n  return !same;",
    }  # fmt: skip
    facts["example"] = _fill(_templates() / "example.c.in", facts).rstrip("\n")
    return facts


def example_counts(codec: Codec) -> NDArray[np.int16]:
    """Return the counts (inputs,) of a package's example: noise, for a recording may be a person's."""
    low, high = codec.limits()
    noise = codec.centre + np.random.default_rng(1).standard_normal(codec.inputs) * (high - low) / 64
    return np.clip(np.rint(noise), low, high).astype(np.int16)


def _numbers(values: Any) -> str:
    lines, line = [], ""
    for number, value in enumerate(values):
        word = f"{int(value)}{',' if number + 1 < len(values) else ''}"
        if line and len(line) + len(word) + 1 > _COLUMNS - 4:
            lines.append(line)
            line = ""
        line = f"{line} {word}" if line else word
    return "\n    ".join([*lines, line])


def _pdsc_files(c_files: CFiles) -> Iterator[str]:
    for name in sorted(c_files.public):
        yield f'<file category="header" name="include/{name}"/>'
    for name in c_files.sources:
        yield f'<file category="source" name="src/{name}"/>'


def _templates() -> Traversable:
    return files("qcskit.export") / "templates"


def _rendered(kind: str, facts: dict[str, object]) -> Iterator[tuple[str, bytes]]:
    def walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, bytes]]:
        for entry in sorted(folder.iterdir(), key=lambda item: item.name):
            name = prefix + _Text(entry.name.removesuffix(".in")).substitute(facts)
            if entry.is_dir():
                yield from walk(entry, f"{name}/")
            else:
                yield name, _fill(entry, facts).encode()

    return walk(_templates() / kind, "")


def _fill(template: Traversable, facts: dict[str, object]) -> str:
    return _Text(template.read_text(encoding="utf-8")).substitute(facts)


def _packed(package: dict[str, bytes], facts: dict[str, object]) -> dict[str, bytes]:
    """Return the .pack, a ZIP archive without dates, and the .pdsc beside it."""
    out = BytesIO()
    with ZipFile(out, "w", ZIP_DEFLATED) as archive:
        for name in sorted(package):
            info = ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            info.compress_type = ZIP_DEFLATED
            archive.writestr(info, package[name])
    description = f"{facts['pack']}.pdsc"
    return {f"{facts['pack']}.{facts['version']}.pack": out.getvalue(), description: package[description]}


def _marker(models: Sequence[Codec], kind: str, package: dict[str, bytes]) -> bytes:
    facts = {
        "kind": kind,
        "qcskit": version("qcskit"),
        "models": {model.name: model.bundle.manifest.model_id for model in models},
    }
    return sealed(facts, package)
