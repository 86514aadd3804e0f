"""The serial agent with real codecs behind it, built with sanitizers around the driver tests/firmware/fuzz_agent.c."""

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from qcskit.codec.interface import Codec
from qcskit.firmware import c_directory, sources
from qcskit.firmware.compile import Job, compile_cached

_DRIVER = Path(__file__).parents[1] / "firmware" / "fuzz_agent.c"
_PATIENCE_S, _SLOWEST_PER_S = 20.0, 500.0
SANITIZERS = {
    "ASan, UBSan": ("gcc", ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")),
    "MSan": ("clang", ("-fsanitize=memory", "-fno-sanitize-recover=all")),
}


def fuzz_program(codecs: Sequence[Codec], sanitizers: str) -> Path:
    """Return the driver with all of these codecs, by number. Raises FirmwareError if a compiler has no such runtime."""
    compiler, flags = SANITIZERS[sanitizers]
    root, text = sources(), {name: text for codec in codecs for name, text in codec.c_files().items()}
    heads = "".join(f'#include "qcs_model_{codec.name}.h"\n' for codec in codecs)
    names = ", ".join(f"&qcs_{codec.name}_codec" for codec in codecs)
    table = "extern const qcs_codec_t *const fuzz_models[];\nconst qcs_codec_t *const fuzz_models[]"
    place = c_directory(text | {"models.c": f"{heads}{table} = {{{names}}};\n"})
    return compile_cached(Job(
        "fuzz_agent", compiler, compiler, "agents under sanitizers",
        ("-std=c11", "-g", "-O1", "-DFUZZ_MODELS", *flags),
        (_DRIVER, root / "app" / "qcs_agent.c", *sorted((root / "src").glob("*.c")), *sorted(place.glob("*.c"))),
        (root / "include", root / "src", root / "app", place),
    ))  # fmt: skip


def fuzz(program: Path, model: int, frames: int, seed: int) -> dict[str, int]:
    """Return how many frames of each kind went in and replies of each type came out.

    Raises AssertionError with what a sanitizer or the driver found, or that the agent hangs.
    """
    try:
        done = subprocess.run([program, str(frames), str(seed), str(model)], capture_output=True, text=True,
                              check=False, env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"},
                              timeout=_PATIENCE_S + frames / _SLOWEST_PER_S)  # fmt: skip
    except subprocess.TimeoutExpired:
        raise AssertionError("the agent hangs") from None
    assert done.returncode == 0, done.stderr[:3000]
    return {name: int(count) for name, count in re.findall(r"(\w+) (\d+)", done.stdout)}
