"""What the compilers made of the C core: no floating point, no division, no libc beyond memcpy and memset."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from qcskit.firmware import sources
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
