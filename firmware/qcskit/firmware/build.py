"""From C sources and an exported model to the firmware of a board."""

import re
from collections.abc import Sequence
from pathlib import Path

from qcskit.firmware.boards import Board, find_board
from qcskit.firmware.compile import Job, compile_cached
from qcskit.firmware.errors import DoesNotFitError, FirmwareError
from qcskit.firmware.host import WARNINGS, model_sources
from qcskit.firmware.sources import sources
from qcskit.firmware.symbols import static_ram_bytes
from qcskit.firmware.tflm import LIBRARIES, Tflm, glue_object, library_hash

_FREESTANDING = ("-ffreestanding", "-ffunction-sections", "-fdata-sections", "-nostartfiles", "-nodefaultlibs",
                 "-Wl,--gc-sections", "-Wl,--no-warn-rwx-segments")  # fmt: skip

LEAST_STACK_BYTES = 256
"""Of the agent on an AVR: the deepest path is below 200."""


def build(
    board: str | Board, c_dir: Path, model_name: str, *, extra_flags: Sequence[str] = (), tflm: Tflm | None = None
) -> Path:
    """Return the path of a board's firmware with one model: core, serial agent, port and `c_dir/*.c`.

    board: name or entry of the registry. model_name: as in qcs_model_<name>.h of `c_dir`. extra_flags come last.
    tflm: encode with TensorFlow Lite Micro instead of the integer core.
    The result is kept in a cache under a hash of all sources, flags and the compiler.
    Raises MissingToolError naming the Debian package if the compiler is missing, FirmwareError if it fails.
    """
    entry = find_board(board) if isinstance(board, str) else board
    root, c_dir = sources(), Path(c_dir).resolve()
    if not (c_dir / f"qcs_model_{model_name}.h").is_file():
        raise FirmwareError(f"'{c_dir}' holds no qcs_model_{model_name}.h; run 'qcskit export' again")
    directories = [root / "include", root / "src", root / "app", *(root / "ports" / port for port in entry.ports)]
    files = [path for place in directories for path in sorted(place.glob("*.[cS]"))]
    begin = f"-DQCS_MODEL_BEGIN=qcs_{model_name}_tflm_begin"
    glue = (glue_object(entry.compiler, entry.flags, c_dir, tflm),) if tflm else ()
    return _compiled(entry, Job(
            output=f"qcs-{entry.name}.elf",
            compiler=entry.compiler,
            package=entry.package,
            purpose=f"firmware for board {entry.name}",
            flags=("-std=c11", *WARNINGS, *_board_flags(entry, root),
                   *model_flags(model_name, "tflm_codec" if tflm else "codec"), *((begin,) if tflm else ()),
                   f"-DQCS_RX_BYTES={entry.rx_bytes}", *extra_flags),
            sources=(*files, *model_sources(c_dir), *glue),
            include=(*directories, c_dir),
            tail=(*((str(tflm.library.resolve()), *LIBRARIES) if tflm else ()), *_tail(entry, root)),
            key_extra=library_hash(tflm) if tflm else "",
        ))  # fmt: skip


def _compiled(entry: Board, job: Job) -> Path:
    """Return the firmware. Raises DoesNotFitError if the board has not the memory for it."""
    needs = f"board '{entry.name}' cannot hold this model: needs"
    try:
        elf = compile_cached(job)
    except FirmwareError as error:
        region = re.search(r"region `?'?(\w+)'? overflowed by (\d+) bytes", str(error))
        tables = re.search(r"(\d+) bytes of tables, (\d+) in one; AVR takes (\d+) and (\d+)", str(error))
        if region:
            raise DoesNotFitError(f"{needs} {int(region[2]):,} bytes more of {region[1]}") from None
        if re.search(r"is not within region .data", str(error)):
            raise DoesNotFitError(f"{needs} more than its {entry.ram_bytes:,} bytes of RAM") from None
        if tables:
            size, largest, limit, array = (int(number) for number in tables.groups())
            raise DoesNotFitError(f"{needs} {size:,} bytes of tables, {largest:,} in one; 16-bit pointers reach "
                                  f"{limit:,}, an array {array:,}: train a smaller EncNet") from None  # fmt: skip
        raise
    ram = static_ram_bytes(elf)
    if entry.ram_bytes and ram + LEAST_STACK_BYTES > entry.ram_bytes:
        raise DoesNotFitError(f"{needs} {ram:,} bytes of RAM and {LEAST_STACK_BYTES} of stack, has {entry.ram_bytes:,}")
    return elf


def model_flags(model_name: str, codec: str = "codec") -> tuple[str, ...]:
    """Return the definitions by which qcs_main.c finds its model. codec: how the name of its qcs_codec_t ends."""
    sizes = ("INPUTS", "SCRATCH_BYTES", "PACKED_BYTES_MAX")
    return (f'-DQCS_MODEL_HEADER="qcs_model_{model_name}.h"', f"-DQCS_MODEL_CODEC=qcs_{model_name}_{codec}",
            *(f"-DQCS_model_{size}=QCS_{model_name.upper()}_{size}" for size in sizes))  # fmt: skip


def _board_flags(entry: Board, root: Path) -> tuple[str, ...]:
    flags = [flag.replace("{root}", str(root)) for flag in entry.flags]
    if not any(flag.startswith("-DQCS_BAUD=") for flag in flags):
        flags.append(f"-DQCS_BAUD={entry.baud}UL")
    if entry.icount_shift:
        flags.append(f"-DQCS_ICOUNT_SHIFT={entry.icount_shift}")
    if entry.script:
        flags.append(f"-Wl,-T,{root / 'ports' / entry.script}")
    return (*(_FREESTANDING if entry.freestanding else ()), *flags)


def _tail(entry: Board, root: Path) -> tuple[str, ...]:
    libraries = ("-lgcc",) if entry.freestanding else ()
    return (*libraries, *(word.replace("{root}", str(root)) for word in entry.tail))
