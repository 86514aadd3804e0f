"""Only what a model needs of the core is in its library, under the library's own names."""

from pathlib import Path

import pytest
from support.libraries import GOLDEN, WARNINGS, compiled, library, symbols
from support.need import need_tool

from qcskit.export.packages.core import core_texts, defined, needed
from qcskit.firmware import sources

FAMILIES = (
    "int8",
    "int16",
    "coded_3",
    "sq_l1",
    "dct_bounded",
    "dct_fast",
    "klt_rice",
    "lossless",
    "pairs_lloyd",
    "pairs_plane",
    "pairs_range",
)
LIBC = {"memcpy", "memset", "memcmp"}


def files_of(name: str) -> set[str]:
    """The core's C files that a golden bundle needs."""
    text = (GOLDEN / name / "c" / f"qcs_model_{name}.c").read_text()
    return {file for file in needed(core_texts(sources(), agent=True), [text]) if file.endswith(".c")}


def test_a_model_brings_its_own_kernels_and_no_others() -> None:
    assert files_of("coded_3") == {"qcs_coded.c"}
    assert files_of("sq_l1") == {"qcs_classical.c", "qcs_pack.c"}
    assert files_of("lossless") == {"qcs_lossless.c"}
    assert "qcs_transform_rice.c" in files_of("klt_rice") - files_of("dct_fast")
    assert {"qcs_transform_fast.c", "qcs_transform_range.c"} <= files_of("dct_fast") - files_of("klt_rice")
    assert {"qcs_int8_dsp.c", "qcs_int8_pair.c", "qcs_int8_mve.c", "qcs_int8_dense.c"} <= files_of("int8")
    assert not {file for name in FAMILIES for file in files_of(name) if file == "qcs_agent.c"}


def test_every_file_of_the_core_is_some_models() -> None:
    """Else it is dead, or `needed` does not see who calls it."""
    ours = {file.name for file in (sources() / "src").rglob("*.c")}
    assert set().union(*map(files_of, FAMILIES)) == ours


def test_what_an_inline_function_calls_is_needed_if_it_is_named() -> None:
    core = {
        "qcs_a.h": '#include "qcs_b.h"\nvoid qcs_declared(int x);\n',
        "qcs_b.h": "static inline int qcs_twice(int x) {\n  return qcs_once(x); /* qcs_commented() */\n}\n"
        "static inline int qcs_idle(int x) {\n  return qcs_never(x);\n}\n",
        **{f"qcs_{name}.c": f"int qcs_{name}(int x) {{ return x; }}\n"
           for name in ("declared", "once", "commented", "never")},
    }  # fmt: skip
    user = '#include "qcs_a.h"\nint f(int x) {\n  return qcs_twice(x);\n}\n'
    assert set(needed(core, [user])) == {"qcs_a.h", "qcs_b.h", "qcs_once.c"}


def test_what_is_defined_is_what_others_may_call() -> None:
    text = "static int qcs_a(int x) {}\n  return qcs_b(1);\nvoid qcs_c(const t *m,\n   int n) {\n}\nqcs_fn qcs_d;\n"
    assert defined(text) == {"qcs_c"}


def test_libraries_of_every_family_share_no_symbol_and_want_nothing_of_each_other(tmp_path: Path) -> None:
    need_tool("gcc", "gcc")
    seen: dict[str, str] = {}
    for name in FAMILIES:
        root = library(tmp_path, GOLDEN / name, agent=name in ("int8", "sq_l1"))
        objects = compiled(["gcc", "-std=c11", *WARNINGS], sorted((root / "src").rglob("*.c")), tmp_path / f"{name}.o")
        ours, wanted = symbols(objects)
        assert wanted <= LIBC, name
        assert {symbol for symbol in ours if not symbol.startswith(f"qcs_{name}_")} == set()
        assert not ours & seen.keys()
        seen |= dict.fromkeys(ours, name)


@pytest.mark.parametrize("compiler", ["arm-none-eabi-gcc -mcpu=cortex-m4 -mthumb", "avr-gcc -mmcu=atmega2560"])
def test_the_kernels_of_a_core_are_renamed_as_well(compiler: str, tmp_path: Path) -> None:
    tool = compiler.split()[0]
    need_tool(tool, {"avr-gcc": "gcc-avr avr-libc"}.get(tool, "gcc-arm-none-eabi"))
    free = [] if tool == "avr-gcc" else [f"-I{sources() / 'ports' / 'freestanding'}"]
    for name in ("int8", "int16", "klt_rice"):
        root = library(tmp_path, GOLDEN / name)
        command = [*compiler.split(), "-std=c11", "-Os", "-ffreestanding", *free]
        objects = compiled(command, sorted((root / "src").rglob("*.c")), tmp_path / f"{name}.o")
        ours, wanted = symbols(objects, tool.replace("gcc", "nm"))
        assert {symbol for symbol in ours if not symbol.startswith(f"qcs_{name}_")} == set()
        assert {symbol for symbol in wanted if symbol.startswith("qcs_")} == set()
