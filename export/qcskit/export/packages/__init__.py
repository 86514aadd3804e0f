"""Bundles as a library that an engineer adds to a project as is: Arduino, PlatformIO, Zephyr, ESP-IDF, CMSIS, CMake.

A format is a folder of templates/; every file there is filled in and keeps its place, and what all formats have is in
templates/common. The C files come beside them: the core, one or more models and, if wanted, the serial agent. Needs no
TensorFlow.
"""

import json
import re
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from importlib.resources import files
from importlib.resources.abc import Traversable
from io import BytesIO
from pathlib import Path
from string import Template
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from qcskit.codec.bundle import Bundle
from qcskit.codec.codecs import load_codec
from qcskit.codec.config import nearest
from qcskit.codec.errors import QcsError
from qcskit.codec.files import check_replaceable, sealed, write_directory
from qcskit.codec.interface import Codec
from qcskit.export.packages.config import PUBLIC_URL, PackageConfig
from qcskit.export.packages.core import core_texts, needed, renamed
from qcskit.export.packages.facts import KINDS, CFiles, library_facts, next_step
from qcskit.export.packages.model import example_counts, layout_choice, model_text, stack_words

__all__ = [
    "KINDS", "MARKER", "PUBLIC_URL", "PackageConfig", "check_kind", "check_package", "example_counts", "next_step",
    "package_files", "write_package",
]  # fmt: skip

MARKER = "qcskit.json"
"""What a package is made of; a directory without it is not replaced."""


class _Text(Template):
    """`%%name` in a template; CMake, JSON and C need the `$` themselves."""

    delimiter = "%%"


def package_files(
    bundles: Sequence[Bundle], kind: str, c_root: Path, *, agent: bool = False, config: PackageConfig | None = None
) -> dict[str, bytes]:
    """Return the files of a package, by name relative to its root.

    bundles: one or more models that share the core; the examples use the first. kind: one of `KINDS`. c_root: directory
    with the core's include/, src/ and app/. agent: add the serial agent. Raises QcsError on an unknown kind, two models
    of one name, or a bundle without C text.
    """
    check_kind(kind)
    config = config or PackageConfig()
    models = [load_codec(bundle) for bundle in bundles]
    names = [model.name for model in models]
    if len(set(names)) < len(names):
        raise QcsError(f"two models are called the same ({', '.join(names)}); export one with another --name")
    release = config.version or f"0.1.0+{models[0].bundle.manifest.model_id}"
    library = config.lib_name or f"qcs_{names[0]}"
    c_files = _c_files(models, c_root, kind, library, release, agent)
    facts = library_facts(models, c_files, kind, config, library, release)
    facts["example"] = _fill(_templates() / "example.c.in", facts).rstrip("\n")
    package = {name: text.encode() for name, text in c_files.all.items()}
    package |= dict(_rendered("common", facts)) | dict(_rendered(kind, facts))
    if kind == "arduino" and agent:
        package |= dict(_rendered("arduino-agent", facts))
    if kind == "cmsis-pack":
        package = _packed(package, facts)
    package[MARKER] = _marker(models, kind, library, release, package)
    return package


def check_kind(kind: str) -> None:
    """Raise QcsError that suggests the nearest format if `kind` is none of `KINDS`."""
    if kind not in KINDS:
        raise QcsError(f"there is no package format '{kind}'; {nearest(kind, KINDS)}")


def check_package(path: Path, *bundles: Path) -> None:
    """Raise QcsError if `write_package` would refuse `path`, or if it is or lies in one of the bundles."""
    check_replaceable(path, MARKER, *bundles)


def write_package(path: Path, package: dict[str, bytes]) -> str:
    """Write what `package_files` returned as directory `path`, in one rename. Return what it replaced, "" if nothing.

    It replaces only an earlier package of the same models to which nothing was added and in which nothing was edited.
    """
    check_replaceable(path, MARKER)
    old, new = _who(path), json.loads(package[MARKER])
    if old and set(old["models"]) != set(new["models"]):
        new_models = f"so it is not replaced by one of {_models(new)}; choose another --out, or remove it"
        raise QcsError(f"'{path}' is a library of {_models(old)}, {new_models}")
    write_directory(path, package, MARKER)
    changed = old and (old.get("version"), old["models"]) != (new["version"], new["models"])
    return f"version {old.get('version', 'unknown')} of {_models(old)}" if changed else ""


def _who(path: Path) -> dict[str, dict[str, str]]:
    """Return what the marker of a package says, {} if there is none; that its files are whole was checked."""
    file = path / MARKER
    return json.loads(file.read_bytes()) if file.is_file() else {}


def _models(marker: dict[str, dict[str, str]]) -> str:
    return ", ".join(f"{name} {model_id}" for name, model_id in marker["models"].items())


def _c_files(models: Sequence[Codec], c_root: Path, kind: str, library: str, release: str, agent: bool) -> CFiles:
    """Return the C of a library. Raises CheckFailedError if a bundle's own C is not what its tables give."""
    held = {model.name: model.checked_c_files() for model in models}
    core = core_texts(c_root, agent)
    for name, texts in held.items():
        core |= {file: text for file, text in texts.items() if not file.startswith(f"qcs_model_{name}.")}
    layouts = layout_choice(core["qcs_layout.h"])
    public: dict[str, str] = {}
    private: dict[str, str] = {}
    place = CFiles.places(kind)
    for model in models:
        source = held[model.name][f"qcs_model_{model.name}.c"]
        stack = stack_words(core[name] for name in re.findall(r'#include "(\w+\.h)"', source) if name in core)
        text = model_text(model, held[model.name], release, layouts, stack, place.up)
        public |= text.public
        private |= text.private
    if agent:
        public[f"{library}_agent.h"] = f'#include "{place.down}/qcs_agent.h"\n'
    users = [*private.values(), *(core["qcs_agent.c"] for _ in range(agent)), "qcs_agent_init" * agent]
    return CFiles(place, public, private | renamed(needed(core, users), library))


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
    return {str(facts["pack_file"]): out.getvalue(), description: package[description]}


def _marker(models: Sequence[Codec], kind: str, library: str, release: str, package: dict[str, bytes]) -> bytes:
    facts = {
        "kind": kind,
        "library": library,
        "version": release,
        "qcskit": version("qcskit"),
        "models": {model.name: model.bundle.manifest.model_id for model in models},
    }
    return sealed(facts, package)
