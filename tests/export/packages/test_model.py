"""The public header and the self-test of a library: two in one program, wrong memory refused, wrong bytes found."""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from support.bundles import BUNDLES
from support.libraries import GOLDEN, WARNINGS, compiled, library
from support.need import need_tool

from qcskit.export.packages.model import self_test_vectors

TOGETHER = ("int8", "native", "int16", "coded_3", "klt_range", "lossless", "sq_l1")


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a library of each golden bundle of `TOGETHER`; two of them hold the same kernels."""
    root = tmp_path_factory.mktemp("together")
    for name in TOGETHER:
        library(root, GOLDEN / name, version="2.3.4-rc.1")
    return root


def program(names: tuple[str, ...]) -> str:
    """A C or C++ program that tests and uses models."""
    lines = "".join(
        f"  {{\n    static qcs_{name}_counts_t counts;\n    static qcs_{name}_packed_t packed;\n"
        f"    static qcs_{name}_scratch_t scratch;\n"
        f"    failed += qcs_{name}_self_test(&counts, &packed, &scratch);\n"
        f"    failed += qcs_{name}_encode(&counts, &packed, &scratch) > QCS_{name.upper()}_PACKED_BYTES_MAX;\n  }}\n"
        for name in names
    )
    headers = "".join(f"#include <qcs_{name}.h>\n" for name in names)
    return f"{headers}int main(void);\nint main(void) {{\n  int failed = 0;\n{lines}  return failed;\n}}\n"


@pytest.fixture(scope="module")
def objects(together: Path) -> list[Path]:
    """All of them, compiled."""
    need_tool("gcc", "gcc")
    found = []
    for name in TOGETHER:
        files = sorted((together / f"qcs_{name}" / "src").rglob("*.c"))
        found += compiled(["gcc", "-std=c11"], files, together / "objects" / name)
    return found


@pytest.mark.parametrize("language", ["c", "c++"])
def test_models_of_all_families_live_in_one_program(
    together: Path, objects: list[Path], language: str, tmp_path: Path
) -> None:
    compiler = "gcc" if language == "c" else "g++"
    need_tool(compiler, compiler)
    include = [f"-I{together / f'qcs_{name}' / 'include'}" for name in TOGETHER]
    main = tmp_path / "main.x"
    main.write_text(program(TOGETHER))
    subprocess.run([compiler, "-x", language, *WARNINGS, *include, str(main), "-x", "none", *map(str, objects),
                    "-o", str(tmp_path / "program")], check=True)  # fmt: skip
    assert subprocess.run([str(tmp_path / "program")], check=False).returncode == 0


def test_the_header_says_what_a_program_asks_at_compile_time(together: Path, tmp_path: Path) -> None:
    need_tool("gcc", "gcc")
    text = (together / "qcs_int8" / "include" / "qcs_int8.h").read_text()
    comment = " ".join(text.partition("*/\n#ifndef")[0].replace("\n *", " ").split())
    for word in ("Interrupts and RTOS", "Stack: at most 224 bytes", "Alignment", "no heap"):
        assert word in comment
    assert re.findall(r"#include (\S+)", text) == ["<stdint.h>"]
    words = set(re.findall(r"\bqcs_\w+", re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL), re.IGNORECASE))
    shared = {word for word in words if not word.lower().startswith("qcs_int8_")}
    assert shared == {"QCS_MODEL_INT8_H", "QCS_PLAIN", "qcs_codec"}
    main = tmp_path / "main.c"
    main.write_text(
        '#include "qcs_int8.h"\n'
        "#if QCS_INT8_LIBRARY_VERSION_MAJOR != 2 || QCS_INT8_LIBRARY_VERSION_MINOR != 3\n#error version\n#endif\n"
        "#if QCS_INT8_ADC_BITS != 12 || QCS_INT8_LIBRARY_VERSION_PATCH != 4 || QCS_INT8_WINDOW != 16\n#error\n#endif\n"
        '_Static_assert(sizeof QCS_INT8_LIBRARY_VERSION == sizeof "2.3.4-rc.1", "");\n'
        '_Static_assert(sizeof QCS_INT8_MODEL_ID == 17 && QCS_INT8_RATE_BITS == 0.875, "");\n'
        '_Static_assert(sizeof(qcs_int8_scratch_t) >= QCS_INT8_SCRATCH_BYTES, "");\n'
    )
    command = ["gcc", "-std=c11", "-fsyntax-only", f"-I{together / 'qcs_int8' / 'include'}"]
    for macro in ("", "-DQCS_PLAIN"):
        subprocess.run([*command, *filter(None, [macro]), str(main)], check=True)


USES = {
    "right": "qcs_int8_encode(&counts, &packed, &scratch)",
    "another model's counts": "qcs_int8_encode(&others, &packed, &scratch)",
    "bare numbers": "qcs_int8_encode(samples, &packed, &scratch)",
    "a short buffer": "qcs_int8_encode(&counts, bytes, &scratch)",
    "the address of a short buffer": "qcs_int8_encode(&counts, &bytes, &scratch)",
    "constant memory to write": "qcs_int8_encode(&counts, &fixed, &scratch)",
    "any pointer": "qcs_int8_encode(&counts, &packed, anything)",
    "another model's scratch": "qcs_int8_encode(&counts, &packed, &work)",
    "memory in another order": "qcs_int8_encode(&packed, &counts, &scratch)",
    "a scratch too few": "qcs_int8_encode(&counts, &packed)",
}
COMPILERS = {
    "gcc": "gcc", "clang": "clang", "g++": "g++", "clang++": "clang",
    "arm-none-eabi-gcc": "gcc-arm-none-eabi", "arm-none-eabi-g++": "gcc-arm-none-eabi",
    "riscv64-unknown-elf-gcc": "gcc-riscv64-unknown-elf", "riscv64-unknown-elf-g++": "gcc-riscv64-unknown-elf",
    "avr-gcc": "gcc-avr avr-libc", "avr-g++": "gcc-avr avr-libc",
}  # fmt: skip


@pytest.mark.parametrize("compiler", COMPILERS)
def test_memory_of_a_wrong_type_or_size_is_an_error_of_every_compiler(
    together: Path, compiler: str, tmp_path: Path
) -> None:
    """Without a flag: not a warning that a build may overlook. It holds for const counts too."""
    need_tool(compiler, COMPILERS[compiler])
    include = [f"-I{together / f'qcs_{name}' / 'include'}" for name in ("int8", "native")]
    standard = "-std=c++11" if compiler.endswith("++") else "-std=c11"
    ending = "cpp" if compiler.endswith("++") else "c"
    for use, call in USES.items():
        source = tmp_path / f"use.{ending}"
        source.write_text(
            '#include "qcs_int8.h"\n#include "qcs_native.h"\n'
            "extern const qcs_int8_counts_t counts;\nextern const qcs_native_counts_t others;\n"
            "extern qcs_int8_packed_t packed;\nextern const qcs_int8_packed_t fixed;\nextern uint8_t bytes[1];\n"
            "extern int16_t samples[QCS_INT8_INPUTS];\nextern qcs_int8_scratch_t scratch;\n"
            "extern qcs_native_scratch_t work;\nextern void *anything;\n"
            f"uint16_t use(void);\nuint16_t use(void) {{ return {call}; }}\n"
        )
        done = subprocess.run([compiler, standard, "-fsyntax-only", "-ffreestanding", *include, str(source)],
                              capture_output=True, text=True, check=False)  # fmt: skip
        assert (done.returncode == 0) == (use == "right"), f"{compiler}: {use}: {done.stderr}"


def test_the_entry_is_a_function_whose_address_can_be_taken(together: Path, tmp_path: Path) -> None:
    need_tool("gcc", "gcc")
    (tmp_path / "use.c").write_text(
        '#include "qcs_int8.h"\nuint16_t (*const entry)(const qcs_int8_counts_t *, qcs_int8_packed_t *,\n'
        "    qcs_int8_scratch_t *) = qcs_int8_encode;\n"
    )
    compiled(["gcc", "-std=c11", *WARNINGS, f"-I{together / 'qcs_int8' / 'include'}"], [tmp_path / "use.c"], tmp_path)


@pytest.mark.parametrize("wrong", ["tables", 1, 2, 3, 4, "length"])
def test_the_self_test_names_the_packet_that_differs(together: Path, wrong: str | int, tmp_path: Path) -> None:
    """A bit of the model's tables, one of the bytes expected of each packet, the last packet's length."""
    need_tool("gcc", "gcc")
    shutil.copytree(together / "qcs_lossless", tmp_path / "copy")
    src = tmp_path / "copy" / "src" / "core"
    model, test = (src / "qcs_model_lossless.c").read_text(), (src / "qcs_self_test_lossless.c").read_text()
    lengths = [int(n) for n in re.findall(r"lengths\[4\] QCS_ROM = \{(.*)\}", test)[0].split(",")]
    number = 4 if wrong == "length" else wrong
    if wrong == "tables":
        model, places = re.subn(r"\.start = \d+", ".start = 65528", model)
        assert places == 1
        number = 1
    elif wrong == "length":
        test = test.replace(f"{lengths[3]}}}", f"{lengths[3] - 1}}}")
    else:
        table = re.compile(r"(?<=QCS_ROM = \{)[^}]*(?=\};\nstatic const uint16_t lengths)")
        packets = table.search(test)[0].split(",")
        place = sum(lengths[:number]) - 1
        packets[place] = f" {int(packets[place]) ^ 1}"
        test = table.sub(",".join(packets), test)
    for name, text in (("model_lossless.c", model), ("self_test_lossless.c", test), ("main.c", program(("lossless",)))):
        (src / f"qcs_{name}").write_text(text)
    subprocess.run(["gcc", "-std=c11", f"-I{src.parents[1] / 'include'}", *map(str, src.glob("*.c")),
                    "-o", str(tmp_path / "program")], check=True)  # fmt: skip
    assert subprocess.run([str(tmp_path / "program")], check=False).returncode == number


@pytest.mark.parametrize("name", ["int8", "transform", "coded"])
def test_the_vectors_reach_from_small_noise_to_the_ends_of_the_range(name: str, tmp_path: Path) -> None:
    codec = BUNDLES[name](tmp_path / "b")
    vectors = self_test_vectors(codec)
    low, high = codec.limits()
    assert ((vectors >= low) & (vectors <= high)).all()
    assert set(np.unique(vectors[-1])) <= {*low, *high}
    spread = vectors[:3].astype(float).std(axis=1)
    assert spread[0] < spread[1] < spread[2]
