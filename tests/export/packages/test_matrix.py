"""Two libraries in one program: no warning of any compiler, standard and option; corners always, the rest if slow."""

import itertools
import subprocess
from pathlib import Path

import pytest
from support.libraries import GOLDEN, WARNINGS, compiled, library
from support.need import need_tool

from qcskit.firmware import CORES, sources

STRICT = (*WARNINGS, "-Wsign-conversion", "-Wundef", "-Wstrict-prototypes", "-Wmissing-prototypes")
LEVELS = ("-O0", "-O1", "-O2", "-O3", "-Os")
MORE = ("", "-flto -fshort-enums -funsigned-char")
PAIR = ("int8", "klt_range")
ALL = ("int8", "native", "int16", "coded_3", "sq_l1", "dct_bounded", "dct_fast", "klt_range", "klt_rice", "lossless")
HOST = {"gcc": "gcc", "clang": "clang"}
CXX = {"g++": "g++", "clang++": "clang", "arm-none-eabi-g++": "gcc-arm-none-eabi",
       "riscv64-unknown-elf-g++": "gcc-riscv64-unknown-elf", "avr-g++": "gcc-avr avr-libc"}  # fmt: skip
STANDARDS = (("c++11",), ("c++14",), ("c++17", "c++1z"), ("c++20", "c++2a"), ("c++23", "c++2b"))
"""Names of each, newer and older compilers'."""


def command(name: str) -> list[str]:
    """Compiler and processor: of the host, or of a core. Skip if it is not here."""
    core = CORES.get(name)
    if core is None:
        need_tool(name, HOST[name])
        return [name]
    need_tool(core.compiler, core.package)
    free = [] if core.name == "AVR" else [f"-I{sources() / 'ports' / 'freestanding'}"]
    return [core.compiler, *core.flags, "-ffreestanding", *free]


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the libraries of golden bundles, made when they are used."""
    return tmp_path_factory.mktemp("libraries")


def made(libraries: Path, name: str) -> Path:
    """The library of a golden bundle."""
    path = libraries / f"qcs_{name}"
    return path if path.exists() else library(libraries, GOLDEN / name)


def use(names: tuple[str, ...]) -> str:
    """A program that includes the header of each model, tests and encodes."""
    headers = "".join(f'#include "qcs_{name}.h"\n' for name in names)
    memory = "".join(
        f"static qcs_{name}_counts_t counts_{name};\nstatic qcs_{name}_packed_t packed_{name};\n"
        f"static qcs_{name}_scratch_t scratch_{name};\n"
        for name in names
    )
    calls = "".join(
        f"  n += qcs_{name}_encode(&counts_{name}, &packed_{name}, &scratch_{name}) == 0;\n"
        f"  n += qcs_{name}_self_test(&counts_{name}, &packed_{name}, &scratch_{name});\n"
        for name in names
    )
    return f"{headers}\n{memory}\nint main(void);\nint main(void) {{\n  int n = 0;\n{calls}  return n;\n}}\n"


def build(libraries: Path, names: tuple[str, ...], command: list[str], out: Path) -> list[Path]:
    """Compile the libraries and a program that uses them all."""
    files = [file for name in names for file in sorted((made(libraries, name) / "src").rglob("*.c"))]
    objects = []
    for place in {file.parent for file in files}:  # files of one name in two libraries
        objects += compiled([*command, *STRICT], [f for f in files if f.parent == place], out / place.parents[1].name)
    main = out / "main.c"
    main.write_text(use(names))
    include = [f"-I{made(libraries, name) / 'include'}" for name in names]
    return objects + compiled([*command, *STRICT, *include], [main], out / "main")


CORNERS = {
    "gcc": "-std=c2x -O3 -flto -fshort-enums", "clang": "-std=c11 -O1 -funsigned-char",
    "Cortex-M0+": "-std=c11 -O0 -fshort-enums", "Cortex-M4": "-std=c17 -O3 -flto -funsigned-char",
    "Cortex-M55": "-std=c11 -Os", "RV32IMC": "-std=gnu11 -O2 -flto -fshort-enums",
    "AVR": "-std=c11 -O1 -fshort-enums -funsigned-char",
}  # fmt: skip


@pytest.mark.parametrize("name", CORNERS)
def test_two_libraries_compile_without_a_warning(libraries: Path, name: str, tmp_path: Path) -> None:
    objects = build(libraries, PAIR, [*command(name), *CORNERS[name].split()], tmp_path)
    if name in HOST:
        link(name, CORNERS[name], objects, tmp_path / "program")


def link(compiler: str, flags: str, objects: list[Path], program: Path) -> None:
    """Link and run: a name that both define, or a packet that differs, fails."""
    subprocess.run([compiler, *flags.split(), *map(str, objects), "-o", str(program)], check=True)
    assert subprocess.run([str(program)], check=False).returncode == 0


@pytest.mark.parametrize("compiler", CXX)
def test_the_headers_compile_from_every_c_plus_plus(libraries: Path, compiler: str, tmp_path: Path) -> None:
    need_tool(compiler, CXX[compiler])
    main = tmp_path / "main.cpp"
    main.write_text(use(PAIR))
    include = [f"-I{made(libraries, name) / 'include'}" for name in PAIR]
    known = [next((name for name in names if knows(compiler, name)), None) for names in STANDARDS]
    assert known[0]
    for standard in filter(None, known):
        for flags in ([], ["-fshort-enums", "-funsigned-char"]):
            done = subprocess.run([compiler, f"-std={standard}", *WARNINGS, *flags, "-ffreestanding", "-fsyntax-only",
                                   *include, str(main)], capture_output=True, text=True, check=False)  # fmt: skip
            assert done.returncode == 0, done.stderr


def knows(compiler: str, standard: str) -> bool:
    """Tell whether a compiler takes a standard of this name."""
    words = [compiler, f"-std={standard}", "-fsyntax-only", "-x", "c++", "/dev/null"]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize(("name", "level"), list(itertools.product([*HOST, *CORES], LEVELS)))
def test_every_family_compiles_without_a_warning(libraries: Path, name: str, level: str, tmp_path: Path) -> None:
    """At each level as it is, and with LTO, short enums and unsigned char."""
    for number, more in enumerate(MORE):
        flags = f"-std=c11 {level} {more}"
        objects = build(libraries, ALL, [*command(name), *flags.split()], tmp_path / str(number))
        if name in HOST:
            link(name, flags, objects, tmp_path / str(number) / "program")
