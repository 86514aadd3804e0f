"""Libraries for every format: required keys, compilers of every core, CMake, the real Arduino core, a simulated ATmega.

Zephyr's and ESP-IDF's own build systems are not installed here: their CMake files run with the few functions they call
defined by CMake's own commands, so names, paths and syntax are proven, not the frameworks.
"""

import configparser
import filecmp
import json
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
import zipfile
from pathlib import Path

import pytest
from support.arduino import HARDWARE, build_sketch
from support.bundles import learned_bundle, transform_bundle
from support.libraries import GOLDEN, library
from typer.testing import CliRunner

from qcskit.cli import build_app
from qcskit.codec.bundle import read_bundle
from qcskit.codec.codecs import load_codec
from qcskit.codec.errors import QcsError
from qcskit.codec.files import manifest_checksum, sha256
from qcskit.codec.interface import Packets
from qcskit.export.packages import KINDS, MARKER, PackageConfig, example_counts, package_files, write_package
from qcskit.firmware import find_board, sources, start
from qcskit.firmware.protocol.wire import encode_packets

WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror")


def needs(tool: str, package: str):
    return pytest.mark.skipif(not shutil.which(tool), reason=f"needs the Debian package {package}")


CMAKE = needs("cmake", "cmake")
OWN = PackageConfig(
    version="1.2.3-rc.1", license="MIT", author="Ada Löve <ada@example.org>", url="https://example.org/a?b&c"
)


@pytest.fixture(scope="module")
def bundle(bundle_path):
    return read_bundle(bundle_path)


@pytest.fixture(scope="module")
def packages(bundle, tmp_path_factory) -> dict[str, Path]:
    """Every format, with the agent."""
    root = tmp_path_factory.mktemp("packages")
    for kind in KINDS:
        write_package(root / kind, package_files([bundle], kind, sources(), agent=True, config=OWN))
    with zipfile.ZipFile(next((root / "cmsis-pack").glob("*.pack"))) as archive:
        archive.extractall(root / "unpacked")
    return {kind: root / kind for kind in KINDS} | {"cmsis-pack": root / "unpacked"}


@pytest.fixture(scope="module")
def expected(bundle) -> bytes:
    """What the example must print: the first golden counts by the definition."""
    codec = load_codec(bundle)
    return codec.definition(example_counts(codec)[None])[0]


def c_names(root: Path) -> dict[str, bytes]:
    """C files by place and name, whatever folders a format has, and without the way from one to the other."""
    places = (root / "src", root / "include")
    found = [f for place in places if place.is_dir() for f in place.rglob("*.[ch]")]
    return {f"{'private' if f.parent.name == 'core' else 'public'}/{f.name}":
            re.sub(rb'(?<=")(?:\.\./|include/|src/|core/)+', b"", f.read_bytes()) for f in found}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_every_format_carries_the_same_c_and_a_self_checking_example(packages, kind, expected) -> None:
    found = c_names(packages[kind])
    assert found == c_names(packages["plain"])
    assert {name for name in found if name.startswith("public/")} == {"public/qcs_small.h", "public/qcs_small_agent.h"}
    assert {"private/qcs_model_small.c", "private/qcs_int8.c", "private/qcs_agent.c"} <= found.keys()
    examples = [f for f in packages[kind].rglob("*") if f.name in ("main.c", "QcsSensor.ino")]
    assert len(examples) == 1
    text = examples[0].read_text()
    assert ", ".join(map(str, expected)) in text
    assert "%%" not in "".join(f.read_text() for f in packages[kind].rglob("*") if f.is_file())


def test_two_runs_in_two_places_are_equal_byte_for_byte(bundle, tmp_path) -> None:
    for place in ("a", "b"):
        write_package(tmp_path / place, package_files([bundle], "cmsis-pack", sources(), agent=True))
    names = [f.name for f in (tmp_path / "a").iterdir()]
    _, mismatch, errors = filecmp.cmpfiles(tmp_path / "a", tmp_path / "b", names, shallow=False)
    assert len(names) == 3
    assert not mismatch
    assert not errors


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("standard", ["c11", "gnu17"])
def test_plain_example_prints_the_predicted_bytes(packages, compiler, standard, tmp_path, expected) -> None:
    if not shutil.which(compiler):
        pytest.skip(f"needs the Debian package {compiler}")
    root = packages["plain"]
    files = [root / "example" / "main.c", *(root / "src").rglob("*.c")]
    command = [compiler, f"-std={standard}", *WARNINGS, f"-I{root / 'include'}",
               *map(str, files), "-o", str(tmp_path / "x")]  # fmt: skip
    subprocess.run(command, check=True)
    done = subprocess.run([str(tmp_path / "x")], capture_output=True, text=True, check=True)
    assert done.stdout == " ".join(f"{byte:02x}" for byte in expected) + " as predicted\n"


@pytest.fixture(scope="module")
def core_objects(packages, tmp_path_factory) -> list[str]:
    """The C of every format, compiled once."""
    place, root = tmp_path_factory.mktemp("objects"), packages["plain"]
    command = ["gcc", "-std=c11", "-c", f"-I{root / 'include'}", *map(str, (root / "src").rglob("*.c"))]
    subprocess.run(command, cwd=place, check=True)
    return [str(file) for file in place.glob("*.o")]


WRONG_EXAMPLES = {
    "first byte": lambda number: [number[0] ^ 1, *number[1:]],
    "last byte": lambda number: [*number[:-1], number[-1] ^ 0x80],
    "one byte more": lambda number: [*number, 0],
    "one byte less": lambda number: number[:-1],
}


@pytest.mark.parametrize("wrong", WRONG_EXAMPLES)
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "arduino"])  # a sketch has no exit status
def test_an_example_whose_bytes_differ_fails(packages, core_objects, expected, kind, wrong, tmp_path) -> None:
    (main,) = packages[kind].rglob("main.c")
    start = tmp_path / "start.c"
    start.write_text("void app_main(void);\nint main(void) { app_main(); return 0; }\n" if kind == "esp-idf" else "")
    other, text = WRONG_EXAMPLES[wrong](list(expected)), main.read_text()
    tampered = text.replace(c_bytes(list(expected)), c_bytes(other))
    assert tampered != text
    for content, told in ((text, "as predicted\n"), (tampered, "DIFFERS\n")):
        (tmp_path / "main.c").write_text(content)
        program = tmp_path / "example"
        subprocess.run(["gcc", "-std=c11", f"-I{packages['plain'] / 'include'}", str(tmp_path / "main.c"), str(start),
                        *core_objects, "-o", str(program)], check=True)  # fmt: skip
        done = subprocess.run([str(program)], capture_output=True, text=True, check=False)
        assert done.stdout.endswith(told)
        assert (done.returncode == 0) == (content == text)


def c_bytes(values: list[int]) -> str:
    """The array of an example."""
    return f"expected[{len(values)}] = {{\n    {', '.join(map(str, values))}}}"


@CMAKE
def test_plain_builds_with_cmake_alone_and_inside_another_project(packages, tmp_path) -> None:
    run_cmake(packages["plain"], tmp_path / "alone")
    done = subprocess.run([str(tmp_path / "alone" / "qcs_example")], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("as predicted\n")
    (tmp_path / "user").mkdir()
    (tmp_path / "user" / "main.c").write_text("#include <qcs_small.h>\nint main(void) { return 0; }\n")
    (tmp_path / "user" / "CMakeLists.txt").write_text(
        f"cmake_minimum_required(VERSION 3.16)\nproject(user C)\nadd_subdirectory({packages['plain']} qcs)\n"
        "add_executable(user main.c)\ntarget_link_libraries(user PRIVATE qcs_small::qcs_small)\n"
    )
    run_cmake(tmp_path / "user", tmp_path / "build")
    assert not (tmp_path / "build" / "qcs" / "qcs_example").exists()


@CMAKE
def test_two_installed_libraries_are_found_by_cmake(tmp_path) -> None:
    """By name and version, in one prefix; a later major version is not the one that was asked for."""
    prefix = tmp_path / "prefix"
    for name, release in (("coded_3", "1.4.0"), ("sq_l1", "2.0.0")):
        root = library(tmp_path, GOLDEN / name, version=release)
        run_cmake(root, tmp_path / name, "-DQCS_EXAMPLE=OFF")
        subprocess.run(
            ["cmake", "--install", str(tmp_path / name), "--prefix", str(prefix)], check=True, capture_output=True
        )
    (tmp_path / "user").mkdir()
    (tmp_path / "user" / "main.c").write_text(
        "#include <qcs_coded_3.h>\n#include <qcs_sq_l1.h>\nint main(void) {\n"
        "  qcs_coded_3_counts_t counts;\n  qcs_coded_3_packed_t packed;\n  qcs_coded_3_scratch_t scratch;\n"
        "  qcs_sq_l1_counts_t more;\n  qcs_sq_l1_packed_t bytes;\n  qcs_sq_l1_scratch_t work;\n"
        "  return qcs_coded_3_self_test(&counts, &packed, &scratch) || qcs_sq_l1_self_test(&more, &bytes, &work);\n}\n"
    )
    user = tmp_path / "user" / "CMakeLists.txt"
    user.write_text(
        "cmake_minimum_required(VERSION 3.16)\nproject(user C)\nfind_package(qcs_coded_3 1.3 REQUIRED)\n"
        "find_package(qcs_sq_l1 1)\nif(qcs_sq_l1_FOUND)\n  message(FATAL_ERROR found)\nendif()\n"
        "find_package(qcs_sq_l1 2 REQUIRED)\nadd_executable(user main.c)\n"
        "target_link_libraries(user PRIVATE qcs_coded_3::qcs_coded_3 qcs_sq_l1::qcs_sq_l1)\n"
    )
    run_cmake(tmp_path / "user", tmp_path / "build", f"-DCMAKE_PREFIX_PATH={prefix}")
    subprocess.run([str(tmp_path / "build" / "user")], check=True)
    assert (prefix / "share" / "qcs_sq_l1" / "LICENSE").is_file()


@CMAKE
def test_zephyr_module_names_its_files(packages, tmp_path) -> None:
    root = packages["zephyr"]
    assert re.search(r"^name: qcs_small$", (root / "zephyr" / "module.yml").read_text(), re.MULTILINE)
    assert "config QCS_SMALL\n" in (root / "zephyr" / "Kconfig").read_text()
    assert "\nCONFIG_QCS_SMALL=y\n" in (root / "samples" / "encode" / "prj.conf").read_text()
    # Zephyr's extensions.cmake: these functions, in CMake's own words.
    stand_in = """
macro(zephyr_include_directories)
  include_directories(${ARGN})
endmacro()
macro(zephyr_library_named name)
  set(current ${name})
  add_library(${name} STATIC)
endmacro()
macro(zephyr_library_sources)
  target_sources(${current} PRIVATE ${ARGN})
endmacro()
set(CONFIG_QCS_SMALL y)
"""
    main = root / "samples" / "encode" / "src" / "main.c"
    user_project(tmp_path, stand_in + f"include({root}/zephyr/CMakeLists.txt)\n"
                 f"add_executable(user {main})\ntarget_link_libraries(user qcs_small)\n")  # fmt: skip
    assert_predicts(tmp_path / "build" / "user")


@CMAKE
def test_esp_idf_component_names_its_files(packages, tmp_path) -> None:
    root = packages["esp-idf"]
    manifest = (root / "idf_component.yml").read_text()
    assert re.search(r'^  idf: ">=', manifest, re.MULTILINE)
    stand_in = """
function(idf_component_register)
  cmake_parse_arguments(C "" "" "SRCS;INCLUDE_DIRS" ${ARGN})
  add_library(qcs_small STATIC ${C_SRCS})
  target_include_directories(qcs_small PUBLIC ${C_INCLUDE_DIRS})
endfunction()
"""
    start = tmp_path / "start.c"
    start.write_text("void app_main(void);\nint main(void) { app_main(); return 0; }\n")
    main = root / "examples" / "encode" / "main" / "main.c"
    user_project(tmp_path, stand_in + f"add_subdirectory({root} qcs)\nadd_executable(user {main} {start})\n"
                 "target_link_libraries(user qcs_small)\n")  # fmt: skip
    assert_predicts(tmp_path / "build" / "user")


def test_platformio_manifest_has_the_registry_s_keys(packages) -> None:
    manifest = json.loads((packages["platformio"] / "library.json").read_text())
    assert {"name", "description", "keywords", "license", "frameworks", "platforms"} <= manifest.keys()
    for example in manifest["examples"]:
        for file in example["files"]:
            assert (packages["platformio"] / example["base"] / file).is_file()
    for place in manifest["build"].values():
        assert (packages["platformio"] / place).is_dir()
    for header in manifest["headers"]:
        assert (packages["platformio"] / manifest["build"]["includeDir"] / header).is_file()


def test_arduino_properties_follow_the_specification(packages) -> None:
    parser = configparser.ConfigParser()
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string("[x]\n" + (packages["arduino"] / "library.properties").read_text())
    properties = dict(parser["x"])
    required = {"name", "version", "author", "maintainer", "sentence", "paragraph", "category", "url", "architectures"}
    assert required <= properties.keys() <= required | {"includes"}
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 _.-]{0,62}", properties["name"])
    assert properties["category"] in {"Display", "Communication", "Signal Input/Output", "Sensors", "Device Control",
                                      "Timing", "Data Storage", "Data Processing", "Other"}  # fmt: skip
    assert (packages["arduino"] / "src" / properties["includes"]).is_file()


def test_an_arduino_library_has_the_sketch_of_the_agent_if_it_has_the_agent(bundle, packages) -> None:
    without = package_files([bundle], "arduino", sources())
    assert (packages["arduino"] / "examples/QcsAgent/QcsAgent.ino").is_file()
    assert not [name for name in without if "agent" in name.lower()]


def test_pack_description_names_what_the_archive_holds(bundle, tmp_path) -> None:
    write_package(tmp_path / "p", package_files([bundle], "cmsis-pack", sources()))
    (pack,), (pdsc,) = (tmp_path / "p").glob("*.pack"), (tmp_path / "p").glob("*.pdsc")
    root = ElementTree.parse(pdsc).getroot()
    assert [child.tag for child in root][:6] == ["vendor", "name", "description", "url", "license", "releases"]
    release = root.find("releases/release")
    assert release is not None
    assert pack.name == f"{root.findtext('vendor')}.{root.findtext('name')}.{release.get('version')}.pack"
    assert pdsc.name == f"{root.findtext('vendor')}.{root.findtext('name')}.pdsc"
    assert re.fullmatch(r"\d+\.\d+\.\d+", release.get("version", ""))
    for component in root.iter("component"):
        assert component.get("Cclass")
        assert component.get("Cgroup")
        assert component.get("Cversion")
    with zipfile.ZipFile(pack) as archive:
        names = archive.namelist()
    assert pdsc.name in names
    assert root.findtext("license") in names
    for file in root.iter("file"):
        name = file.get("name", "")
        assert any(n == name or (name.endswith("/") and n.startswith(name)) for n in names), name
    listed = {file.get("name") for file in root.iter("file")}
    assert {name for name in names if name.endswith(".c")} <= listed


@needs("avr-g++", "gcc-avr")
@pytest.mark.skipif(not HARDWARE.is_dir(), reason="needs the Debian package arduino-core-avr")
@needs("simavr", "simavr")
@pytest.mark.parametrize("told", ["as predicted, ", "DIFFERS, "])
def test_arduino_library_encodes_on_a_simulated_mega(packages, tmp_path, expected, told) -> None:
    library = tmp_path / "library"
    shutil.copytree(packages["arduino"], library)
    if told == "DIFFERS, ":
        (sketch,) = library.rglob("QcsSensor.ino")
        other = [*expected[:-1], expected[-1] ^ 0x80]
        tampered = sketch.read_text().replace(c_bytes(list(expected)), c_bytes(other))
        assert tampered != sketch.read_text()
        sketch.write_text(tampered)
    elf = build_sketch(library, "QcsSensor", tmp_path / "sensor")
    command = ["simavr", "-m", "atmega2560", "-f", "16000000", str(elf)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None
        try:
            lines = [process.stdout.readline().decode() for _ in range(2)]
        finally:
            process.kill()
    assert "self-test: 0" in lines[0]
    assert f"{' '.join(f'{byte:02X}' for byte in expected)} {told}" in lines[1]


@pytest.mark.skipif(not HARDWARE.is_dir(), reason="needs the Debian package arduino-core-avr")
def test_arduino_agent_answers_the_protocol_on_a_simulated_mega(packages, bundle, tmp_path) -> None:
    board = find_board("avr")
    if board.missing:
        pytest.skip(f"needs the Debian package {board.missing[0][1]}")
    elf = build_sketch(packages["arduino"], "QcsAgent", tmp_path)
    vectors = bundle.vectors
    with start(board, elf) as emulator:
        for name in ("input", "counts"):
            answers = encode_packets(emulator.url, vectors[name][:10])
            expected = load_codec(bundle).encode_any(vectors[name][:10])
            assert not Packets.rows(answers.rows, answers.lengths).differ(expected).any()
            assert (answers.ticks > 0).all()  # microseconds


def test_several_models_share_one_core(bundle, tmp_path) -> None:
    other = learned_bundle(tmp_path / "other", name="second").bundle
    write_package(tmp_path / "p", package_files([bundle, other], "plain", sources()))
    assert len(list((tmp_path / "p" / "src").rglob("qcs_model_*.c"))) == 2
    if shutil.which("cmake"):
        run_cmake(tmp_path / "p", tmp_path / "build")
    with pytest.raises(QcsError, match="two models are called the same"):
        package_files([bundle, bundle], "plain", sources())


def test_the_command_replaces_only_packages(bundle_path, tmp_path) -> None:
    runner, out = CliRunner(), tmp_path / "lib"
    arguments = ["package", str(bundle_path), "--to", "plain", "--out", str(out)]
    for _ in range(2):
        assert runner.invoke(build_app(), arguments).exit_code == 0
    (out / "src" / "main.c").write_text("of the user")
    done = runner.invoke(build_app(), arguments)
    assert "holds src/main.c, not listed in its qcskit.json" in str(done.exception)
    assert (out / "src" / "main.c").read_text() == "of the user"
    (out / MARKER).unlink()
    done = runner.invoke(build_app(), arguments)
    assert f"holds no {MARKER}, so it is not replaced" in str(done.exception)
    done = runner.invoke(build_app(), ["package", str(bundle_path), "--to", "arduinno"])
    assert "did you mean 'arduino'?" in str(done.exception)


def test_a_library_of_another_model_is_not_replaced_and_another_release_is_told(bundle_path, tmp_path) -> None:
    runner, out = CliRunner(), tmp_path / "lib"
    command = ["package", "--to", "plain", "--out", str(out)]
    assert "next: in your CMakeLists.txt" in runner.invoke(build_app(), [*command, str(bundle_path)]).stdout
    before = (out / MARKER).read_bytes()
    refused = runner.invoke(build_app(), [*command, str(GOLDEN / "coded_3")])
    assert "is a library of small 3b0f2017e4e5d517, so it is not replaced by one of coded_3" in str(refused.exception)
    assert (out / MARKER).read_bytes() == before
    again = runner.invoke(build_app(), [*command, str(bundle_path), "--json"])
    assert json.loads(again.stdout)["replaced"] is None
    newer = runner.invoke(build_app(), [*command, str(bundle_path), "--version", "2.0.0"])
    assert "it replaces version 0.1.0+3b0f2017e4e5d517 of small 3b0f2017e4e5d517" in " ".join(newer.stdout.split())


def test_the_table_and_the_options_name_the_library(bundle_path, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("qcs.toml").write_text('[package]\nversion = "3.1.4"\nauthor = "Ada"\n')
    done = CliRunner().invoke(build_app(), ["package", str(bundle_path), "-t", "plain", "--author", "Bea", "--json"])
    told = json.loads(done.stdout)
    assert (told["library"], told["version"], told["package"]) == ("qcs_small", "3.1.4", "runs/plain/qcs_small")
    assert "By Bea," in Path("runs/plain/qcs_small/README.md").read_text()


@pytest.mark.parametrize("kind", KINDS)
def test_the_marker_lists_every_file_of_a_package(packages, bundle, kind) -> None:
    package = package_files([bundle], kind, sources(), agent=True)
    listed = json.loads(package.pop(MARKER))
    assert listed["files"] == {name: sha256(content) for name, content in package.items()}
    assert listed["checksum"] == manifest_checksum(listed)


def test_packaging_needs_no_tensorflow(bundle_path, tmp_path) -> None:
    """Nor TFLite's interpreter; of TFLite Micro only the schema, by which a flatbuffer is held against its tables."""
    code = (
        "import sys\nfrom qcskit.cli.package import write\nfrom pathlib import Path\n"
        f"write([Path({str(bundle_path)!r})], 'zephyr', Path({str(tmp_path / 'z')!r}), False)\n"
        "assert not any(name in sys.modules for name in ('tensorflow', 'keras', 'ai_edge_litert'))\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)


def run_cmake(source: Path, build: Path, *options: str) -> None:
    for command in (["cmake", "-S", str(source), "-B", str(build), *options], ["cmake", "--build", str(build)]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def user_project(path: Path, text: str) -> None:
    (path / "CMakeLists.txt").write_text(f"cmake_minimum_required(VERSION 3.16)\nproject(user C)\n{text}")
    run_cmake(path, path / "build")


def assert_predicts(program: Path) -> None:
    done = subprocess.run([str(program)], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("as predicted\n")


def test_no_sample_of_a_recording_leaves_the_house(tmp_path: Path) -> None:
    """Neither windows nor golden vectors of them: a recording may be a person's."""
    codec = transform_bundle(tmp_path / "b", n=8)
    files = package_files([codec.bundle], "plain", sources())
    text = " ".join(b" ".join(files.values()).decode().replace(",", " ").split())
    rows = [*codec.bundle.vectors["counts"].reshape(-1, 8), *codec.counts(codec.sensor.windows)]
    assert not [row for row in rows if " ".join(map(str, row.tolist())) in text]
    assert " ".join(map(str, example_counts(codec).tolist())) in text
