"""The C encoder in this process: what it writes beside the memory it was given is noticed."""

import ctypes
import re
from pathlib import Path

import numpy as np
import pytest
from support.memory_model import MemoryCodec
from support.tables import packed_of, random_tables

from qcskit.firmware import FirmwareError, HostCodec, build_host_library
from qcskit.firmware.host import _cpu, _Memory

CODEC = """
static uint16_t encode_NAME(const qcs_codec_t *codec, uint8_t type, const void *input, uint8_t packed[],
                            void *scratch) {
  uint8_t *const work = scratch;
  (void)type; (void)input;
  for (unsigned i = 0; i < codec->packed_bytes_max; i++) packed[i] = (uint8_t)(0x10U + i);
  for (unsigned i = 0; i < codec->scratch_bytes; i++) work[i] = 0xFFU;
  STATEMENT
  return codec->packed_bytes_max;
}
extern const qcs_codec_t qcs_NAME_codec;
const qcs_codec_t qcs_NAME_codec = {.model = id, .id = id, .inputs = 3, .outputs = 1, .levels = 2, .windows = 1,
  .packed_bytes_max = 5, .scratch_bytes = 10, .kind = 1, .input_types = 2, .encode = encode_NAME};
"""
FAULTS = {
    "right": ("", ""),
    "packets_before": ("packed[-1] ^= 1U;", "before its packets, 35 bytes"),
    "packets_behind": ("packed[5] ^= 1U;", "behind its packets, 35 bytes"),
    "scratch_before": ("work[-1] ^= 1U;", "before its scratch, 10 bytes"),
    "scratch_behind": ("work[10] ^= 1U;", "behind its scratch, 10 bytes"),
    "scratch_far": ("work[10 + 63] ^= 1U;", "behind its scratch, 10 bytes"),
}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("c")
    codecs = [CODEC.replace("NAME", name).replace("STATEMENT", fault) for name, (fault, _) in FAULTS.items()]
    head = '#include "qcs.h"\nstatic const uint8_t id[8] = {0};\n'
    (place / "codecs.c").write_text(head + "".join(codecs))
    return build_host_library(place)


@pytest.mark.parametrize("name", FAULTS)
def test_a_codec_that_writes_beside_its_memory_is_refused(name: str, library: Path) -> None:
    host = HostCodec(library, f"qcs_{name}_codec")
    counts = np.zeros((7, 3), np.int16)
    if name == "right":
        assert (host.encode(counts).rows == np.arange(0x10, 0x15)).all()
        assert host.network_input(counts) is None  # it has no front end
        return
    with pytest.raises(FirmwareError, match=f"^the C code of this codec writes {FAULTS[name][1]}: do not use it$"):
        host.encode(counts)


def test_what_is_no_codec_or_no_input_of_it_is_told(library: Path, tmp_path: Path) -> None:
    with pytest.raises(FirmwareError, match=rf"^'{tmp_path}' holds no C model; run 'qcskit export' again$"):
        build_host_library(tmp_path)
    with pytest.raises(FirmwareError, match=r"^the C code defines no qcs_none_codec; run 'qcskit export' again$"):
        HostCodec(library, "qcs_none_codec")
    for shape in ((3,), (7, 2), (1, 7, 3)):
        with pytest.raises(
            FirmwareError, match=rf"^encoder input has shape {re.escape(str(shape))}, expected .*, 3\)$"
        ):
            HostCodec(library, "qcs_right_codec").encode(np.zeros(shape, np.int16))


def test_a_machine_that_does_not_tell_its_processor_has_a_key_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """As macOS, which has no /proc."""
    assert _cpu()
    monkeypatch.setattr("qcskit.firmware.host.Path", lambda name: Path("/nowhere"))
    assert _cpu() == "unknown"


def test_memory_is_exact_zero_and_aligned_for_every_size() -> None:
    for size in range(40):
        memory = _Memory("x", size)
        assert (memory.inside.size, memory.inside.ctypes.data % 16, memory.inside.any()) == (size, 0, False)
        memory.inside[:] = 0xFF
        memory.check()


@pytest.mark.parametrize("frames", [0, 1, 31, 32, 33, 100])
def test_blocks_stay_within_their_memory(frames: int) -> None:
    """`_Memory` is checked behind every block; here is what it does with part of one."""
    for seed, widths in enumerate([[1, 1], [33, 4, 1], [5, 33, 3], [1, 3, 5, 4]]):
        rng = np.random.default_rng(seed)
        tables = random_tables(rng, widths, 7)
        x = rng.integers(-128, 128, (frames, widths[0]), np.int8)
        rows, lengths = MemoryCodec(build_host_library(), tables).encode_block(x)
        assert np.array_equal(rows, packed_of(tables, x))
        assert lengths.shape == (frames,)


@pytest.mark.parametrize(("place", "name"), [(3, "packets"), (4, "scratch")])
@pytest.mark.parametrize(("side", "where"), [(-1, "before"), (1, "behind")])
def test_a_block_that_writes_beside_its_memory_is_refused(place: int, name: str, side: int, where: str) -> None:
    tables, x = random_tables(np.random.default_rng(1), [5, 33, 3], 7), np.zeros((40, 5), np.int8)
    codec = MemoryCodec(build_host_library(), tables)
    sizes = {3: 40 * codec.packed_bytes_max, 4: 2 * codec._block_entries}

    class Library:
        @staticmethod
        def qcs_host_block(*arguments: ctypes.c_void_p) -> None:
            start = arguments[place].value or 0
            ctypes.memset(start - 1 if side < 0 else start + sizes[place], 0xFF, 1)

    codec._library = Library()  # type: ignore[assignment]
    with pytest.raises(FirmwareError, match=f"writes {where} its {name}, {sizes[place]:,} bytes: do not use it$"):
        codec.encode_block(x)
