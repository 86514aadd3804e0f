"""What an encoder costs on a core: flash, static RAM and worst stack, from the compiler's own output.

The core and one model are linked with everything unused thrown away; nothing else (no start-up code, no serial agent)
is counted. Stack: the deepest path of the call graph below the encoder that GCC writes (-fcallgraph-info=su), and
what functions written in assembly push, which GCC does not know, from their machine code.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from qcskit.firmware.compile import Job, compile_cached
from qcskit.firmware.cores import Core
from qcskit.firmware.errors import FirmwareError
from qcskit.firmware.host import WARNINGS, c_directory, model_sources
from qcskit.firmware.sources import sources
from qcskit.firmware.symbols import functions
from qcskit.firmware.tflm import LIBRARIES, Tflm, glue_object, library_hash

_INDIRECT = "__indirect_call"
"""GCC's node for a call through a pointer."""


@dataclass(frozen=True)
class Footprint:
    """Bytes of one encoder on one core. stack_bytes: None where the compiler does not tell it (avr-gcc 5, TFLM)."""

    core: str
    code_bytes: int
    table_bytes: int
    ram_bytes: int
    stack_bytes: int | None

    @property
    def flash_bytes(self) -> int:
        """Code and tables."""
        return self.code_bytes + self.table_bytes


@dataclass(frozen=True)
class Memory:
    """Bytes that a caller provides on one core, as its compiler lays them out.

    scratch_bytes: the core's form of the tables decides. io_bytes: counts and packet. agent_ram_bytes: all that the
    serial agent keeps, with the smallest receive buffer that takes a packet's frame; scratch and packet are in it.
    """

    scratch_bytes: int
    io_bytes: int
    agent_ram_bytes: int


_PROBE = """\
#include "qcs_agent.h"
#include "qcs_model_{name}.h"
extern qcs_{name}_scratch_t probe_scratch;
qcs_{name}_scratch_t probe_scratch;
extern qcs_{name}_counts_t probe_counts;
qcs_{name}_counts_t probe_counts;
extern qcs_{name}_packed_t probe_packed;
qcs_{name}_packed_t probe_packed;
QCS_AGENT_DEFINE(memory, {NAME}, QCS_AGENT_FRAME_BYTES(2 * QCS_{NAME}_INPUTS));
extern qcs_agent_t memory_agent;
qcs_agent_t memory_agent;
const qcs_agent_memory_t *probe(void);
const qcs_agent_memory_t *probe(void) {{ return &memory; }}
"""


def memory(core: Core, c_dir: Path, model_name: str) -> Memory:
    """Return what the caller of a model `c_dir/qcs_model_<model_name>.h` provides on `core`.

    Raises MissingToolError naming the Debian package if the compiler is missing, FirmwareError if it fails.
    """
    root = sources()
    place = c_directory({"probe.c": _PROBE.format(name=model_name, NAME=model_name.upper())})
    free = () if core.name == "AVR" else (root / "ports" / "freestanding",)
    probe = compile_cached(
        Job(
            output="probe.o",
            compiler=core.compiler,
            package=core.package,
            purpose=f"memory on {core.name}",
            flags=("-std=c11", *WARNINGS, "-O1", *core.flags, "-ffreestanding", "-fno-common", "-c"),
            sources=(place / "probe.c",),
            include=(root / "include", root / "app", Path(c_dir).resolve(), *free),
        )
    )
    sizes = _object_sizes(probe)
    agent = sum(size for name, size in sizes.items() if name.startswith("memory_"))
    return Memory(sizes["probe_scratch"], sizes["probe_counts"] + sizes["probe_packed"], agent)


def _object_sizes(elf: Path) -> dict[str, int]:
    """Return the size of each variable of an object file, by name."""
    with elf.open("rb") as file:
        return {
            symbol.name: symbol["st_size"]
            for section in ELFFile(file).iter_sections()
            if isinstance(section, SymbolTableSection)
            for symbol in section.iter_symbols()
            if symbol["st_info"]["type"] == "STT_OBJECT"
        }


def footprint(
    core: Core, c_dir: Path, model_name: str, optimise: str = "-O2", tflm: Tflm | None = None, flags: Sequence[str] = ()
) -> Footprint:
    """Return what the model `c_dir/qcs_model_<model_name>.c` and the C core take on `core`.

    flags: further ones. tflm: what the model takes on TensorFlow Lite Micro instead; its stack is not known.
    Raises MissingToolError naming the Debian package if the compiler is missing, FirmwareError if it fails.
    """
    root, c_dir = sources(), Path(c_dir).resolve()
    avr = core.name == "AVR"
    include = [root / "include", root / "src", c_dir]
    files = [*sorted((root / "src").glob("*.c")), *model_sources(c_dir)]
    if not avr:  # avr-libc is always there
        include.append(root / "ports" / "freestanding")
        files.append(root / "ports" / "freestanding" / "qcs_string.c")
    entry = keep = f"qcs_{model_name}_encode"
    glue: tuple[Path, ...] = ()
    libraries: tuple[str, ...] = ("-lgcc",)
    if tflm:
        entry, keep = f"qcs_{model_name}_tflm_begin", f"qcs_{model_name}_tflm_codec"
        glue = (glue_object(core.compiler, (*core.flags, optimise), c_dir, tflm),)
        libraries = (str(tflm.library.resolve()), "-Wl,--defsym=qcs_bss_end=0", *LIBRARIES)
    elf = compile_cached(
        Job(
            output="footprint.elf",
            compiler=core.compiler,
            package=core.package,
            purpose=f"cost on {core.name}",
            flags=("-std=c11", *WARNINGS, optimise, *core.flags, *flags, "-ffunction-sections", "-fdata-sections",
                   *(() if avr else ("-ffreestanding", "-fcallgraph-info=su")), "-nostartfiles", "-nodefaultlibs",
                   f"-Wl,--gc-sections,-e,{entry},-u,{entry},-u,{keep}"),
            sources=(*files, *glue),
            include=tuple(include),
            tail=libraries,
            key_extra=library_hash(tflm) if tflm else "",
        )
    )  # fmt: skip
    code, tables, ram = _sizes(elf)
    unknown = avr or tflm is not None
    return Footprint(core.name, code, tables, ram, None if unknown else _stack(elf, entry))


def _sizes(elf: Path) -> tuple[int, int, int]:
    """Return (code, tables, static RAM) in bytes; initialised data counts in flash and in RAM."""
    with elf.open("rb") as file:
        image = ELFFile(file)
        flash = ram = 0
        for section in image.iter_sections():
            if not section["sh_flags"] & SH_FLAGS.SHF_ALLOC:
                continue
            stored = section["sh_type"] != "SHT_NOBITS"
            flash += section["sh_size"] if stored else 0
            ram += section["sh_size"] if section["sh_flags"] & SH_FLAGS.SHF_WRITE else 0
        tables = sum(
            symbol["st_size"]
            for section in image.iter_sections()
            if isinstance(section, SymbolTableSection)
            for symbol in section.iter_symbols()
            if symbol["st_info"]["type"] == "STT_OBJECT" and isinstance(symbol["st_shndx"], int)
            and image.get_section(symbol["st_shndx"])["sh_type"] != "SHT_NOBITS"
        )  # fmt: skip
    return flash - tables, tables, ram


def _pushed(elf: Path) -> dict[str, int]:
    """Return the bytes that each Arm function's own pushes take, by name; nothing for other processors."""
    with elf.open("rb") as file:
        image = ELFFile(file)
        if image["e_machine"] != "EM_ARM":
            return {}
        symbols = [
            symbol
            for section in image.iter_sections()
            if isinstance(section, SymbolTableSection)
            for symbol in section.iter_symbols()
            if symbol["st_info"]["type"] == "STT_FUNC" and symbol["st_size"]
        ]
        found = {}
        for symbol in symbols:
            section = image.get_section(symbol["st_shndx"])
            start = (symbol["st_value"] & ~1) - section["sh_addr"]
            found[symbol.name] = pushed_bytes(section.data()[start : start + symbol["st_size"]])
        return found


def pushed_bytes(code: bytes) -> int:
    """Return the bytes that PUSH, PUSH.W and VPUSH of double registers take in Thumb code (Armv8-M manual, C2.4).

    >>> pushed_bytes(bytes.fromhex("f0b5 2de9f00f 2ded108b"))  # push {r4-r7, lr}; push {r4-r11}; vpush {d8-d15}
    116
    """
    halves = [int.from_bytes(code[i : i + 2], "little") for i in range(0, len(code) - 1, 2)]
    total = place = 0
    while place < len(halves):
        first = halves[place]
        long = first >> 11 in (0b11101, 0b11110, 0b11111) and place + 1 < len(halves)
        if first >> 9 == 0b1011010:
            total += 4 * (first & 0x1FF).bit_count()
        elif long and first == 0xE92D:
            total += 4 * halves[place + 1].bit_count()
        elif long and first & 0xFFBF == 0xED2D and halves[place + 1] >> 8 & 0xF == 0xB:
            total += 4 * (halves[place + 1] & 0xFF)
        place += 2 if long else 1
    return total


def _stack(elf: Path, entry: str) -> int:
    linked = frozenset(symbol.name for symbol in functions(elf))
    return worst_stack(elf.parent, entry, _pushed(elf), linked)


def worst_stack(
    folder: Path, entry: str, pushed: Mapping[str, int] | None = None, linked: frozenset[str] = frozenset()
) -> int:
    """Return the bytes of the deepest call path below `entry`, from the .ci files that GCC left in `folder`.

    pushed: per function what its machine code pushes, for those that GCC gives no frame: naked ones in assembly.
    linked: the functions that stayed. A call through a pointer may reach each of them that nothing calls by name.

    Functions of libgcc (64-bit multiplication on cores without it) are not in the graph; they need a few words more.
    Raises FirmwareError if the graph holds a recursion or lacks `entry`.
    """
    frames: dict[str, int] = {}
    calls: dict[str, set[str]] = {}
    for file in sorted(folder.glob("*.ci")):
        text = file.read_text(encoding="utf-8")
        for name, size in re.findall(r'node: \{ title: "([^"]+)" label: "[^"]*?(\d+) bytes \(', text):
            frames[name] = int(size)
        for caller, callee in re.findall(r'edge: \{ sourcename: "([^"]+)" targetname: "([^"]+)"', text):
            calls.setdefault(caller, set()).add(callee)
    for title in [title for title, size in frames.items() if size == 0]:
        frames[title] = (pushed or {}).get(_name(title), 0)
    called = set().union(*calls.values()) if calls else set()
    calls[_INDIRECT] = {title for title in frames if title not in called | {entry} and _name(title) in linked}
    if entry not in frames:
        raise FirmwareError(f"the compiler wrote no call graph of {entry}")
    return _deepest(entry, frames, calls, ())


def _name(title: str) -> str:
    """Return the function of a node: a static one is "file:name"."""
    return title.rpartition(":")[2]


def _deepest(name: str, frames: dict[str, int], calls: dict[str, set[str]], path: Sequence[str]) -> int:
    if name in path:
        raise FirmwareError(f"{name} calls itself: its stack has no bound")
    below = (_deepest(callee, frames, calls, (*path, name)) for callee in calls.get(name, ()))
    return frames.get(name, 0) + max(below, default=0)
