"""`qcskit decode` and its Python API: every format, any chunking, damage, a live pipe."""

import io
import os
import subprocess
import sys
import time

import numpy as np
import pytest

from qcskit.codec.bundle import read_bundle
from qcskit.codec.errors import QcsError
from qcskit.codec.packing import Packing
from qcskit.codec.stream import DecodeConfig, decode_frames, open_codec, read_frames, split_frames, write_frames

rng = np.random.default_rng(0)


@pytest.fixture(scope="module")
def golden(bundle_path):
    return read_bundle(bundle_path).vectors


def qcskit(*arguments: str, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, "-m", "qcskit.cli", "decode", *arguments], input=data, capture_output=True,
                          env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, check=False)  # fmt: skip


class TernaryCodec:
    """Stands in for a codec whose packing has invalid bytes: x_hat is the indices themselves."""

    name, rate_bits, packing = "ternary", 1.6, Packing(5, 3)

    def encode(self, y):
        return self.packing.pack(y)

    def decode(self, packed):
        return self.packing.unpack(packed).astype(float)


@pytest.mark.parametrize("sizes", [[1] * 40, [3, 5, 7, 25], [40], [39, 1]])
def test_frames_come_out_whole_however_the_bytes_are_cut(sizes) -> None:
    data = bytes(range(40))
    chunks, at = [], 0
    for size in sizes:
        chunks.append(data[at : at + size])
        at += size
    np.testing.assert_array_equal(np.concatenate(list(split_frames(chunks, 4))), np.arange(40).reshape(10, 4))


def test_a_stream_that_ends_inside_a_vector_says_so_after_the_whole_ones() -> None:
    frames = split_frames([bytes(7)], 4)
    assert len(next(frames)) == 1
    with pytest.raises(QcsError, match="3 of 4 bytes"):
        next(frames)


@pytest.mark.parametrize("kind", ["bin", "hex", "csv", "npy"])
def test_every_input_format_gives_the_same_frames(kind) -> None:
    packed = rng.integers(0, 256, (300, 4), np.uint8)
    forms = {
        "bin": packed.tobytes(),
        "hex": "\n".join(row.tobytes().hex() for row in packed).encode(),
        "csv": b"# bytes\n\n" + "\n".join(",".join(map(str, row)) for row in packed.tolist()).encode() + b"\n",
    }
    with io.BytesIO() as file:
        np.save(file, packed)
        forms["npy"] = file.getvalue()
    np.testing.assert_array_equal(np.concatenate(list(read_frames(io.BytesIO(forms[kind]), kind, 4))), packed)


@pytest.mark.parametrize(
    ("kind", "data", "message"),
    [
        ("csv", b"1,2,3,4\n1,2,300,4\n", "line 2"),
        ("csv", b"a,b\n", "line 1"),
        ("hex", b"0102030", "line 1"),
        ("npy", b"not npy", "not a .npy"),
        ("npy", b"", "not a .npy"),
    ],
)
def test_malformed_input_is_one_line_that_says_where(kind, data, message) -> None:
    with pytest.raises(QcsError, match=message):
        list(read_frames(io.BytesIO(data), kind, 4))


@pytest.mark.parametrize("kind", ["bin", "csv", "npy"])
def test_every_output_format_reads_back(kind) -> None:
    blocks = [rng.standard_normal((n, 3)).astype(np.float32) for n in (1, 5, 2)]
    sink = io.BytesIO()
    assert write_frames(blocks, sink, kind, 3) == 8
    sink.seek(0)
    read = {
        "bin": lambda: np.frombuffer(sink.getvalue(), "<f4").reshape(-1, 3),
        "csv": lambda: np.loadtxt(sink, delimiter=","),
        "npy": lambda: np.load(sink),
    }
    np.testing.assert_allclose(read[kind](), np.concatenate(blocks), rtol=1e-6)


def test_a_damaged_vector_stops_or_becomes_nan() -> None:
    codec = TernaryCodec()
    packed = codec.encode(rng.integers(0, 3, (10, 5)).astype(np.uint8))
    packed[7] = 255  # 3^5 = 243: no indices give it
    with pytest.raises(QcsError, match="vector 7 "):
        list(decode_frames(codec, [packed[:4], packed[4:]], DecodeConfig()))
    blocks = list(decode_frames(codec, [packed[:4], packed[4:]], DecodeConfig(on_damage="nan", batch_frames=3)))
    x_hat = np.concatenate(blocks)
    assert np.flatnonzero(np.isnan(x_hat).all(axis=1)).tolist() == [7]
    good = np.delete(np.arange(10), 7)
    np.testing.assert_array_equal(x_hat[good], codec.decode(packed[good]))


def test_the_api_gives_the_golden_estimates(bundle_path, golden) -> None:
    np.testing.assert_allclose(open_codec(bundle_path).decode(golden["packed"]), golden["x_hat"], atol=1e-6)


def test_the_command_reads_and_writes_files_without_tensorflow(bundle_path, golden, tmp_path) -> None:
    np.save(tmp_path / "in.npy", golden["packed"])
    done = qcskit(str(bundle_path), str(tmp_path / "in.npy"), "--out", str(tmp_path / "x.npy"))
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
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for frame in range(3):
            process.stdin.write(golden["packed"][frame].tobytes())
            process.stdin.flush()
            row = np.array(process.stdout.readline().split(b","), float)
            np.testing.assert_allclose(row, golden["x_hat"][frame], atol=1e-5)
            time.sleep(0.01)
        process.stdin.close()
        assert process.wait(10) == 0


@pytest.mark.parametrize("arguments", [["--in", "bun"], ["--as", "exe"], ["missing.bin"]])
def test_wrong_use_is_exit_2_in_one_line(bundle_path, arguments) -> None:
    done = qcskit(str(bundle_path), *arguments)
    assert done.returncode == 2
    assert len(done.stderr.decode().strip().splitlines()) == 1
