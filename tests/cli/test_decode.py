"""What `qcskit decode` writes and says of vectors that an encoder flagged; formats, streams, damage: test_stream.py."""

from collections import Counter
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from support.command import Made, Run

from qcskit.cli.decode import _counted, _opened
from qcskit.codec.codecs import open_codec
from qcskit.codec.errors import QcsError
from qcskit.codec.interface import Packets
from qcskit.codec.packet_files import save_packets


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("x.csv", lambda path, width: np.loadtxt(path, delimiter=",").reshape(-1, width)),
        ("x.bin", lambda path, width: np.fromfile(path, "<f4").reshape(-1, width)),
        ("x.npy", lambda path, width: np.load(path)),
    ],
)
def test_a_row_ends_with_its_flag_in_every_format(name: str, read: Any, made: Made, run: Run, tmp_path: Path) -> None:
    """Of a codec with a guard; the screen has the count."""
    path = made("sparse")
    codec = open_codec(path)
    counts = codec.counts(codec.draw(40, 3)[1])
    counts[:9] = np.random.default_rng(3).integers(-300, 300, (9, codec.inputs))
    packets = codec.encode_counts(counts)
    marks = codec.guarded(packets)
    assert marks is not None
    assert 0 < marks.sum() < len(marks)
    save_packets(tmp_path / "p.bin", packets, codec)
    done = run("decode", str(path), "p.bin", "-o", name)
    assert done.returncode == 0, done.stderr
    rows = read(tmp_path / name, codec.width + 1)
    np.testing.assert_array_equal(rows[:, -1], marks)
    np.testing.assert_allclose(rows[:, :-1], codec.decode(packets), rtol=1e-6, atol=1e-9)
    assert f"flagged: {marks.sum()} of {len(marks)} vectors, off the codec's design and sent coarsely" in done.stderr


def test_no_packets_make_an_array_of_the_same_width(made: Made, run: Run, tmp_path: Path) -> None:
    codec = open_codec(made("sparse"))
    save_packets(tmp_path / "p.bin", Packets.of([]), codec)
    assert run("decode", str(made("sparse")), "p.bin", "-o", "x.npy").returncode == 0
    assert np.load(tmp_path / "x.npy").shape == (0, codec.width + 1)


def test_a_codec_without_a_guard_has_neither_flag_nor_word_of_it(made: Made, run: Run, tmp_path: Path) -> None:
    codec = open_codec(made("classical"))
    save_packets(tmp_path / "p.bin", codec.encode(codec.draw(5, 1)[1]), codec)
    done = run("decode", str(made("classical")), "p.bin", "-o", "x.npy")
    assert np.load(tmp_path / "x.npy").shape == (5, codec.width)
    assert "flagged" not in done.stderr


def test_rows_that_came_back_as_nan_and_rows_that_are_flagged_are_counted() -> None:
    blocks = [np.array([[1.0, np.nan, 0.0], [np.nan, np.nan, 1.0]]), np.array([[1.0, 2.0, 1.0]])]
    for flags, wanted in ((True, {"lost": 2, "flagged": 2}), (False, {"lost": 2, "flagged": 0})):
        seen = Counter[str]()
        assert list(_counted(iter(blocks), flags, seen)) == blocks
        assert seen == wanted


def test_a_line_is_standard_input_and_what_is_no_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=BytesIO(b"packets")))
    with _opened("-") as stream:
        assert stream.read() == b"packets"
    with pytest.raises(QcsError, match=r"is not a file; - reads stdin$"), _opened(str(tmp_path)):
        pass
