"""Builds a sketch of an exported Arduino library as the Arduino IDE does, with Debian's arduino-core-avr."""

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HARDWARE = Path("/usr/share/arduino/hardware/arduino/avr")
_COMMON = ("-Os", "-w", "-ffunction-sections", "-fdata-sections", "-DF_CPU=16000000L", "-DARDUINO=10819",
           "-DARDUINO_ARCH_AVR")  # fmt: skip
# avr-gcc 5.4's float.h leaves out DECIMAL_DIG in C++, which the core's WString.cpp wants.
_CXX = ("-std=gnu++11", "-fpermissive", "-fno-exceptions", "-fno-threadsafe-statics", "-DDECIMAL_DIG=9")


def build_sketch(library: Path, example: str, out: Path, mcu: str = "atmega2560", variant: str = "mega") -> Path:
    """Return the ELF file of `library`/examples/<example> for a board; `out` takes the object files."""
    out.mkdir(parents=True, exist_ok=True)
    sketch = out / f"{example}.ino.cpp"
    source = (library / "examples" / example / f"{example}.ino").read_text(encoding="utf-8")
    sketch.write_text(f"#include <Arduino.h>\n{source}", encoding="utf-8")
    core = HARDWARE / "cores" / "arduino"
    include = [f"-I{place}" for place in (core, HARDWARE / "variants" / variant, library / "src")]
    files = [sketch, *(library / "src").rglob("*.c"), *core.glob("*.c"), *core.glob("*.cpp"), *core.glob("*.S")]

    def compile_one(file: Path) -> Path:
        target = out / f"{file.name}.o"
        if file.suffix == ".cpp":
            language = ["avr-g++", *_CXX]
        else:
            language = ["avr-gcc", "-x", "assembler-with-cpp"] if file.suffix == ".S" else ["avr-gcc", "-std=gnu11"]
        subprocess.run([*language, f"-mmcu={mcu}", *_COMMON, *include, "-c", str(file), "-o", str(target)], check=True)
        return target

    with ThreadPoolExecutor(2) as pool:
        objects = list(pool.map(compile_one, files))
    elf = out / f"{example}.elf"
    subprocess.run(["avr-gcc", f"-mmcu={mcu}", "-Os", "-Wl,--gc-sections", *map(str, objects), "-lm", "-o", str(elf)],
                   check=True)  # fmt: skip
    return elf
