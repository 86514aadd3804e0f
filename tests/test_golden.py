"""Constants that deployed nodes and stored bundles rely on (tests/data/golden, made by tests/data/make_golden.py).

A test here that fails says that what is in the field would no longer be understood. Mend the code, not the constant.
"""

import ctypes
import importlib.util
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import numpy as np
import pytest
from support.raw_line import Line, frame, unframe

from qcskit.codec import codecs
from qcskit.codec.bundle import SCHEMA_VERSION, Manifest, read_bundle
from qcskit.codec.interface import Codec, Packets
from qcskit.codec.packing import Packing
from qcskit.codec.text import TEXT_VERSION
from qcskit.firmware import HostCodec, build, build_host_library, c_directory, find_board, start
from qcskit.firmware.protocol.framing import Frame, FrameParser, encode_frame
from qcskit.firmware.protocol.messages import (
    ERROR_CODES,
    Counts,
    Info,
    Type,
    encode_payload,
    error_payload,
    read_error,
    read_result,
    result_payload,
)

DATA = Path(__file__).parent / "data"
GOLDEN = DATA / "golden"
SEQ = 0x1234


def constants(name: str) -> dict[str, Any]:
    return json.loads((GOLDEN / name).read_text())


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    """The script that made the constants."""
    spec = importlib.util.spec_from_file_location("make_golden", DATA / "make_golden.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# ---- grouping of indices into bits ----

PACKING = constants("packing.json")


def c_pack(library: ctypes.CDLL, levels: int, rows: np.ndarray) -> np.ndarray:
    """Pack rows of indices with qcs_pack.c, groups as the constants say."""

    class Packer(ctypes.Structure):  # qcs_packer_t of qcs_pack.h
        _fields_ = (
            ("out", ctypes.c_void_p), ("number", ctypes.c_uint64), ("weight", ctypes.c_uint64),
            ("levels", ctypes.c_uint16), *((name, ctypes.c_uint8) for name in ("symbols", "bits", "held", "b", "n")),
        )  # fmt: skip

    out = np.zeros((len(rows), Packing(rows.shape[1], levels).packed_bytes), np.uint8)
    for row, place in zip(rows.tolist(), out, strict=True):
        packer = Packer(place.ctypes.data)
        library.qcs_pack_begin(ctypes.byref(packer), levels, *PACKING[str(levels)]["group"])
        for value in row:
            library.qcs_pack_put(ctypes.byref(packer), value)
        library.qcs_pack_end(ctypes.byref(packer))
        assert packer.out == place.ctypes.data + len(place)
    return out


def index_rows(maker: ModuleType, count: int, levels: int) -> np.ndarray:
    return np.array(maker.indices(count, levels), np.uint8)


def test_indices_become_the_same_bits_as_ever_for_every_number_of_levels(maker: ModuleType) -> None:
    assert list(PACKING) == [str(levels) for levels in range(2, 257)]
    for levels in range(2, 257):
        held, stream = PACKING[str(levels)], b""
        for count in maker.COUNTS_OF_INDICES:
            packing, rows = Packing(count, levels), index_rows(maker, count, levels)
            packed = packing.pack(rows)
            assert np.array_equal(packing.unpack(packed), rows), (count, levels)
            stream += packed.tobytes()
        assert (list(packing.group), sha256(stream).hexdigest()[:16]) == (held["group"], held["digest"]), levels


@pytest.mark.parametrize("levels", [3, 5, 10, 20, 31, 100, 255])
def test_bytes_in_full_both_ways(maker: ModuleType, levels: int) -> None:
    held = np.array([list(bytes.fromhex(row)) for row in PACKING[str(levels)]["bytes"]], np.uint8)
    rows = index_rows(maker, 33, levels)
    assert np.array_equal(Packing(33, levels).pack(rows), held)
    assert np.array_equal(Packing(33, levels).unpack(held), rows)


def test_the_c_packs_the_same_bits(maker: ModuleType) -> None:
    library = ctypes.CDLL(str(build_host_library()))
    for levels in range(2, 257):
        parts = [c_pack(library, levels, index_rows(maker, count, levels)) for count in maker.COUNTS_OF_INDICES]
        stream = b"".join(part.tobytes() for part in parts)
        assert sha256(stream).hexdigest()[:16] == PACKING[str(levels)]["digest"], levels


# ---- packets of every bundle ever released ----

PACKETS = constants("packets.json")


@pytest.fixture(scope="module", params=PACKETS)
def codec(request: pytest.FixtureRequest) -> Codec:
    return codecs.open_codec(GOLDEN / request.param)


@pytest.fixture(scope="module")
def library() -> Path:
    """The C of all bundles as this release makes it, in one library."""
    texts = [codecs.open_codec(GOLDEN / name).c_files() for name in PACKETS]
    return build_host_library(c_directory({name: text for files in texts for name, text in files.items()}))


def packets_of(held: list[str]) -> Packets:
    return Packets.of([bytes.fromhex(packet) for packet in held])


def test_there_is_a_bundle_of_every_family_and_of_every_schema() -> None:
    names = {path.name for path in GOLDEN.iterdir() if path.is_dir()}
    assert names == set(PACKETS)
    manifests = [read_bundle(GOLDEN / name).manifest for name in names]
    assert {family.kind for family in codecs.families()} == {manifest.codec.kind for manifest in manifests}
    readable = set(get_args(Manifest.model_fields["schema_version"].annotation))
    assert SCHEMA_VERSION in readable
    assert readable == {manifest.schema_version for manifest in manifests}


def test_counts_become_the_same_packets_as_ever(codec: Codec, library: Path) -> None:
    held = PACKETS[codec.name]
    wanted, counts = held["packets"], np.array(held["counts"], np.int16)
    assert len(set(wanted)) > 3
    assert [packet.hex() for packet in codec.encode_counts(counts)] == wanted
    assert [packet.hex() for packet in codec.definition(counts)] == wanted
    board = HostCodec(library, f"qcs_{codec.name}_codec")
    assert [packet.hex() for packet in Packets.rows(*board.encode(counts))] == wanted
    assert ("inputs" in held) == codec.takes_inputs
    if codec.takes_inputs:
        inputs = np.array(held["inputs"], np.int8)
        assert np.array_equal(codec.network_input(counts), inputs)
        assert [packet.hex() for packet in codec.encode_inputs(inputs)] == wanted


def test_packets_decode_to_the_same_x_hat_as_ever(codec: Codec) -> None:
    held = PACKETS[codec.name]
    assert (held["x_hat"] is not None) == codec.decodes
    if codec.decodes:
        wanted = np.array([np.full(codec.width, np.nan) if row is None else row for row in held["x_hat"]])
        np.testing.assert_allclose(codec.decode(packets_of(held["packets"])), wanted, atol=1e-3)


def test_c_text_of_this_version_is_what_the_bundles_hold() -> None:
    """All forms of the tables. A text that changes needs another TEXT_VERSION, and the core another QCS_VERSION."""
    kinds = set()
    for name in PACKETS:
        codec = codecs.open_codec(GOLDEN / name)
        held = codec.bundle.read(f"c/qcs_model_{name}.c").decode()
        if f"_Static_assert(QCS_VERSION == {TEXT_VERSION}," in held:
            codec.checked_c_files()
            kinds.add(codec.kind)
    assert kinds == {family.kind for family in codecs.families()}, "add bundles of this version to make_golden.py"


# ---- frames of every message ----

FRAMES = {name: bytes.fromhex(text) for name, text in constants("frames.json").items()}
COUNTS = np.array([[-32768, -1, 0, 1, 255, 256, 2048, 32767], [300, -200, 100, -50, 25, -12, 6, -3]], np.int16)
INPUTS = np.array([[-128, -1, 0, 1, 2, 3, 4, 127]], np.int8)
ECHOED = b"\0" * 3 + b"a" * 254
BAUD = (921600).to_bytes(4, "little")
ERRORS = {1: 0x42, 2: 17, 3: 0x91, 4: 255, 5: 2, 6: 5000, 7: 4096}


@pytest.fixture(scope="module")
def int8() -> Codec:
    """The model that the frames are of."""
    return codecs.open_codec(GOLDEN / "int8")


def info(codec: Codec) -> Info:
    return Info(2, (0, 1, 0), codec.bundle.manifest.model_id, 8, 6, 5, 1, 0xC3, 2, 4096, 255, "timer", 10**9, 1)


def test_every_message_is_written_as_ever(int8: Codec) -> None:
    counts, inputs = list(int8.encode_counts(COUNTS)), list(int8.encode_inputs(INPUTS))
    written = {
        "HELLO": encode_frame(Type.HELLO, SEQ), "INFO": encode_frame(Type.INFO, SEQ, info(int8).to_payload()),
        "ENCODE counts": encode_frame(Type.ENCODE, SEQ, encode_payload(COUNTS)),
        "RESULT counts": encode_frame(Type.RESULT, SEQ, result_payload(counts, [7, 2**32 - 1])),
        "ENCODE int8": encode_frame(Type.ENCODE, SEQ, encode_payload(INPUTS)),
        "ENCODE repeat": encode_frame(Type.ENCODE, SEQ, encode_payload(INPUTS, 1)),
        "RESULT int8": encode_frame(Type.RESULT, SEQ, result_payload(inputs, [0])),
        "RESULT variable": encode_frame(
            Type.RESULT, 0xFFFF, result_payload([b"\1", b"\2\0\3", b"\4\5"], [0, 1, 2])),
        "ECHO": encode_frame(Type.ECHO, 0, ECHOED), "ECHOED": encode_frame(Type.ECHOED, 0, ECHOED),
        "RESET": encode_frame(Type.RESET, SEQ), "DONE": encode_frame(Type.DONE, SEQ),
        "STATS": encode_frame(Type.STATS, SEQ),
        "COUNTS": encode_frame(Type.COUNTS, SEQ, Counts(1, 0, 0, 0).to_payload()),
        "COUNTS each": encode_frame(Type.COUNTS, SEQ, Counts(1, 2, 3, 2**32 - 1).to_payload()),
        "BAUD": encode_frame(Type.BAUD, SEQ, BAUD), "BAUD_SET": encode_frame(Type.BAUD_SET, SEQ, BAUD),
        **{f"ERROR {code}": encode_frame(Type.ERROR, SEQ, error_payload(code, ERRORS[code])) for code in ERROR_CODES},
    }  # fmt: skip
    assert written == {name: data for name, data in FRAMES.items() if not name.startswith("to ")}
    assert {name.split()[0] for name in written} == {kind.name for kind in Type}


def test_every_message_is_read_as_ever(int8: Codec) -> None:
    read: dict[str, Frame] = {}
    for name, data in FRAMES.items():
        (read[name],) = FrameParser().feed(data)
    replies = {name: found.payload for name, found in read.items() if found.type & 0x80}
    for name, found in read.items():
        seq = {"ECHO": 0, "ECHOED": 0, "RESULT variable": 0xFFFF}.get(name, SEQ)
        assert (found.version, found.seq) == (1 if name == "to ERROR 5" else 2, seq), name
        assert name.startswith("to ") or Type(found.type).name == name.split()[0]
    assert Info.from_payload(replies["INFO"]) == info(int8)
    assert Counts.from_payload(replies["COUNTS each"]) == Counts(1, 2, 3, 2**32 - 1)
    assert replies["ECHOED"] == read["ECHO"].payload == ECHOED
    for code, detail in ERRORS.items():
        assert read_error(replies[f"ERROR {code}"]) == (code, detail)
    packets = int8.encode_counts(COUNTS)
    answers = read_result(replies["RESULT counts"], 2, 2)
    assert answers.ticks.tolist() == [7, 2**32 - 1]
    assert np.array_equal(answers.rows, packets.table(2))
    assert np.array_equal(read_result(replies["RESULT int8"], 1, 2).rows, int8.encode_inputs(INPUTS).table(2))
    answers = read_result(replies["RESULT variable"], 3, 3)
    assert answers.rows.tolist() == [[1, 0, 0], [2, 0, 3], [4, 5, 0]]
    assert (answers.lengths.tolist(), answers.ticks.tolist()) == ([1, 3, 2], [0, 1, 2])


@pytest.fixture(scope="module")
def line(int8: Codec) -> Iterator[Line]:
    with start("native", build("native", c_directory(int8.c_files()), "int8")) as emulator:
        yield Line(emulator.url)


EXCHANGES = {
    "HELLO": ["INFO"], "ENCODE counts": ["RESULT counts"], "ENCODE int8": ["RESULT int8"],
    "ENCODE repeat": ["RESULT int8"] * 2, "ECHO": ["ECHOED"], "BAUD": ["BAUD_SET"],
    **{f"to ERROR {code}": [f"ERROR {code}"] for code in (1, 2, 3, 4, 5)}, "RESET": ["DONE"], "STATS": ["COUNTS"],
}  # fmt: skip
"""Request → replies of the firmware, in an order in which COUNTS is known; no board of ours sends ERROR 6."""


def without_ticks(message: tuple[int, int, bytes]) -> tuple[int, int, bytes]:
    """RESULT of packets of 2 bytes with all ticks 0; any other message as it is."""
    kind, seq, payload = message
    if kind == Type.RESULT:
        records = np.frombuffer(payload, np.uint8, offset=1).reshape(payload[0], 6 + 2).copy()
        records[:, :4] = 0
        payload = payload[:1] + records.tobytes()
    return kind, seq, payload


def test_the_agent_answers_every_message_as_ever(line: Line) -> None:
    for request, replies in EXCHANGES.items():
        line.send(FRAMES[request])
        for name in replies:
            wanted = unframe(FRAMES[name].strip(b"\0"))
            assert wanted is not None
            assert without_ticks(line.receive()) == without_ticks(wanted), request
    line.send(frame(Type.ECHO, SEQ, bytes(find_board("native").rx_bytes)))
    assert line.receive() == unframe(FRAMES["ERROR 7"].strip(b"\0"))
    assert not line.log


# ---- the script ----


@pytest.fixture
def run_maker(maker: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Run the script on a copy of the constants."""
    out = tmp_path / "golden"
    shutil.copytree(GOLDEN, out)

    def run(*arguments: str) -> Path:
        monkeypatch.setattr(sys, "argv", ["make_golden.py", "--out", str(out), *arguments])
        maker.main()
        return out

    run.out = out  # type: ignore[attr-defined]
    return run


def test_the_script_gives_every_constant_again(run_maker: Callable[..., Path]) -> None:
    out = run_maker()
    for name in ("packing.json", "frames.json", "packets.json"):
        assert (out / name).read_bytes() == (GOLDEN / name).read_bytes()


def test_the_script_replaces_no_released_constant_unless_told(
    run_maker: Callable[..., Path], maker: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(maker, "packing", lambda: {"2": "another", "300": "new"})
    file = tmp_path / "golden" / "packing.json"
    before = file.read_bytes()
    with pytest.raises(SystemExit, match=r"packing\.json: 2: the code gives another value than the released one"):
        run_maker()
    assert file.read_bytes() == before
    run_maker("--replace", "2")
    after = json.loads(file.read_text())
    assert (after["2"], after["300"], after["3"]) == ("another", "new", PACKING["3"])
