"""Instruction counts: equal to what a loop of known length must give, and the same on every run."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from support.tables import c_dir, packed_of, random_tables

from qcskit.firmware import FirmwareError, count
from qcskit.firmware.counting import _read

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


@needs_m4
def test_a_board_that_stops_answering_while_it_is_counted_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(*asked: object) -> None:
        raise TimeoutError("no answer")

    monkeypatch.setattr("qcskit.firmware.counting.encode_packets", silent)
    model = c_dir("demo", random_tables(np.random.default_rng(1), [10, 20, 10], 4))
    told = r"^board 'cortex-m4' stopped answering \(no answer\); it printed: nothing$"
    with pytest.raises(FirmwareError, match=told):
        count("cortex-m4", model, "demo", np.zeros((1, 10), np.int8))


COUNTED = "encode 7 9\nencode 8 10\nat 0x10 2 0 5 1 2 0\nphase 1 0x10\nend\n"


def test_counts_of_another_number_of_encodes_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "counts"
    file.write_text(COUNTED)
    instructions, cycles, places, phases = _read(file, 2)
    assert (instructions.tolist(), cycles is not None and cycles.tolist()) == ([7, 8], [9, 10])
    assert (len(places), phases) == (1, [16])
    for frames in (1, 3):
        with pytest.raises(FirmwareError, match=f"^counted 2 encodes of {frames} vectors: the counts are not usable$"):
            _read(file, frames)


def test_counts_that_do_not_come_to_an_end_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that only waiting moves; what comes late is taken."""
    file, waited = tmp_path / "counts", [0.0]

    def sleep(seconds: float) -> None:
        waited.append(waited[-1] + seconds)
        assert waited[-1] < 10, "it waits for ever"
        if late and waited[-1] > 1.0:
            file.write_text(COUNTED)

    clock = SimpleNamespace(monotonic=lambda: waited[-1], sleep=sleep)
    monkeypatch.setattr("qcskit.firmware.counting.time", clock)
    for late in (False, True):
        file.write_text(COUNTED.removesuffix("end\n"))
        waited[:] = [0.0]
        if late:
            assert _read(file, 2)[0].tolist() == [7, 8]
            continue
        with pytest.raises(FirmwareError, match=r"^the instruction counter did not finish: the emulator was killed$"):
            _read(file, 2)


def test_native_cannot_be_counted(tmp_path: Path) -> None:
    with pytest.raises(FirmwareError, match="nothing can count in it"):
        count("native", tmp_path, "demo", np.zeros((1, 1), np.int8))
