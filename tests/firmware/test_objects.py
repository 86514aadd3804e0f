"""What the compilers made of the C core: no floating point, no division, no libc beyond memcpy and memset; names."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from support.bundles import learned_bundle

from qcskit.firmware import HostCodec, build_host_library, c_directory, sources
from qcskit.firmware.host import WARNINGS

ROOT = sources()
FREESTANDING = ("-ffreestanding", "-isystem", str(ROOT / "ports" / "freestanding"))


@dataclass(frozen=True)
class Target:
    """A compiler with its flags."""

    compiler: str
    package: str
    flags: tuple[str, ...]

    @property
    def prefix(self) -> str:
        return self.compiler.removesuffix("gcc") if self.compiler not in ("gcc", "clang") else ""

    def need(self) -> None:
        if shutil.which(self.compiler) is None:
            pytest.skip(f"needs {self.compiler}: sudo apt-get install {self.package}")

    def compile(self, sources: list[Path], out_dir: Path, *flags: str) -> list[Path]:
        include = [f"-I{ROOT / place}" for place in ("include", "src", "app")]
        command = [self.compiler, "-std=c11", *WARNINGS, *flags, *self.flags, *include, "-c", *map(str, sources)]
        subprocess.run(command, check=True, timeout=60, cwd=out_dir)
        return [out_dir / f"{source.stem}.o" for source in sources]


def arm(cpu: str) -> Target:
    return Target("arm-none-eabi-gcc", "gcc-arm-none-eabi", (f"-mcpu={cpu}", "-mthumb", *FREESTANDING))


TARGETS = {
    "gcc": Target("gcc", "gcc", ()),
    "clang": Target("clang", "clang", ()),
    "cortex-m0": arm("cortex-m0"),
    "cortex-m4": arm("cortex-m4"),
    "cortex-m33": arm("cortex-m33"),
    "rv32": Target(
        "riscv64-unknown-elf-gcc", "gcc-riscv64-unknown-elf", ("-march=rv32imc", "-mabi=ilp32", *FREESTANDING)
    ),
    "avr": Target("avr-gcc", "gcc-avr", ("-mmcu=atmega2560",)),
}
# Integer helpers of the compilers' own libraries: 64-bit shifts, compare and multiply, AVR register saving.
ALLOWED = re.compile(
    r"memcpy|memset|qcs_\w+|_GLOBAL_OFFSET_TABLE_|__stack_chk_fail|__aeabi_(lmul|llsl|llsr|lasr|lcmp|ulcmp)"
    r"|__gnu_thumb1_case_\w+|__u?mul\w*[sdhq]i3?(_const)?|__(ashl|lshr|ashr|add|sub|neg|cmp|ucmp)di[23]?(_s8)?"
    r"|__muluh?s?isi3|__mulhisi3|__umulhisi3|__usmulhisi3|__mulsidi3|__umulsidi3|__muluhisi3|__mulshisi3"
    r"|__(prologue_saves|epilogue_restores)__|__do_(copy_data|clear_bss)|__adddi3_s8|__subdi3|__cmpdi2_s8|__tablejump\w*"
)
DIVISION = re.compile(r"\t(udiv|sdiv|i?div[lqbw]?|divu?w?|remu?w?)\s")
FLOAT = re.compile(
    r"\t(v(add|sub|mul|div|cvt|fma|mla)\.f\d+|f(add|sub|mul|div|cvt)\S*\s|(add|mul|div|sub|cvt)\w*[sp][sd]\s)"
)


@pytest.mark.parametrize("name", TARGETS)
def test_objects_hold_integers_only(name: str, tmp_path: Path) -> None:
    target = TARGETS[name]
    target.need()
    optimize = "-O3" if name in ("gcc", "cortex-m33") else "-Os"
    objects = target.compile([*(ROOT / "src").glob("*.c"), ROOT / "app" / "qcs_agent.c"], tmp_path, optimize)
    text = subprocess.run(
        [f"{target.prefix}objdump", "-t", "-d", *objects], capture_output=True, text=True, check=True
    ).stdout
    undefined = {line.split()[-1] for line in text.splitlines() if "*UND*" in line}
    assert [symbol for symbol in undefined if not ALLOWED.fullmatch(symbol)] == []
    assert text.count("<qcs_agent_poll>:") == 1
    assert DIVISION.search(text) is None
    assert FLOAT.search(text) is None


def test_agent_is_at_most_two_kilobytes_on_cortex_m4(tmp_path: Path) -> None:
    target = TARGETS["cortex-m4"]
    target.need()
    (agent,) = target.compile([ROOT / "app" / "qcs_agent.c"], tmp_path, "-Os")
    size = subprocess.run(["arm-none-eabi-size", agent], capture_output=True, text=True, check=True).stdout
    assert int(size.splitlines()[1].split()[0]) <= 2048


GENERATED = re.compile(r"qcs_[a-z0-9_]+_(encode|codec|counts_t|packed_t|scratch_t)")
GENERATED_MACRO = re.compile(r"QCS_[A-Z0-9_]+_(INPUTS|OUTPUTS|LEVELS|PACKED_BYTES_MAX|SCRATCH_BYTES)")


def test_no_name_of_the_core_is_one_that_a_model_can_have() -> None:
    """Any model name is allowed: what the exporter generates ends in a way that nothing of the core does."""
    done = subprocess.run(["nm", "--defined-only", build_host_library()], capture_output=True, text=True, check=True)
    symbols = {line.split()[-1] for line in done.stdout.splitlines()}
    assert {"qcs_encode_int8", "qcs_int8_encode_counts", "qcs_host_batch"} <= symbols
    assert [symbol for symbol in symbols if GENERATED.fullmatch(symbol)] == []
    text = "".join(file.read_text() for place in ("include", "src", "app") for file in (ROOT / place).glob("*.h"))
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    assert [name for name in re.findall(r"\bqcs_\w+_t\b", text) if GENERATED.fullmatch(name)] == []
    assert [name for name in re.findall(r"#define (QCS_\w+)", text) if GENERATED_MACRO.fullmatch(name)] == []


@pytest.mark.parametrize("name", ["encode", "codec", "int8", "int16", "host", "coded", "classical", "agent", "pack"])
def test_a_model_may_have_the_name_of_a_part_of_the_core(name: str, tmp_path: Path) -> None:
    codec = learned_bundle(tmp_path / "b", name=name)
    host = HostCodec(build_host_library(c_directory(codec.checked_c_files())), f"qcs_{name}_codec")
    counts = np.random.default_rng(1).integers(-2048, 2048, (50, codec.inputs)).astype(np.int16)
    assert np.array_equal(host.encode(counts).rows.ravel(), codec.encode_counts(counts).bytes)
