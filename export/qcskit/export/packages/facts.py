"""What the templates of a library may name: files, figures, metadata in each format's own quotes."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any
from xml.sax.saxutils import escape

from qcskit.codec.foreign import printable
from qcskit.codec.interface import Codec
from qcskit.codec.text import wrapped
from qcskit.export.packages.config import PackageConfig, numbers_of
from qcskit.export.packages.model import example_counts

_NEXT = {
    "arduino": "copy the folder into the IDE's 'libraries' folder, then open File > Examples > {library} > QcsSensor",
    "platformio": "in your project's platformio.ini: lib_deps = symlink://{path}",
    "zephyr": "west build -- -DEXTRA_ZEPHYR_MODULES={path}, with CONFIG_{LIBRARY}=y in prj.conf",
    "esp-idf": "copy the folder into your project's 'components', then: idf.py build",
    "cmsis-pack": "cpackget add {path}/{pack}, then select the component Data Compression:qcskit",
    "plain": "in your CMakeLists.txt: add_subdirectory({path}), target_link_libraries(firmware PRIVATE {library})",
}
KINDS = tuple(_NEXT)

_CORES = {"DSP": "Cortex-M4, M7, M33", "PAIR": "Cortex-M0, M0+, M3 and RV32IM", "MVE": "Cortex-M55"}
"""Who reads the tables in which form, qcs_layout.h."""


@dataclass(frozen=True)
class Places:
    """Folders of a library: of public headers, of all other C; and the way from the second to the first and back.

    No folder that a format searches for headers holds the core's: a model may be called as one of them.
    """

    public: str
    private: str
    up: str
    down: str


@dataclass(frozen=True)
class CFiles:
    """C files of a library by name: what users include, and the rest."""

    place: Places
    public: dict[str, str]
    private: dict[str, str]

    @staticmethod
    def places(kind: str) -> Places:
        """Return the folders of a format."""
        if kind == "arduino":  # the only include path of a library is src/
            return Places("src", "src/core", "..", "core")
        return Places("include", "src/core", "../../include", "../src/core")

    @property
    def all(self) -> dict[str, str]:
        """All files by their place in the library."""
        public = {f"{self.place.public}/{name}": text for name, text in self.public.items()}
        return public | {f"{self.place.private}/{name}": text for name, text in self.private.items()}

    @property
    def sources(self) -> list[str]:
        """Places of the files to compile."""
        return sorted(name for name in self.all if name.endswith(".c"))


def next_step(kind: str, library: str, path: str, pack: str) -> str:
    """Return what to do with a library at `path`, one line. pack: name of the archive, if the format has one."""
    return _NEXT[kind].format(library=library, LIBRARY=library.upper(), path=path, pack=pack)


def library_facts(
    models: Sequence[Codec], c_files: CFiles, kind: str, config: PackageConfig, library: str, release: str
) -> dict[str, object]:
    """Return everything that a template may name."""
    first, names = models[0], [model.name for model in models]
    name, model_id = first.name, first.bundle.manifest.model_id
    at_most = "" if first.fixed_size else " at most"
    headers = [f"qcs_{each}.h" for each in names]
    facts: dict[str, object] = {
        "name": name, "NAME": name.upper(), "library": library, "LIBRARY": library.upper(), "model_id": model_id,
        "version": release, "numbers": numbers_of(release), "kit": version("qcskit"), "inputs": first.inputs,
        "sentence": f"Encoder {name}: {first.inputs} ADC counts to {first.packed_bytes_max} bytes{at_most}, "
                    f"{first.rate_bits:g} bits per source entry.",
        "headers": ",".join(headers), "quoted_headers": json.dumps(headers),
        "includes": "\n".join(f"    #include <{header}>" for header in headers),
        "models": "\n".join(f"- model `{model.name}`, id {model.bundle.manifest.model_id}" for model in models),
        "figures": "\n\n".join(_figures(model, c_files) for model in models),
        **_owner(config), **_files(c_files), **_example(first, kind),
    }  # fmt: skip
    pack, pack_version = f"{facts['vendor']}.{library}", release.partition("+")[0]
    facts |= {"pack": pack, "pack_version": pack_version, "pack_file": f"{pack}.{pack_version}.pack"}
    return {**facts, "next": next_step(kind, library, f"path/to/{library}", str(facts["pack_file"]))}


def _owner(config: PackageConfig) -> dict[str, object]:
    """Return whose library it is, quoted as each format wants it."""
    name, address = config.author_name, config.author_address
    person = {"name": name, **({"email": address} if address else {})}
    return {
        "author": config.author, "json_author": json.dumps(person, ensure_ascii=False),
        "maintainers": f"maintainers:\n  - {json.dumps(config.author, ensure_ascii=False)}\n" if address else "",
        "vendor": re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-") or "qcskit",
        "url": config.url, "xml_url": escape(config.url), "license": config.license_expression,
        "tables_license": config.license,
    }  # fmt: skip


def _files(c_files: CFiles) -> dict[str, object]:
    """Return the files to compile, listed as each format wants it."""
    sources = c_files.sources
    pdsc = [f'<file category="header" name="{c_files.place.public}/{name}"/>' for name in sorted(c_files.public)]
    pdsc += [f'<file category="source" name="{source}"/>' for source in sources]
    return {
        "sources": "\n  ".join(sources),
        "rooted_sources": "\n    ".join(f"${{QCS_ROOT}}/{source}" for source in sources),
        "quoted_sources": "\n    ".join(f'"{source}"' for source in sources),
        "pdsc_files": "\n        ".join(pdsc),
    }


def _example(codec: Codec, kind: str) -> dict[str, object]:
    """Return what the example encodes and expects."""
    counts = example_counts(codec)
    expected = codec.encode_counts(counts[None])[0]
    return {
        "counts": _numbers(counts), "expected": _numbers(expected), "expected_bytes": len(expected),
        "main": "void app_main(void)" if kind == "esp-idf" else "int main(void)",
        "leave": "\n  if (!same)\n    exit(1);" if kind == "esp-idf" else "\n  return !same;",
    }  # fmt: skip


def _numbers(values: Any) -> str:
    return wrapped([str(int(value)) for value in values]).strip().removesuffix(",")


def _figures(codec: Codec, c_files: CFiles) -> str:
    """Return the section of the README about a model."""
    rows = "\n".join(f"| {label} | {printable(text)} |" for label, text in _rows(codec, c_files))
    return f"### Model {codec.name}\n\n| | |\n|---|---|\n{rows}"


def _rows(codec: Codec, c_files: CFiles) -> Iterator[tuple[str, str]]:
    manifest, header = codec.bundle.manifest, c_files.public[f"qcs_{codec.name}.h"]
    nmse = manifest.nmse
    yield "model id", manifest.model_id
    yield "takes", f"{codec.inputs} ADC counts (int16) per packet, for {codec.windows} · {codec.width} source entries"
    yield "ADC", manifest.adc.describe()
    yield "gives", f"{'' if codec.fixed_size else 'at most '}{codec.packed_bytes_max} bytes per packet"
    yield "rate", f"{codec.rate_bits:g} bits per source entry"
    exact = nmse.deployed_db is None and nmse.frames and (codec.exact or (nmse.fidelity and nmse.fidelity.exact))
    yield "NMSE deployed", "exact" if exact else _db(nmse.deployed_db, nmse.frames)
    yield "NMSE float", _db(nmse.float_db, nmse.frames)
    yield "scratch", ", ".join(_scratch(header))
    yield "stack", re.findall(r"\* Stack: (.*)\.\n", header)[0]
    yield "tables", f"{codec.cost()['table_bytes']:,} bytes" if "table_bytes" in codec.cost() else "a few numbers"
    yield "static RAM, heap", "none: the caller owns all memory; on AVR some constants of the model lie in RAM"


def _db(value: float | None, frames: int) -> str:
    return "not measured" if value is None else f"{value:.2f} dB, {frames:,} frames"


def _scratch(header: str) -> Iterator[str]:
    found = dict(re.findall(r"LAYOUT_(\w+)\n#define \w+_SCRATCH_BYTES (\d+)", header))
    yield from (f"{size} bytes on {_CORES[layout]}" for layout, size in found.items())
    other = re.findall(r"#define \w+_SCRATCH_BYTES (\d+)", header)[-1]
    yield f"{other} {'byte' if other == '1' else 'bytes'}{' elsewhere' if found else ''}"
