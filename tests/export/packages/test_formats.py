"""Each format in its own tool's words: what the registries' tools read of a library, and that they accept it.

PlatformIO's `pio pkg pack` fetches the list of licences from the network: its schema is asked with a short one.
"""

import json
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from support.arduino import HARDWARE
from support.libraries import library
from support.need import need_tool

from qcskit.export.packages import KINDS

AUTHOR, URL = "Ada & Löve <ada@example.org>", "https://example.org/a?b=1&c"
OWN = {"version": "1.2.3-rc.1", "license": "MIT", "author": AUTHOR, "url": URL, "lib_name": "acme_ecg"}


@pytest.fixture(scope="module")
def owned(bundle_path: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every format of the small bundle, with an owner."""
    root = tmp_path_factory.mktemp("owned")
    return {kind: library(root / kind, bundle_path, kind=kind, **OWN) for kind in KINDS}


def text_of(root: Path, name: str) -> str:
    return (root / name).read_text(encoding="utf-8")


def test_arduino(owned: dict[str, Path]) -> None:
    lines = text_of(owned["arduino"], "library.properties").splitlines()
    found = dict(line.split("=", 1) for line in lines)
    assert found["name"] == "acme_ecg"
    assert found["version"] == "1.2.3-rc.1"
    assert found["author"] == found["maintainer"] == AUTHOR
    assert found["url"] == URL
    assert found["includes"] == "qcs_small.h"
    assert "Apache-2.0 AND MIT" in found["paragraph"]


def test_platformio(owned: dict[str, Path]) -> None:
    found = json.loads(text_of(owned["platformio"], "library.json"))
    assert (found["name"], found["version"], found["license"]) == ("acme_ecg", "1.2.3-rc.1", "Apache-2.0 AND MIT")
    assert found["authors"] == [{"name": "Ada & Löve", "email": "ada@example.org"}]
    assert found["homepage"] == URL


def test_cmsis_pack(owned: dict[str, Path]) -> None:
    root = ElementTree.parse(owned["cmsis-pack"] / "Ada-L-ve.acme_ecg.pdsc").getroot()
    assert (owned["cmsis-pack"] / "Ada-L-ve.acme_ecg.1.2.3-rc.1.pack").is_file()
    found = (root.findtext("vendor"), root.findtext("name"), root.findtext("url"), root.findtext("license"))
    assert found == ("Ada-L-ve", "acme_ecg", URL, "LICENSE")
    assert [release.get("version") for release in root.iter("release")] == ["1.2.3-rc.1"]


@pytest.mark.parametrize("kind", ["esp-idf", "zephyr", "plain"])
def test_formats_without_a_reader_of_ours_name_library_version_licence_and_owner(
    owned: dict[str, Path], kind: str
) -> None:
    places = {"esp-idf": ("idf_component.yml",), "zephyr": ("zephyr/module.yml",), "plain": ("CMakeLists.txt",)}
    text = "".join(text_of(owned[kind], place) for place in places[kind])
    for word in ("1.2.3-rc.1", "Apache-2.0 AND MIT", AUTHOR):
        assert word in text
    assert "acme_ecg" in text or kind == "esp-idf"  # a component is called as its folder


@pytest.mark.parametrize("kind", KINDS)
def test_licence_readme_and_changelog_stand_in_every_format(owned: dict[str, Path], kind: str, tmp_path: Path) -> None:
    root = owned[kind]
    if kind == "cmsis-pack":
        shutil.unpack_archive(next(root.glob("*.pack")), tmp_path, "zip")
        root = tmp_path
    licence, readme = text_of(root, "LICENSE"), text_of(root, "README.md")
    assert "Apache License" in licence
    assert f"{AUTHOR} and are licensed under: MIT" in licence
    for word in ("-13.45 dB", "3b0f2017e4e5d517", "1.5 bits per source entry", "4 bytes per packet", "224 bytes on "
                 "Cortex-M4, M7, M33", "12 bits signed", "at most 224 bytes below the entry"):  # fmt: skip
        assert word in readme
    assert "## 1.2.3-rc.1" in text_of(root, "CHANGELOG.md")


def test_a_figure_that_nobody_measured_is_called_so(tmp_path: Path) -> None:
    golden = Path(__file__).parents[2] / "data" / "golden" / "int8"
    readme = text_of(library(tmp_path, golden), "README.md")
    assert "| NMSE deployed | not measured |" in readme


def test_the_default_version_names_the_model(bundle_path: Path, tmp_path: Path) -> None:
    assert "# qcs_small 0.1.0+3b0f2017e4e5d517\n" in text_of(library(tmp_path, bundle_path), "README.md")


def test_platformio_s_own_schema_takes_both_manifests(owned: dict[str, Path]) -> None:
    schema = pytest.importorskip("platformio.package.manifest.schema", reason="needs platformio from PyPI")
    parser = pytest.importorskip("platformio.package.manifest.parser", reason="needs platformio from PyPI")

    class Offline(schema.ManifestSchema):
        @staticmethod
        def load_spdx_licenses() -> dict[str, object]:
            return {"licenses": [{"licenseId": name} for name in ("Apache-2.0", "MIT")]}

    for file in (owned["platformio"] / "library.json", owned["arduino"] / "library.properties"):
        raw = parser.ManifestParserFactory.new_from_file(str(file)).as_dict()
        assert Offline().load_manifest(raw)["version"] == "1.2.3-rc.1"
    with pytest.raises(Exception, match="version"):
        Offline().load_manifest({**raw, "version": "1"})


def test_espressif_s_component_manager_takes_the_manifest(owned: dict[str, Path]) -> None:
    pytest.importorskip("idf_component_manager", reason="needs idf-component-manager from PyPI")
    lint = [str(Path(sys.executable).with_name("compote")), "manifest", "lint", str(owned["esp-idf"])]
    done = subprocess.run(lint, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_kconfig_takes_the_symbol(owned: dict[str, Path], tmp_path: Path) -> None:
    kconfiglib = pytest.importorskip("kconfiglib", reason="needs kconfiglib from PyPI")
    (tmp_path / "Kconfig").write_text(f'source "{owned["zephyr"]}/zephyr/Kconfig"\n')
    (tmp_path / "prj.conf").write_text(text_of(owned["zephyr"], "samples/encode/prj.conf"))
    tree = kconfiglib.Kconfig(str(tmp_path / "Kconfig"), warn_to_stderr=False)
    tree.load_config(str(tmp_path / "prj.conf"))
    assert tree.syms["ACME_ECG"].str_value == "y"
    assert tree.warnings == []


@pytest.mark.skipif(not HARDWARE.is_dir(), reason="needs the Debian package arduino-core-avr")
def test_arduino_s_own_builder_compiles_the_library_without_a_warning(owned: dict[str, Path], tmp_path: Path) -> None:
    need_tool("arduino-builder", "arduino-builder")
    hardware, build = tmp_path / "hardware", tmp_path / "build"
    hardware.mkdir()
    build.mkdir()
    tools = Path("/usr/share/arduino-builder")
    (hardware / "platform.txt").symlink_to(tools / "platform.txt")
    (hardware / "arduino").symlink_to(HARDWARE.parent)
    sketch = owned["arduino"] / "examples" / "QcsSensor" / "QcsSensor.ino"
    done = subprocess.run(
        ["arduino-builder", "-compile", "-hardware", str(hardware), "-tools", str(tools), "-warnings", "all",
         "-libraries", str(owned["arduino"].parent), "-fqbn", "arduino:avr:mega:cpu=atmega2560",
         "-prefs", "compiler.cpp.extra_flags=-DDECIMAL_DIG=9",  # which avr-gcc 5.4's float.h leaves out
         "-build-path", str(build), str(sketch)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert re.search(r"Sketch uses \d+ bytes", done.stdout)
    assert not [line for line in done.stderr.splitlines() if "qcs_" in line or "acme_ecg" in line]
