"""A bundle as a library that an engineer adds to a project as is: Arduino, PlatformIO, Zephyr, ESP-IDF, CMSIS, CMake.

A format is a folder of templates/; every file there is filled in and keeps its place. The C files come beside them:
the core, one or more models and, if wanted, the serial agent. Needs no TensorFlow.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import files
from importlib.resources.abc import Traversable
from io import BytesIO
from pathlib import Path
from string import Template
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from qcskit.codec.bundle import Bundle, sha256, write_directory
from qcskit.codec.config import nearest
from qcskit.codec.errors import QcsError

KINDS = ("arduino", "platformio", "zephyr", "esp-idf", "cmsis-pack", "plain")
MARKER = "qcskit.json"
"""What a package is made of; a directory without it is not replaced."""

PUBLIC_URL = "https://example.com/qcskit"
"""Stands in the metadata that must name one, unless the user gives another."""

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
    names = [bundle.manifest.name for bundle in bundles]
    if len(set(names)) < len(names):
        raise QcsError(f"two models are called the same ({', '.join(names)}); export one with another --name")
    c_files = collect(bundles, c_root, agent)
    public, private = ("src", "src") if kind == "arduino" else ("include", "src")
    facts = _facts(bundles[0], names, c_files, kind, url)
    package = {f"{public}/{name}": content for name, content in c_files.public.items()}
    package |= {f"{private}/{name}": content for name, content in c_files.private.items()}
    package |= dict(_rendered(kind, facts))
    if kind == "arduino" and agent:
        package |= dict(_rendered("arduino-agent", facts))
    if kind == "cmsis-pack":
        package = _packed(package, facts)
    package[MARKER] = _marker(bundles, kind, package)
    return package


def check_kind(kind: str) -> None:
    """Raise QcsError that suggests the nearest format if `kind` is none of `KINDS`."""
    if kind not in KINDS:
        raise QcsError(f"there is no package format '{kind}'; {nearest(kind, KINDS)}")


def write_package(path: Path, package: dict[str, bytes]) -> None:
    """Write what `package_files` returned as directory `path`, in one rename; replaces only an earlier package."""
    write_directory(path, package, MARKER)


def collect(bundles: Iterable[Bundle], c_root: Path, agent: bool) -> CFiles:
    """Return the C files of core, models and agent."""
    public = {file.name: file.read_bytes() for file in sorted((c_root / "include").glob("*.h"))}
    private = {file.name: file.read_bytes() for file in sorted((c_root / "src").glob("*.[ch]"))}
    if agent:
        for name in _AGENT:
            place = public if name.endswith(".h") else private
            place[name] = (c_root / "app" / name).read_bytes()
    for bundle in bundles:
        model = f"qcs_model_{bundle.manifest.name}"
        public[f"{model}.h"] = bundle.file(f"c/{model}.h").read_bytes()
        private[f"{model}.c"] = bundle.file(f"c/{model}.c").read_bytes()
    return CFiles(public, private)


def _facts(bundle: Bundle, names: Sequence[str], c_files: CFiles, kind: str, url: str) -> dict[str, object]:
    """Return what the templates may name."""
    manifest = bundle.manifest
    name, upper = manifest.name, manifest.name.upper()
    if "counts" not in bundle.vectors:
        raise QcsError(f"bundle '{bundle.path}': vectors.npz holds no ADC counts for the example; export again")
    library = f"qcs_{name}"
    sources = [f"src/{source}" for source in c_files.sources]
    int8 = not bundle.counts_only
    facts: dict[str, object] = {
        "name": name, "NAME": upper, "library": library, "pack": f"qcskit.{library}", "url": url,
        "model_id": manifest.model_id, "version": version("qcskit"), "inputs": manifest.inputs,
        "packed_bytes": manifest.packed_bytes,
        "sentence": f"Encoder {name}: {manifest.inputs} ADC counts to {manifest.packed_bytes} bytes, "
                    f"{manifest.rate_bits:g} bits per source entry.",
        "sources": "\n  ".join(sources),
        "rooted_sources": "\n    ".join(f"${{QCS_ROOT}}/{source}" for source in sources),
        "quoted_sources": "\n    ".join(f'"{source}"' for source in sources),
        "pdsc_files": "\n        ".join(_pdsc_files(c_files)),
        "model_includes": "\n".join(f'#include "qcs_model_{each}.h"' for each in names),
        "counts": _numbers(bundle.vectors["counts"][0]), "expected": _numbers(_expected(bundle)),
        "scratch": f"static int8_t scratch[QCS_{upper}_SCRATCH_BYTES];" if int8
                   else f"static uint32_t scratch[(QCS_{upper}_SCRATCH_BYTES + 3) / 4];",
        "encode": f"qcs_encode_counts(&qcs_model_{name}, counts, packed, scratch);" if int8
                  else f"qcs_codec_{name}.encode(&qcs_codec_{name}, QCS_INPUT_INT16, counts, packed, scratch);",
        "main": "void app_main(void)" if kind == "esp-idf" else "int main(void)",
        "leave": "" if kind == "esp-idf" else "\n  return !same;",
    }  # fmt: skip
    facts["example"] = _fill(_templates() / "example.c.in", facts).rstrip("\n")
    return facts


def _expected(bundle: Bundle) -> Any:
    """Return the packed bytes of the first golden vector of counts, as the NumPy reference computes them."""
    if bundle.counts_only:
        return bundle.vectors["packed"][0]
    from qcskit.codec import integer

    grid = integer.quantize_counts(bundle.tables.front_end, bundle.vectors["counts"][:1])
    return integer.encode_packed(bundle.tables, grid)[0]


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


def _marker(bundles: Sequence[Bundle], kind: str, package: dict[str, bytes]) -> bytes:
    facts = {
        "kind": kind,
        "qcskit": version("qcskit"),
        "models": {bundle.manifest.name: bundle.manifest.model_id for bundle in bundles},
        "files": {name: sha256(content) for name, content in sorted(package.items())},
    }
    return (json.dumps(facts, indent=1) + "\n").encode()
