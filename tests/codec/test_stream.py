"""`qcskit decode` and its Python API: every format, any chunking, any lengths, damage, a live pipe."""

import contextlib
import io
import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qcskit.codec.bundle import read_bundle
from qcskit.codec.codecs import open_codec
from qcskit.codec.errors import QcsError
from qcskit.codec.interface import Packets
from qcskit.codec.packing import Packing
from qcskit.codec.stream import (
    DecodeConfig,
    decode_packets,
    read_packets,
    split_packets,
    varint,
    write_frames,
)

rng = np.random.default_rng(0)
FIXED = SimpleNamespace(packed_bytes_max=4, fixed_size=True)
VARYING = SimpleNamespace(packed_bytes_max=300, fixed_size=False)


@pytest.fixture(scope="module")
def golden(bundle_path):
    return read_bundle(bundle_path).vectors


def qcskit(*arguments: str, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, "-m", "qcskit.cli", "decode", *arguments], input=data, capture_output=True,
                          env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, check=False)  # fmt: skip


class TernaryCodec:
    """Stands in for a codec whose packing has invalid bytes: x_hat is the indices themselves."""

    packing, windows, width = Packing(5, 3), 1, 5

    def encode(self, index):
        return Packets.rows(self.packing.pack(index))

    def decode(self, packets):
        return self.packing.unpack(packets.table(1)).astype(float)

    def explain(self, packet):
        return self.packing.unpack(np.frombuffer(packet, np.uint8)[None])


class MarkingCodec(TernaryCodec):
    """Two vectors per packet, of which the second is marked where the packet's first index is 2."""

    windows = 2

    def decode(self, packets):
        return np.repeat(super().decode(packets), 2, axis=0)

    def guarded(self, packets):
        marked = self.packing.unpack(packets.table(1))[:, 0] == 2
        return np.stack([np.zeros(len(marked), bool), marked], axis=1).ravel()


class BrokenCodec(TernaryCodec):
    """Its packets are good, its decoder is not."""

    def decode(self, packets):
        raise QcsError("the decoder is broken")


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    ends = np.cumsum([0, *sizes]).tolist()
    return [data[a:b] for a, b in zip(ends, [*ends[1:], len(data)], strict=True)]


@pytest.mark.parametrize("sizes", [[1] * 40, [3, 5, 7, 25], [40], [39, 1]])
def test_packets_come_out_whole_however_the_bytes_are_cut(sizes) -> None:
    found = Packets.join(list(split_packets(cut(bytes(range(40)), sizes), 4)))
    np.testing.assert_array_equal(found.table(4), np.arange(40).reshape(10, 4))


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=20), st.lists(st.integers(0, 50), max_size=9))
def test_packets_of_any_length_come_out_whole_however_the_bytes_are_cut(packets, sizes) -> None:
    data = b"".join(varint(len(packet)) + packet for packet in packets)
    assert list(Packets.join(list(split_packets(cut(data, sizes), 300, fixed=False)))) == packets


def test_a_stream_that_ends_inside_a_packet_says_so_after_the_whole_ones() -> None:
    packets = split_packets([bytes(7)], 4)
    assert len(next(packets)) == 1
    with pytest.raises(QcsError, match="3 of 4 bytes"):
        next(packets)


@pytest.mark.parametrize("lost", [1, 200, 201, 202])  # in the packet, before it, in its length
def test_a_varying_stream_that_is_cut_says_so_after_the_whole_ones(lost) -> None:
    data = b"\3abc" + varint(200) + bytes(200)
    packets = split_packets([data[:-lost]], 300, fixed=False)
    assert list(next(packets)) == [b"abc"]
    if lost == 202:
        assert list(packets) == []
    else:
        with pytest.raises(QcsError, match="ends inside a packet"):
            next(packets)


@pytest.mark.parametrize(
    ("data", "length"), [(b"\0", 0), (b"\x90\x03", 400), (b"\x80\x80\x01", 16384), (b"\xff\xff\xff\xff", 2**21 - 1)]
)
def test_a_length_that_no_packet_has_is_refused(data, length) -> None:
    with pytest.raises(QcsError, match=f"a packet of {length} bytes, at most 300 are possible"):
        list(split_packets([b"\1a", data + bytes(9)], 300, fixed=False))


def test_garbage_ends_in_one_clear_line_or_not_at_all() -> None:
    for _ in range(300):
        data = rng.integers(0, 256, rng.integers(1, 60), np.uint8).tobytes()
        found: list[bytes] = []
        whole = False
        with contextlib.suppress(QcsError):
            for packets in split_packets([data], 20, fixed=False):
                found += packets
            whole = True
        parsed = b"".join(bytes([len(packet)]) + packet for packet in found)
        assert parsed == data if whole else data.startswith(parsed)


FORMS = {
    "bin": lambda packets, fixed: b"".join(packet if fixed else varint(len(packet)) + packet for packet in packets),
    "hex": lambda packets, fixed: "\n".join(packet.hex() for packet in packets).encode(),
    "csv": lambda packets, fixed: (
        b"# bytes\n\n" + "\n".join(",".join(map(str, packet)) for packet in packets).encode() + b"\n"
    ),
}


@pytest.mark.parametrize("kind", ["bin", "hex", "csv", "npy", "npz"])
def test_every_input_format_gives_the_same_packets(kind) -> None:
    packed = rng.integers(0, 256, (300, 4), np.uint8)
    with io.BytesIO() as file:
        np.save(file, packed)
        data = {"npy": file.getvalue()}
    with io.BytesIO() as file:
        np.savez(file, packed=packed.ravel(), packed_offsets=np.arange(301) * 4)
        data["npz"] = file.getvalue()
    data |= {name: form([row.tobytes() for row in packed], True) for name, form in FORMS.items()}
    found = Packets.join(list(read_packets(io.BytesIO(data[kind]), kind, FIXED)))
    np.testing.assert_array_equal(found.table(4), packed)


@pytest.mark.parametrize("kind", ["bin", "hex", "csv"])
def test_every_text_format_takes_packets_of_any_length(kind) -> None:
    packets = [rng.integers(0, 256, n, np.uint8).tobytes() for n in (1, 300, 127, 128, 5)]
    found = list(read_packets(io.BytesIO(FORMS[kind](packets, False)), kind, VARYING))
    assert list(Packets.join(found)) == packets


def npy(array: np.ndarray) -> bytes:
    with io.BytesIO() as file:
        np.save(file, array)
        return file.getvalue()


def npz(**arrays: np.ndarray) -> bytes:
    with io.BytesIO() as file:
        np.savez(file, **arrays)
        return file.getvalue()


@pytest.mark.parametrize(
    ("kind", "data", "message"),
    [
        ("csv", b"1,2,3,4\n1,2,300,4\n", "line 2 is not one packet: expected 4 values"),
        ("csv", b"a,b\n", "line 1"),
        ("csv", b"1,2,3\n", "line 1"),
        ("hex", b"0102030", "line 1 is not one packet: expected 8 hexadecimal digits"),
        ("hex", b"01020304\n010203\n", "line 2"),
        ("npy", b"not npy", "not a .npy"),
        ("npy", b"", "not a .npy"),
        ("npy", npy(np.zeros((3, 4), np.uint8))[:-1], r"is \(3, 4\) by its header, but has 11 bytes"),
        ("npz", b"", "the input is not a readable .npz"),
        ("npz", npz(a=np.zeros(1)), "the input: it holds a, expected packed and packed_offsets"),
        ("npz", npz(packed=np.zeros(4, np.uint8), packed_offsets=np.array([0, 5])), "must rise from 0"),
        ("npz", npz(packed=np.zeros(4, np.uint8), packed_offsets=np.array([1, 4])), "must rise from 0"),
        ("npz", npz(packed=np.zeros(4, np.uint8), packed_offsets=np.array([0, 4, 4])), "must rise from 0"),
        ("npz", npz(packed=np.zeros(4, np.uint8), packed_offsets=np.array([], int)), "must rise from 0"),
        (
            "npz",
            npz(packed=np.zeros(4, np.int8), packed_offsets=np.array([0, 4])),
            r"'packed' is int8 \(4,\)",
        ),
        ("npz", npz(packed=np.zeros((2, 2), np.uint8), packed_offsets=np.array([0, 2])), r"'packed' is uint8 \(2, 2\)"),
        ("npz", npz(packed=np.zeros(4, np.uint8), packed_offsets=np.array(0)), r"'packed_offsets' is int64 \(\)"),
        ("npz", npz(packed=np.zeros(4, np.uint8), packed_offsets=np.array([0.0, 4])), "'packed_offsets' is float64"),
    ],
)
def test_malformed_input_is_one_line_that_says_where(kind, data, message) -> None:
    with pytest.raises(QcsError, match=message):
        list(read_packets(io.BytesIO(data), kind, FIXED))


def test_a_shape_of_another_bundle_is_named() -> None:
    file = io.BytesIO()
    np.save(file, np.zeros((3, 5), np.uint8))
    for codec, message in ((FIXED, r"uint8 \(3, 5\), expected uint8 \(packets, 4\)"), (VARYING, "give an .npz")):
        file.seek(0)
        with pytest.raises(QcsError, match=message):
            list(read_packets(file, "npy", codec))
    with pytest.raises(QcsError, match="expected at most 600 hexadecimal digits"):
        list(read_packets(io.BytesIO(b"00" * 301), "hex", VARYING))


@pytest.mark.parametrize("kind", ["bin", "csv", "npy"])
def test_every_output_format_reads_back(kind) -> None:
    blocks = [rng.standard_normal((n, 3)) + 101_325 for n in (1, 5, 2)]
    sink = io.BytesIO()
    assert write_frames(blocks, sink, kind, 3) == 8
    sink.seek(0)
    read = {
        "bin": lambda: np.frombuffer(sink.getvalue(), "<f4").reshape(-1, 3),
        "csv": lambda: np.loadtxt(sink, delimiter=","),
        "npy": lambda: np.load(sink),
    }
    digits = {"bin": 6e-8, "csv": 1e-9, "npy": 0}[kind]  # a barometer's hundredths of a Pa are the 8th
    np.testing.assert_allclose(read[kind](), np.concatenate(blocks), rtol=digits)


def test_a_damaged_packet_stops_or_becomes_nan() -> None:
    codec = TernaryCodec()
    packets = codec.encode(rng.integers(0, 3, (10, 5)).astype(np.uint8))
    packets.bytes[7] = 255  # 3^5 = 243: no indices give it
    parts = [packets.select(slice(0, 4)), packets.select(slice(4, 10))]
    before = []
    with pytest.raises(QcsError, match=r"packet 7 of the input .* decode.on_damage=nan goes on"):
        before.extend(decode_packets(codec, parts, DecodeConfig()))
    np.testing.assert_array_equal(np.concatenate(before), codec.decode(packets.select(slice(7))))
    x_hat = np.concatenate(list(decode_packets(codec, parts, DecodeConfig(on_damage="nan", batch_frames=3))))
    assert np.flatnonzero(np.isnan(x_hat).all(axis=1)).tolist() == [7]
    good = np.delete(np.arange(10), 7)
    np.testing.assert_array_equal(x_hat[good], codec.decode(packets.select(good)))


def test_each_row_ends_with_its_flag_where_one_is_asked_for() -> None:
    """1 or 0 behind each vector of each packet; NaN as the rest of the row where the packet is damaged."""
    codec = MarkingCodec()
    packets = codec.encode(np.array([[2, 0, 1, 0, 0], [1, 1, 1, 0, 0], [0, 0, 0, 0, 0], [2, 2, 2, 2, 2]], np.uint8))
    packets.bytes[2] = 255
    config = DecodeConfig(on_damage="nan", batch_frames=3)
    rows = np.concatenate(list(decode_packets(codec, [packets], config, flags=True)))
    nan = np.nan
    np.testing.assert_array_equal(rows[:, -1], [0, 1, 0, 0, nan, nan, 0, 1])
    np.testing.assert_array_equal(rows[:, :-1], np.concatenate(list(decode_packets(codec, [packets], config))))


@pytest.mark.parametrize("on_damage", ["stop", "nan"])
def test_a_broken_decoder_is_no_damaged_packet(on_damage: str) -> None:
    codec = BrokenCodec()
    packets = codec.encode(np.zeros((3, 5), np.uint8))
    with pytest.raises(QcsError, match=r"^the decoder is broken$"):
        list(decode_packets(codec, [packets], DecodeConfig(on_damage=on_damage)))


@pytest.mark.parametrize(
    ("kind", "codec", "data"),
    [
        ("hex", FIXED, b"01020304\n05060708\n0102\n"),
        ("csv", FIXED, b"1,2,3,4\n5,6,7,8\n1,2,x,4\n"),
        ("bin", FIXED, b"\1\2\3\4\5\6\7\10\1"),
        ("bin", VARYING, b"\4\1\2\3\4" + b"\4\5\6\7\10" + b"\0"),
    ],
)
def test_what_stands_before_the_damage_is_read(kind: str, codec: object, data: bytes) -> None:
    read = []
    with pytest.raises(QcsError):
        read.extend(read_packets(io.BytesIO(data), kind, codec))
    assert list(Packets.join(read)) == [b"\1\2\3\4", b"\5\6\7\10"]


def test_the_api_gives_the_golden_estimates(bundle_path, golden) -> None:
    packets = Packets(golden["packed"], golden["packed_offsets"])
    np.testing.assert_allclose(open_codec(bundle_path).decode(packets), golden["x_hat"], atol=1e-6)


def test_the_command_reads_and_writes_files_without_tensorflow(bundle_path, golden, tmp_path) -> None:
    np.save(tmp_path / "in.npy", golden["packed"].reshape(-1, 4))
    np.savez(tmp_path / "in.npz", packed=golden["packed"], packed_offsets=golden["packed_offsets"])
    for name in ("in.npy", "in.npz"):
        done = qcskit(str(bundle_path), str(tmp_path / name), "--out", str(tmp_path / "x.npy"))
        assert done.returncode == 0, done.stderr
        assert done.stdout == b""
        np.testing.assert_allclose(np.load(tmp_path / "x.npy"), golden["x_hat"], atol=1e-6)
    done = qcskit(str(bundle_path), "--as", "bin", data=golden["packed"].tobytes() + b"\0")
    assert done.returncode == 2
    assert b"1 of 4 bytes" in done.stderr
    np.testing.assert_allclose(np.frombuffer(done.stdout, "<f4").reshape(golden["x_hat"].shape), golden["x_hat"],
                               atol=1e-6)  # fmt: skip


def test_a_live_pipe_is_decoded_while_it_is_open(bundle_path, golden) -> None:
    command = [sys.executable, "-m", "qcskit.cli", "decode", str(bundle_path), "-q"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    packets = Packets(golden["packed"], golden["packed_offsets"])
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for number in range(3):
            process.stdin.write(packets[number])
            process.stdin.flush()
            row = np.array(process.stdout.readline().split(b","), float)
            np.testing.assert_allclose(row, golden["x_hat"][number], atol=1e-5)
        process.stdin.close()
        assert process.wait(10) == 0


@pytest.mark.parametrize("arguments", [["--in", "bun"], ["--as", "exe"], ["missing.bin"]])
def test_wrong_use_is_exit_2_in_one_line(bundle_path, arguments) -> None:
    done = qcskit(str(bundle_path), *arguments)
    assert done.returncode == 2
    assert len(done.stderr.decode().strip().splitlines()) == 1
