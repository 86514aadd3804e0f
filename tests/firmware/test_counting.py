"""Instruction counts: equal to what a loop of known length must give, and the same on every run."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from support.tables import c_dir, packed_of, random_tables

from qcskit.firmware import FirmwareError, count

needs_m4 = pytest.mark.skipif(
    not (shutil.which("qemu-system-arm") and shutil.which("arm-none-eabi-gcc")),
    reason="needs QEMU and the Arm compiler: sudo apt-get install qemu-system-arm gcc-arm-none-eabi",
)

KNOWN_LOOP = """
#include "qcs.h"
#include "qcs_model_loop.h"
const uint8_t loop_id[8] = {0};
static uint16_t encode(const qcs_codec_t *codec, uint8_t type, const void *input, uint8_t packed[], void *scratch);
__attribute__((naked)) static uint16_t encode(const qcs_codec_t *codec, uint8_t type, const void *input,
                                              uint8_t packed[], void *scratch) {
  (void)codec; (void)type; (void)input; (void)packed; (void)scratch;
  /* 3 + 1000 * 3 + 2 instructions, 1000 stores, 999 branches taken in the loop */
  __asm__ volatile("movw r1, #1000\\n movs r2, #0\\n nop\\n"
                   "1: strb r2, [r3]\\n subs r1, #1\\n bne 1b\\n"
                   "movs r0, #1\\n bx lr\\n");
}
const qcs_codec_t qcs_loop_codec = {.model = loop_id, .id = loop_id, .inputs = 1, .outputs = 1, .levels = 2,
  .windows = 1, .packed_bytes_max = 1, .scratch_bytes = 4, .kind = 1, .input_types = 1, .encode = encode};
"""


@needs_m4
def test_a_loop_of_known_length(tmp_path: Path) -> None:
    macros = {"INPUTS": 1, "OUTPUTS": 1, "LEVELS": 2, "PACKED_BYTES_MAX": 1, "SCRATCH_BYTES": 4}
    header = "".join(f"#define QCS_LOOP_{name} {value}\n" for name, value in macros.items())
    header = f'#include "qcs.h"\n{header}extern const qcs_codec_t qcs_loop_codec;\nextern const uint8_t loop_id[8];\n'
    (tmp_path / "qcs_model_loop.h").write_text(header)
    (tmp_path / "qcs_model_loop.c").write_text(KNOWN_LOOP)
    counts = count("cortex-m4", tmp_path, "loop", np.zeros((5, 1), np.int8))
    loop = [p for p in counts.places if p.stores and p.executed == 5000]
    assert [(p.stores, p.taken) for p in loop] == [(5000, 0)]
    assert any(p.executed == 5000 and p.taken == 4995 for p in counts.places)
    assert len(set(counts.instructions)) == 1
    assert 0 <= counts.instructions[0] - 3005 <= 20  # the call through the codec handle


@needs_m4
def test_two_runs_count_the_same() -> None:
    tables = random_tables(np.random.default_rng(1), [10, 20, 10], 4)
    x = np.random.default_rng(2).integers(-128, 128, (10, 10), np.int8)
    first, second = (count("cortex-m4", c_dir("demo", tables), "demo", x) for _ in range(2))
    assert np.array_equal(first.instructions, second.instructions)
    assert first.places == second.places
    assert first.instructions.sum() == sum(place.executed for place in first.places)
    assert np.array_equal(first.answers.rows, packed_of(tables, x))


def test_native_cannot_be_counted(tmp_path: Path) -> None:
    with pytest.raises(FirmwareError, match="nothing can count in it"):
        count("native", tmp_path, "demo", np.zeros((1, 1), np.int8))
