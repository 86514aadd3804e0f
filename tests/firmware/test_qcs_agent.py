"""The serial agent: against garbage under sanitizers, and as a process behind a terminal."""

import os
import shutil
import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from cobs import cobs
from support.agents import fuzz, fuzz_program
from support.bundles import BUNDLES, lossless_bundle
from support.raw_line import Line, frame, unframe
from support.tables import c_dir, packed_of, random_tables

from qcskit.firmware import build, sources, start

FUZZ_INPUTS = int(os.environ.get("QCS_FUZZ_INPUTS", "150000"))
TABLES = random_tables(np.random.default_rng(1), [10, 30, 20, 10], 6)


def test_survives_garbage_and_damaged_frames(tmp_path: Path) -> None:
    root = sources()
    program = tmp_path / "fuzz"
    subprocess.run(
        ["gcc", "-std=c11", "-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all",
         f"-I{root / 'include'}", f"-I{root / 'app'}", str(Path(__file__).with_name("fuzz_agent.c")),
         str(root / "app" / "qcs_agent.c"), "-o", str(program)],
        check=True,
    )  # fmt: skip
    done = subprocess.run([program, str(FUZZ_INPUTS), "1"], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{FUZZ_INPUTS} inputs")


def test_libfuzzer_finds_nothing(tmp_path: Path) -> None:
    """Coverage-guided; QCS_FUZZ_INPUTS=15000000 for a night."""
    root = sources()
    program = tmp_path / "fuzz"
    flags = ("-std=c11", "-g", "-O1", "-DLIBFUZZER", "-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all")
    files = (str(Path(__file__).with_name("fuzz_agent.c")), str(root / "app" / "qcs_agent.c"))
    command = ["clang", *flags, f"-I{root / 'include'}", f"-I{root / 'app'}", *files, "-o", str(program)]
    if shutil.which("clang") is None:
        pytest.skip("needs clang: sudo apt-get install clang")
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    if "libclang_rt" in built.stderr:
        pytest.skip("needs clang's sanitizer and fuzzer runtimes: sudo apt-get install libclang-rt-dev")
    assert built.returncode == 0, built.stderr
    runs = FUZZ_INPUTS // 15
    done = subprocess.run([program, f"-runs={runs}", "-seed=1", "-max_len=300"], capture_output=True, text=True,
                          cwd=tmp_path, check=False, timeout=600)  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert f"Done {runs} runs" in done.stderr


def test_the_agent_of_every_codec_survives_too(tmp_path: Path) -> None:
    """benchmarks/agent_fuzz.py goes on to a million, and to MSan."""
    codecs = [write(tmp_path / name) for name, write in {**BUNDLES, "lossless": lossless_bundle}.items()]
    program = fuzz_program(codecs, "ASan, UBSan")
    for number in range(len(codecs)):
        counts = fuzz(program, number, 2000, seed=1)
        assert sum(counts[name] for name in ("garbage", "whole", "damaged", "cut")) == 2000
        assert min(counts[name] for name in ("RESULT", "ECHOED", "COUNTS", "DONE", "ERROR")) > 10


@pytest.fixture(scope="module")
def line() -> Iterator[Line]:
    with start("native", build("native", c_dir("demo", TABLES), "demo")) as emulator:
        yield Line(emulator.url)


def test_info_describes_the_model(line: Line) -> None:
    info = line.info()
    assert info["model_id"].hex() == TABLES.model_id
    assert (info["inputs"], info["outputs"], info["levels"]) == (10, 10, 6)
    assert info["packed_bytes_max"] == TABLES.packing.packed_bytes
    assert (info["protocol"], info["codec"], info["windows"]) == (2, 1, 1)
    assert (info["tick_source"], info["tick_hz"]) == (3, 1_000_000_000)


def test_encodes_like_the_reference(line: Line) -> None:
    rng = np.random.default_rng(2)
    info = line.info()
    x = rng.integers(-128, 128, (3000, 10), np.int8)
    packets, ticks = line.encode(x, info)
    assert b"".join(packets) == packed_of(TABLES, x).tobytes()
    assert len(ticks) == len(x)
    assert max(ticks) > 0
    counts = rng.integers(-32768, 32768, (500, 10)).astype(np.int16)
    packets, _ticks = line.encode(counts, info)
    assert b"".join(packets) == packed_of(TABLES, counts).tobytes()


def test_echo_of_every_length_and_of_long_runs(line: Line) -> None:
    room = line.info()["rx_bytes"] - 40
    for payload in (
        b"",
        b"\0",
        b"\0" * 300,
        b"\x01" * room,
        bytes(range(256)) * 5,
        *(b"a" * n for n in range(240, 262)),
    ):
        assert line.ask(3, payload)[2] == payload


@pytest.mark.parametrize(
    ("request_frame", "code", "detail"),
    [
        (frame(0x42, 1), 1, 0x42),
        (frame(0x01, 1, b"x"), 2, 1),
        (frame(0x02, 1, b""), 2, 0),
        (frame(0x02, 1, bytes([1, 2]) + bytes(19)), 2, 21),
        (frame(0x02, 1, bytes([3, 1]) + bytes(10)), 3, 3),
        (frame(0x02, 1, bytes([0x91, 1]) + bytes(10)), 3, 0x91),
        (frame(0x02, 1, bytes([1, 0])), 4, None),
        (frame(0x01, 1, version=1), 5, 2),
        (frame(0x06, 1, bytes(4)), 1, 6),
    ],
)
def test_refuses_what_it_cannot_serve(line: Line, request_frame: bytes, code: int, detail: int | None) -> None:
    line.send(request_frame)
    kind, seq, payload = line.receive()
    wanted = line.info()["max_batch"] if detail is None else detail
    assert (kind, seq, payload[0], int.from_bytes(payload[1:], "little")) == (0xFF, 1, code, wanted)


def test_counts_what_happens_on_the_line(line: Line) -> None:
    def counts() -> dict[str, int]:
        values = np.frombuffer(line.ask(4)[2], "<u4").tolist()
        return dict(zip(("frames", "crc_errors", "overruns", "duplicates"), values, strict=True))

    assert line.ask(5)[0] == 0x85
    assert counts() == {"frames": 1, "crc_errors": 0, "overruns": 0, "duplicates": 0}
    one = frame(2, 9, bytes([1, 1]) + bytes(10))
    damaged = one[:6] + bytes([one[6] ^ 0x55 or 1]) + one[7:]
    for data in (damaged, b"log text\n\0", one, one):
        line.send(data)
    line.receive()
    line.receive()
    line.send(b"\0" + b"\x01" * (2 * line.info()["rx_bytes"]) + b"\0")
    assert counts() == {"frames": 5, "crc_errors": 3, "overruns": 0, "duplicates": 1}


def test_a_body_too_short_for_a_header_is_no_frame_whatever_its_crc(line: Line) -> None:
    line.ask(5)
    for content in (b"", b"\2", b"\2\1", b"\2\1\7"):
        line.send(b"\0" + cobs.encode(content + zlib.crc32(content).to_bytes(4, "little")) + b"\0")
    assert np.frombuffer(line.ask(4)[2], "<u4").tolist() == [1, 4, 0, 0]


def test_a_frame_longer_than_the_buffer_is_refused_by_name(line: Line) -> None:
    line.ask(5)
    room = line.info()["rx_bytes"]
    kind, seq, payload = line.ask(3, bytes(room), seq=11)
    assert (kind, seq, payload[0], int.from_bytes(payload[1:], "little")) == (0xFF, 11, 7, room)
    assert np.frombuffer(line.ask(4)[2], "<u4").tolist() == [3, 0, 1, 0]


def test_repeats_the_result_when_asked(line: Line) -> None:
    x = np.arange(20, dtype=np.int8).reshape(2, 10)
    line.send(frame(2, 5, bytes([1 + (2 << 4), 2]) + x.tobytes()))
    replies = [line.receive() for _ in range(4)]
    size = TABLES.packing.packed_bytes
    wanted = packed_of(TABLES, x)
    for _kind, _seq, payload in replies:
        records = np.frombuffer(payload[1:], np.uint8).reshape(2, 6 + size)
        assert np.array_equal(records[:, 6:], wanted)
    assert line.info()["protocol"] == 2


def test_line_rate_changes_after_the_reply_and_falls_back(line: Line) -> None:
    assert line.ask(6, (921_600).to_bytes(4, "little")) == (0x86, 7, (921_600).to_bytes(4, "little"))
    line.send(b"\x01\0" * 20)  # noise at the "new rate": it goes back and still answers
    assert line.info()["protocol"] == 2


def test_frames_share_a_zero_and_survive_log_text_between(line: Line) -> None:
    line.send(frame(1, 1)[:-1] + frame(1, 2) + b"boot ok\r\n" + frame(1, 3))
    assert [line.receive()[1] for _ in range(3)] == [1, 2, 3]
    assert unframe(b"boot ok\r\n") is None
