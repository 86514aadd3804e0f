"""Recordings of every kind that is read: right values, or one line with file and place. Files are made on the fly."""

import os
import re
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.io import wavfile

from qcskit.codec import readers
from qcskit.codec.errors import QcsError
from qcskit.codec.readers import read_array, read_samples

COUNTS = np.round(np.sin(np.arange(300) / 9) * 12_000).astype(np.int16)
MATRIX = np.random.default_rng(3).standard_normal((6, 9))


def test_a_path_may_be_text(tmp_path: Path) -> None:
    np.save(tmp_path / "samples.npy", MATRIX)
    for read in (lambda path: read_samples(path).values, read_array):
        assert np.array_equal(read(str(tmp_path / "samples.npy")), MATRIX)


def text(content: str, encoding: str = "utf-8") -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content.encode(encoding))


def array(values: object, **keys: object) -> Callable[[Path], object]:
    """Write values as .npy under whatever name."""

    def write(path: Path) -> None:
        with path.open("wb") as file:
            np.save(file, np.asarray(values), **keys)

    return write


def arrays(**named: object) -> Callable[[Path], object]:
    def write(path: Path) -> None:
        with path.open("wb") as file:
            np.savez(file, **{name: np.asarray(values) for name, values in named.items()})

    return write


def wav(
    data: bytes, bits: int = 16, tag: int = 1, channels: int = 1, size: int | None = None, after: bytes = b""
) -> bytes:
    """Return a WAV file at 360 Hz; size: what its header says of the samples."""
    frame = channels * bits // 8
    form = struct.pack("<HHIIHH", tag, channels, 360, 360 * frame, frame, bits)
    if tag == 0xFFFE:
        form += struct.pack("<HHIH14s", 22, bits, 0, 1, b"\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71")
    size = len(data) if size is None else size
    body = b"WAVELIST\x03\0\0\0abc\0fmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", size)
    return b"RIFF" + struct.pack("<I", (size + len(body)) & 0xFFFFFFFF) + body + data + after


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(readers.MAX_BYTES + 1)


def zip_of_too_many(path: Path) -> None:
    """Write an .npz whose directory states 2 GB of 'x' unpacked."""
    arrays(x=COUNTS)(path)
    content = bytearray(path.read_bytes())
    struct.pack_into("<I", content, content.index(b"PK\1\2") + 24, 2_000_000_000)
    path.write_bytes(content)


def binary(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


def in_24_bits(values: list[int]) -> bytes:
    return b"".join(value.to_bytes(3, "little", signed=True) for value in values)


def refused(path: Path, column: str, message: str) -> None:
    with pytest.raises(QcsError, match=re.escape(message)) as caught:
        read_samples(path, column)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"'{path}'")


GOOD_TEXT = {
    "one column": ("1\n-2.5\n3e2\n", "", [1, -2.5, 300]),
    "no end of line": ("1\n2", "", [1, 2]),
    "header": ("v\n1\n2\n", "", [1, 2]),
    "crlf": ("t,v\r\n0,1\r\n1,2\r\n", "v", [1, 2]),
    "twice translated crlf": ("v\r\r\n1\r\r\n2\r\r\n", "", [1, 2]),
    "old mac": ("v\r1\r2\r", "", [1, 2]),
    "time stamps": ("time,v\n2024-01-01 00:00:00,1.5\n2024-01-01 00:00:01,2.5\n", "", [1.5, 2.5]),
    "time stamps, no header": ("2024-01-01 00:00,1.5\n2024-01-02 00:00,2.5\n", "", [1.5, 2.5]),
    "words beside": ("v;state\n1;ok\n2;bad, very\n", "", [1, 2]),
    "semicolon": ("t;v\n0;1.5\n1;2.5\n", "v", [1.5, 2.5]),
    "semicolon, decimal comma": ("t;v\n0;1,5\n1;-2,25e1\n2;3\n", "v", [1.5, -22.5, 3]),
    "decimal comma of three digits": ("t;v\n0;21,375\n1;21,500\n", "v", [21.375, 21.5]),
    "tab, decimal comma": ("t\tv\n0\t1,5\n1\t2,25\n", "v", [1.5, 2.25]),
    "quoted decimal comma": ('t,v\n0,"1,5"\n1,"2,25"\n', "v", [1.5, 2.25]),
    "date and decimal comma": ("01.02.2024 12:00;1,5\n01.02.2024 12:01;2,5\n", "", [1.5, 2.5]),
    "spaces": ("  1.0   2.0\n  3.0  -4.0\n", "1", [2, -4]),
    "spaces, decimal comma": ("1,5 2,5\n3,5 4,5\n", "1", [2.5, 4.5]),
    "comma and space": ("t, v\n0, 1\n1, 2\n", "v", [1, 2]),
    "quotes": ('"t","a ""v"""\n"0","1"\n"1","2"\n', 'a "v"', [1, 2]),
    "comments first": ("# made by hand\n\n# t,v\nt,v\n0,1\n1,2\n", "v", [1, 2]),
    "empty lines about": ("\n\nv\n\n1\n2\n\n\n", "", [1, 2]),
    "separator at every end": ("t;v;\n0;1;\n1;2;\n", "v", [1, 2]),
    "separator at the ends of lines only": ("t;v\n0;1;\n1;2;\n", "v", [1, 2]),
    "separator at the end of the header only": ("t;v;\n0;1\n1;2\n", "v", [1, 2]),
    "a gap elsewhere, first": ("NA,1\n5,2\n", "1", [1, 2]),
    "a word above time stamps": ("date,1\n2024-01-01,5\n2024-01-02,6\n", "1", [5, 6]),
    "one decimal comma, one name": ("lead2\n0,00126\n-0,5\n3\n", "", [0.00126, -0.5, 3]),
    "number of the column": ("t,v\n0,1\n1,2\n", "1", [1, 2]),
    "name before number": ("1,0,w\n0,8,5\n1,9,6\n", "0", [8, 9]),
    "numbers as names": ("2019,2020\n1,3\n2,4\n", "2020", [3, 4]),
    "pandas' names": (",0\n0,1.5\n1,2.5\n", "0", [1.5, 2.5]),
    "counted names": ("0,1,2\n7,8,9\n4,5,6\n", "2", [9, 6]),
    "a name beside a number": ("t,1\n0,5\n1,6\n", "1", [5, 6]),
    "zero first": ("0\n1\n2\n", "", [0, 1, 2]),
    "index and value from zero": ("0,1\n1,0.9\n2,0.8\n", "1", [1, 0.9, 0.8]),
    "gaps elsewhere": ("a,v\n,1\nNA,2\n5,3\n", "v", [1, 2, 3]),
    "words with accents": ("Zeit;Temperatur °C\n0;1\n1;2\n", "Temperatur °C", [1, 2]),
}


@pytest.mark.parametrize("case", GOOD_TEXT)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
def test_text_is_read_however_it_is_written(case: str, encoding: str, tmp_path: Path) -> None:
    content, column, expected = GOOD_TEXT[case]
    path = tmp_path / "Logger.CSV"
    text(content, encoding)(path)
    got = read_samples(path, column)
    np.testing.assert_array_equal(got.values, expected)
    assert got.integers == all(value == int(value) for value in expected)


@pytest.mark.parametrize("suffix", [".tsv", ".txt", ".DAT", ".log", ""])
def test_text_needs_no_suffix(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"recording{suffix}"
    path.write_text("t\tv\n0\t1\n1\t2\n")
    assert read_samples(path, "v").columns == ("t", "v")


def test_a_table_of_n_columns_is_ready_windows(tmp_path: Path) -> None:
    path = tmp_path / "windows.csv"
    np.savetxt(path, MATRIX, delimiter=",")
    np.testing.assert_array_equal(read_samples(path, n=9).values, MATRIX)
    np.testing.assert_array_equal(read_samples(path, "2", n=9).values, MATRIX[:, 2])
    with pytest.raises(QcsError, match=r"9 columns of numbers: 0, 1, .* 8; choose one"):
        read_samples(path, n=8)


GAPS = {
    "empty cell": ("v,w\n1,0\n,0\n3,0\n", "v", 3),
    "empty line": ("v\n1\n\n3\n", "", 3),
    "line of separators": ("t;v\n0;1\n;\n2;3\n", "v", 3),
    "NA": ("1\nNA\n3\n", "", 2),
    "nan": ("1\nnan\n3\n", "", 2),
    "null": ("1\nNULL\n3\n", "", 2),
    "decimal commas": ("t;v\n0;1,0\n1;\n2;3,0\n", "v", 3),
}


@pytest.mark.parametrize("case", GAPS)
def test_gaps_of_a_text_are_refused_or_interpolated(case: str, tmp_path: Path) -> None:
    content, column, line = GAPS[case]
    path = tmp_path / "a.csv"
    path.write_text(content)
    with pytest.raises(QcsError, match=rf"a.csv', line {line}, column .*no number here, 1 gap in all"):
        read_samples(path, column)
    np.testing.assert_array_equal(read_samples(path, column, "interpolate").values, [1, 2, 3])


def test_gaps_of_an_array_are_refused_or_interpolated(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, [np.nan, 1, np.nan, np.nan, 4, np.nan])
    with pytest.raises(QcsError, match=r"a.npy', sample 0: no number here, 4 gaps in all"):
        read_samples(path)
    np.testing.assert_allclose(read_samples(path, fill="interpolate").values, [1, 1, 2, 3, 4, 4])


def test_gaps_of_ready_windows_are_never_filled(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.where(np.arange(12).reshape(3, 4) == 6, np.nan, 1.0))
    with pytest.raises(QcsError, match=r"a.npy', row 1, column 2: .*windows are not filled"):
        read_samples(tmp_path / "a.npy", fill="interpolate")


GOOD_ARRAYS = {
    "npy": ("a.npy", array(COUNTS), "", COUNTS),
    "upper case": ("A.NPY", array(COUNTS), "", COUNTS),
    "big-endian": ("a.npy", array(COUNTS.astype(">i4")), "", COUNTS),
    "half precision": ("a.npy", array(np.float16([0.5, 2])), "", [0.5, 2]),
    "one row": ("a.npy", array(COUNTS[None]), "", COUNTS),
    "one column": ("a.npy", array(COUNTS[:, None]), "", COUNTS),
    "windows": ("a.npy", array(MATRIX), "", MATRIX),
    "a column of many": ("a.npy", array(MATRIX), "2", MATRIX[:, 2]),
    "npz": ("a.npz", arrays(x=COUNTS), "", COUNTS),
    "npz by name": ("a.npz", arrays(x=[1.0], y=COUNTS), "y", COUNTS),
    "npz named npy": ("a.npy", arrays(x=COUNTS), "", COUNTS),
    "npy named csv": ("a.csv", array(COUNTS), "", COUNTS),
    "wav named txt": ("a.txt", binary(wav(COUNTS.tobytes())), "", COUNTS),
}


@pytest.mark.parametrize("case", GOOD_ARRAYS)
def test_arrays_are_read_by_content(case: str, tmp_path: Path) -> None:
    name, write, column, expected = GOOD_ARRAYS[case]
    write(tmp_path / name)
    got = read_samples(tmp_path / name, column)
    np.testing.assert_array_equal(got.values, expected)
    assert got.values.dtype == np.float64
    assert not got.values.flags.writeable


@pytest.mark.parametrize(
    ("values", "integers"),
    [([-32768, 32767], True), ([32768, 0], False), ([-32769, 0], False), ([0.5, 1], False), ([1.0, 2.0], True)],
)
def test_what_counts_as_integers_within_int16(values: list[float], integers: bool, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", values)
    assert read_samples(tmp_path / "a.npy").integers is integers


WAVS = {
    "16 bits": (wav(COUNTS.tobytes()), COUNTS),
    "8 bits": (wav(bytes([0, 128, 255]), bits=8), [0, 128, 255]),
    "24 bits": (wav(in_24_bits([-8388608, -1, 0, 300, 8388607]), bits=24), [-8388608, -1, 0, 300, 8388607]),
    "24 bits, extensible": (wav(in_24_bits([-5, 70000]), bits=24, tag=0xFFFE), [-5, 70000]),
    "32 bits": (wav(np.int32([-(2**31), 7]).tobytes(), bits=32), [-(2**31), 7]),
    "float": (wav(np.float32([-1.5, 0.25]).tobytes(), bits=32, tag=3), [-1.5, 0.25]),
    "double": (wav(np.float64([-1.5, 0.1]).tobytes(), bits=64, tag=3), [-1.5, 0.1]),
    "size never written": (wav(COUNTS.tobytes(), size=0), COUNTS),
    "size of a pipe": (wav(COUNTS.tobytes(), size=0xFFFFFFFF), COUNTS),
    "size of a pipe, half a sample": (wav(COUNTS.tobytes() + b"\x01", size=0x7FFFF000), COUNTS),
    "chunks behind": (wav(COUNTS.tobytes(), after=b"LIST\x04\0\0\0abcd"), COUNTS),
}


@pytest.mark.parametrize("case", WAVS)
def test_wav_integers_are_counts(case: str, tmp_path: Path) -> None:
    content, expected = WAVS[case]
    (tmp_path / "a.WAV").write_bytes(content)
    got = read_samples(tmp_path / "a.WAV")
    np.testing.assert_array_equal(got.values, expected)
    assert got.rate_hz == 360


def test_wav_channels_are_columns(tmp_path: Path) -> None:
    wavfile.write(tmp_path / "a.wav", 48_000, np.stack([COUNTS, -COUNTS], 1))
    np.testing.assert_array_equal(read_samples(tmp_path / "a.wav", "1").values, -COUNTS.astype(float))
    with pytest.raises(QcsError, match="2 columns of numbers: 0, 1; choose one"):
        read_samples(tmp_path / "a.wav")


@pytest.mark.parametrize("subtype", ["PCM_S8", "PCM_16", "PCM_24"])
def test_flac_integers_are_counts(subtype: str, tmp_path: Path) -> None:
    soundfile = pytest.importorskip("soundfile", reason="needs the extra 'audio': pip install 'qcskit[audio]'")
    bits = {"PCM_S8": 8, "PCM_16": 16, "PCM_24": 24}[subtype]
    values = np.array([-(2 ** (bits - 1)), -3, 0, 5, 2 ** (bits - 1) - 1])
    soundfile.write(tmp_path / "a.FLAC", (values << (32 - bits)).astype(np.int32), 360, subtype=subtype, format="FLAC")
    got = read_samples(tmp_path / "a.FLAC")
    np.testing.assert_array_equal(got.values, values)
    assert (got.rate_hz, got.integers) == (360, bits <= 16)


def test_a_flac_that_is_cut_off(tmp_path: Path) -> None:
    soundfile = pytest.importorskip("soundfile", reason="needs the extra 'audio': pip install 'qcskit[audio]'")
    path = tmp_path / "a.flac"
    soundfile.write(path, np.random.default_rng(0).integers(-999, 999, 50_000).astype(np.int16), 360)
    path.write_bytes(path.read_bytes()[:30_000])
    refused(path, "", " cannot be read as audio: ")


def physionet_record(path: Path) -> None:
    """Write two signals in format 16: 200 counts per mV about 1024, and 10 per mmHg about 0; −32768 is a gap."""
    header = "ecg 2 360 4\necg.dat 16 200(1024)/mV 12 0 0 0 0 II\necg.dat 16 10(0)/mmHg 12 0 0 0 0 ABP\n"
    path.with_suffix(".hea").write_text(header)
    path.with_suffix(".dat").write_bytes(np.int16([[1024, 800], [1224, 801], [1023, -32768], [0, 803]]).tobytes())


def test_a_physionet_record_is_counts_with_their_unit(tmp_path: Path) -> None:
    pytest.importorskip("wfdb", reason="needs the extra 'physionet': pip install 'qcskit[physionet]'")
    physionet_record(tmp_path / "ecg")
    for name in ("ecg.hea", "ecg.dat"):
        got = read_samples(tmp_path / name, "II")
        np.testing.assert_array_equal(got.values, [1024, 1224, 1023, 0])
        assert (got.rate_hz, got.integers, got.columns) == (360, True, ("II", "ABP"))
        assert (got.units_per_count, got.zero_count, got.unit) == (1 / 200, 1024, "mV")
    refused(tmp_path / "ecg.hea", "", " has 2 columns of numbers: 0 'II', 1 'ABP'; choose one")
    refused(tmp_path / "ecg.hea", "ABP", ", sample 2: no number here")
    (tmp_path / "ecg.dat").unlink()
    refused(tmp_path / "ecg.hea", "II", " cannot be read as a PhysioNet record")


def test_parquet_columns(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="needs the extra 'parquet': pip install 'qcskit[parquet]'")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "a.parquet"
    columns = {"t": ["a", "b", "c"], "v": [1, 2, 3], "gap": [1.0, None, 3.0]}
    parquet.write_table(pyarrow.table(columns), path)
    np.testing.assert_array_equal(read_samples(path, "v").values, [1, 2, 3])
    np.testing.assert_array_equal(read_samples(path, "gap", "interpolate").values, [1, 2, 3])
    refused(path, "", " has 2 columns of numbers: 1 'v', 2 'gap'; choose one")
    refused(path, "t", ": column 't' holds string, expected numbers")
    refused(path, "gap", ", row 1, column 'gap': no number here")
    refused(path, "x", " has no column 'x'")
    path.write_bytes(path.read_bytes()[:-9])
    refused(path, "v", " cannot be read as Parquet")


NPY_OF_TOO_MANY = b"{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999,)}".ljust(117) + b"\n"

BAD_FILES = {
    "missing": ("a.csv", lambda path: None, " does not exist"),
    "directory": ("a.csv", Path.mkdir, " is a directory"),
    "pipe": ("a.csv", os.mkfifo, " is no regular file"),
    "0 bytes": ("a.npy", text(""), " is empty: 0 bytes"),
    "too large": ("a.npy", sparse, " has 1.1 GB, more than"),
    "rubbish": ("a.csv", binary(bytes(range(256))), " is none of the kinds"),
    "text named NPY": ("A.NPY", text("not numpy"), " is none of the kinds"),
    "zero bytes in text": ("a.csv", binary(b"v\n1\n\0\0\n2\n"), " is none of the kinds"),
    "text named npy": ("a.npy", text("not numpy"), " is none of the kinds"),
    "text named wav": ("a.wav", text("1\n2\n"), " is none of the kinds"),
    "npy cut off": ("a.npy", binary(b"\x93NUMPY\x01\0v\0{'descr'"), " cannot be read as .npy"),
    "npy of too many": ("a.npy", binary(b"\x93NUMPY\x01\0v\0" + NPY_OF_TOO_MANY), " cannot be read as .npy: "),
    "objects": ("a.npy", array(np.array([{}, 1], object), allow_pickle=True), " cannot be read as .npy: "),
    "objects in npz": ("a.npz", arrays(x=np.array([{}, 1], object)), " cannot be read as .npz: "),
    "complex": ("a.npy", array([1j, 2]), " holds complex128, expected real numbers"),
    "bool": ("a.npy", array([True, False]), " holds bool, expected real numbers"),
    "words": ("a.npy", array(["a"]), " holds <U1, expected real numbers"),
    "no sample": ("a.npy", array(np.zeros(0)), " has shape (0,)"),
    "one number": ("a.npy", array(3.0), " has shape ()"),
    "three axes": ("a.npy", array(np.zeros((2, 3, 4))), " has shape (2, 3, 4)"),
    "infinity": ("a.npy", array([0, np.inf]), ", sample 1: inf is no sensor's value"),
    "1e200": ("a.npy", array([0, 1, -1e200]), ", sample 2: -1e+200 is no sensor's value"),
    "gaps alone": ("a.npy", array([np.nan] * 3), ", sample 0: no number here, 3 gaps in all: there is no number"),
    "several arrays": ("a.npz", arrays(x=[1], y=[2]), " holds the arrays x, y; choose one"),
    "npz cut off": ("a.npz", binary(b"PK\x03\x04 and no more"), " cannot be read as .npz"),
    "text named flac": ("a.flac", text("1\n2\n"), " cannot be read as audio: "),
    "zip without arrays": ("a.npz", binary(b"PK\x05\x06" + bytes(18)), " is a zip archive without NumPy arrays"),
    "wav cut off": ("a.wav", binary(wav(bytes(600))[:-7]), " is cut off: its header promises 300 samples"),
    "half a wav header": ("a.wav", binary(wav(bytes(600))[:52]), " is a WAV file without samples"),
    "wav of more": ("a.wav", binary(wav(bytes(600), size=200)), ": its header promises 100 samples per channel, and"),
    "wav compressed": ("a.wav", binary(wav(b"1234", tag=17, bits=32)), " is a WAV file of format 0x11"),
    "wav of 12 bits": ("a.wav", binary(wav(b"1234", bits=12)), " is a WAV file of format 0x1, 12 bits"),
    "wav of no channel": ("a.wav", binary(wav(b"1234", channels=0)), " is a WAV file with a damaged header"),
    "wav of a short header": (
        "a.wav",
        binary(b"RIFF\x14\0\0\0WAVEfmt \x08\0\0\0" + bytes(8)),
        " is a WAV file with a damaged header",
    ),
    "npz of too many": ("a.npz", zip_of_too_many, ": array 'x' has 2.0 GB unpacked; cut it into parts"),
    "a name too long": ("a" * 300, lambda path: None, " cannot be read: "),
    "wav of no sample": ("a.wav", binary(wav(b"12", size=0)[:-2]), " holds no samples"),
}

BAD_TEXT = {
    "a word": ("t,v\n1,2\n3,oops\n", "v", ", line 3, column 'v': 'oops' is not a number"),
    "a word, no header": ("1;2\n3;4\n5;oops\n", "1", ", line 3, column 1 (from 0): 'oops' is not a number"),
    "a word far down": ("v\n" + "1\n" * 5000 + "2x\n", "", ", line 5002, column 'v': '2x' is not a number"),
    "units below the header": ("t,v\ns,mV\n1,2\n3,4\n", "v", ", line 2, column 'v': 'mV' is not a number"),
    "a number of Python": ("v\n1\n1_000\n", "", ", line 3, column 'v': '1_000' is not a number"),
    "infinity": ("v\n1\n-inf\n", "", ", line 3, column 'v': -inf is no sensor's value"),
    "infinity and commas": ("t;v\n0;1,5\n1;-inf\n", "v", ", line 3, column 'v': -inf is no sensor's value"),
    "1e200": ("v\n1\n1e200\n", "", ", line 3, column 'v': 1e+200 is no sensor's value"),
    "a short line": ("1,2\n3\n", "0", ", line 2 has 1 cells, the lines before it 2"),
    "a long line": ("t,v\n1,2\n3,4,5\n", "t", ", line 3 has 3 cells, the lines before it 2"),
    "ends of line of two kinds": ("v\n1\r2\n3\n", "v", ", line 2: a carriage return stands within it"),
    "the other kind far down": ("v\n" + "1\n" * 500 + "2\r3\n", "v", ", line 502 is no line of a table: new-line"),
    "an endless cell": ("v\n" + "1" * 200_000 + "\n", "v", ", line 2 is no line of a table: field larger"),
    "an open quote": ('t,v\n1,"2\n3\n', "v", ", line 2: a cell begins with a quote that its line does not close"),
    "several columns": ("t,v,w\n1,2,x\n3,4,y\n", "", " has 2 columns of numbers: 0 't', 1 'v'; choose one"),
    "an index without a name": (",0\n0,1.5\n1,2.5\n", "", " has 2 columns of numbers: 0 '', 1 '0'; choose one"),
    "many columns": (",".join(map(str, range(100, 150))), "", "10, 11 and 38 more; choose one"),
    "no column of numbers": ("t,v\na,b\n", "", ", line 1: no column of numbers begins at 't,v'"),
    "no such name": ("t,v\n1,2\n", "w", " has no column 'w'; its columns of numbers: 0 't', 1 'v'"),
    "the same name twice": ("v,v\n1,2\n", "v", " has 2 columns named 'v': choose one by its number"),
    "header alone": ("t,v\n", "v", " holds no line of numbers below its header, line 1"),
    "a zero byte far down": ("v\n" + "1\n" * 500 + "\0\n", "", " is no text: it holds zero bytes"),
    "comments alone": ("# t,v\n\n", "", " holds no numbers"),
    "header of fewer cells": ("lead2\n1,5\n2,7\n", "", ", line 1: the header has 1 cells, the line after it 2"),
    "a name for the half": (
        "lead2\n0,00126\n0,5\n",
        "lead1",
        " has no column 'lead1'; its columns of numbers: 0 'lead2'",
    ),
    "header of more cells": ("a;b;c\n1;2\n", "a", ", line 1: the header has 3 cells, the line after it 2"),
    "decimal comma or columns": ("0,00126\n0,5\n", "0", ", line 1: '0,00126' looks like one number"),
    "decimal or thousands": ("t\tv\n0\t12,000\n1\t13,500\n", "v", ", line 2, column 'v': the comma of '12,000' may be"),
    "thousands": ("t;v\n0;1.234,5\n1;2,5\n", "v", ", line 2, column 'v': '1.234,5' is not a number"),
    "comma and point": ("t;v\n0;1.5\n1;2,5\n", "v", ", line 3, column 'v': '2,5' has a comma, other lines a point"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_bad_file_is_one_line(case: str, tmp_path: Path) -> None:
    name, write, message = BAD_FILES[case]
    write(tmp_path / name)
    refused(tmp_path / name, "", f"{name}'{message}")


@pytest.mark.parametrize("case", BAD_TEXT)
def test_bad_text_is_one_line_with_its_place(case: str, tmp_path: Path) -> None:
    content, column, message = BAD_TEXT[case]
    (tmp_path / "a.csv").write_text(content)
    refused(tmp_path / "a.csv", column, message)


@pytest.mark.parametrize(
    ("write", "column", "message"),
    [
        (array(MATRIX), "9", " has no column '9'"),
        (array(COUNTS), "v", " holds one series: there is no column 'v'"),
        (arrays(x=[1], y=[2]), "z", " holds the arrays x, y; choose one"),
        (binary(wav(bytes(8), channels=2)), "2", " has no column '2'; its columns of numbers: 0, 1"),
    ],
)
def test_a_column_that_is_not_there(write: Callable[[Path], object], column: str, message: str, tmp_path: Path) -> None:
    write(tmp_path / "a.npy")
    refused(tmp_path / "a.npy", column, f"a.npy'{message}")


@pytest.mark.parametrize(
    ("head", "module", "extra"),
    [(b"fLaC", "soundfile", "audio"), (b"PAR1", "pyarrow", "parquet"), (b"a 1 360 1\n", "wfdb", "physionet")],
)
def test_a_missing_extra_is_named(
    head: bytes, module: str, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, module, None)
    path = tmp_path / "a.hea"
    path.write_bytes(head)
    with pytest.raises(QcsError, match=rf"needs {module}; install it with: pip install 'qcskit\[{extra}\]'"):
        read_samples(path)


@pytest.mark.parametrize(("name", "write"), [("a.npy", array(MATRIX)), ("a.npz", arrays(phi=MATRIX))])
def test_an_array_keeps_its_shape(name: str, write: Callable[[Path], object], tmp_path: Path) -> None:
    write(tmp_path / name)
    np.testing.assert_array_equal(read_array(tmp_path / name), MATRIX)
    array(MATRIX[:1])(tmp_path / name)
    assert read_array(tmp_path / name).shape == (1, 9)


def test_an_array_from_text(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "a.csv", MATRIX, delimiter=";", header="by NumPy")
    np.testing.assert_array_equal(read_array(tmp_path / "a.csv"), MATRIX)
    (tmp_path / "a.csv").write_text("1,2\n3,\n")
    with pytest.raises(QcsError, match=r"a.csv', line 2, column 1 \(from 0\): no number here"):
        read_array(tmp_path / "a.csv")
    (tmp_path / "a.wav").write_bytes(wav(COUNTS.tobytes()))
    with pytest.raises(QcsError, match="an array is expected"):
        read_array(tmp_path / "a.wav")
