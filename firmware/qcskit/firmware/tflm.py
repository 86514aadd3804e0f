"""The same firmware on TensorFlow Lite Micro: the exported glue in front of a library that the user has built.

It shows what an encoder costs a firmware that ships TFLM anyway, and that its bytes are those of the integer core.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from qcskit.firmware.compile import Job, compile_cached
from qcskit.firmware.errors import FirmwareError
from qcskit.firmware.sources import sources

_CXX_FLAGS = ("-std=c++17", "-fno-rtti", "-fno-exceptions", "-fno-threadsafe-statics", "-ffunction-sections",
              "-fdata-sections", "-DTF_LITE_STATIC_MEMORY", "-DTF_LITE_STRIP_ERROR_STRINGS")  # fmt: skip
LIBRARIES = ("-Wl,--defsym=end=qcs_bss_end", "-lstdc++", "-lm", "-lc", "-lnosys", "-lgcc")
"""What TFLM needs of the C and C++ run-time; `end` is where a heap would begin."""


@dataclass(frozen=True)
class Tflm:
    """A TFLM build of the user's.

    library: static library for the board's core and float ABI, made with TF_LITE_STATIC_MEMORY as TFLM's own Makefile
    does. include: its header folders: the TFLM tree, flatbuffers/include, gemmlowp, ruy.
    """

    library: Path
    include: tuple[Path, ...]

    def check(self) -> None:
        """Raise FirmwareError if the library or a header folder is missing."""
        if not self.library.is_file():
            raise FirmwareError(f"no TFLM library '{self.library}'; build it with TFLM's Makefile, target microlite")
        for folder in self.include:
            if not folder.is_dir():
                raise FirmwareError(f"no header folder '{folder}'; give --tflm-include the TFLM tree")
        if not any((folder / "tensorflow/lite/micro/micro_interpreter.h").is_file() for folder in self.include):
            raise FirmwareError("no header folder holds tensorflow/lite/micro/micro_interpreter.h; "
                                "give --tflm-include the TFLM tree")  # fmt: skip


def glue_object(compiler: str, flags: Sequence[str], c_dir: Path, tflm: Tflm) -> Path:
    """Return the exported glue compiled for a core.

    compiler, flags: of the core's C code. Raises FirmwareError if the bundle has no glue or it does not compile,
    MissingToolError if there is no C++ compiler.
    """
    tflm.check()
    glue = c_dir / "qcs_tflm_encoder.cc"
    if not glue.is_file():
        raise FirmwareError(f"'{c_dir}' holds no qcs_tflm_encoder.cc: this codec has no TFLM form")  # fmt: skip
    root = sources()
    machine = tuple(flag for flag in flags if flag.startswith(("-m", "-O")))
    return compile_cached(
        Job("qcs_tflm_encoder.o", compiler.removesuffix("gcc") + "g++", "libstdc++-arm-none-eabi-newlib",
            "TFLM glue", (*machine, *_CXX_FLAGS, "-c"), (glue,),
            (root / "include", root / "src", c_dir, *(folder.resolve() for folder in tflm.include)),
            key_extra=library_hash(tflm))
    )  # fmt: skip


def library_hash(tflm: Tflm) -> str:
    """Return what tells one TFLM build from another."""
    return hashlib.sha256(tflm.library.read_bytes()).hexdigest()
