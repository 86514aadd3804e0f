"""Arrays are written reproducibly and read with suspicion."""

import io
import tracemalloc
import zipfile

import numpy as np
import pytest
from support.hostile import byte_mutants, npz_mutants

from qcskit.codec.arrays import (
    check_array,
    check_ascending,
    check_finite,
    check_names,
    npz_bytes,
    read_header,
    read_npz,
    take_table,
)
from qcskit.codec.errors import QcsError


def test_npz_bytes_depend_on_the_arrays_alone() -> None:
    arrays = {"b": np.arange(5), "a": np.eye(2, order="F")}
    content = npz_bytes(arrays)
    assert content == npz_bytes(dict(reversed(arrays.items())))
    back = read_npz(content, "x")
    assert all(np.array_equal(back[name], arrays[name]) for name in arrays)
    for bad in (b"", b"PK", content[:-30]):
        with pytest.raises(QcsError, match=r"^the file is not a readable \.npz"):
            read_npz(bad, "the file")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({}, r"there is no array 'a', expected int8 \(any, 3\)"),
        ({"a": np.zeros((2, 3), np.int16)}, r"array 'a' is int16 \(2, 3\), expected int8 \(any, 3\)"),
        ({"a": np.zeros((2, 3), np.uint8)}, "array 'a' is uint8"),
        ({"a": np.zeros((3, 2), np.int8)}, r"array 'a' is int8 \(3, 2\)"),
        ({"a": np.zeros(3, np.int8)}, r"array 'a' is int8 \(3,\)"),
        ({"a": np.zeros((1, 2, 3), np.int8)}, "array 'a' is int8"),
    ],
)
def test_an_array_of_another_type_or_size_is_named(arrays, message: str) -> None:
    with pytest.raises(QcsError, match=message):
        take_table(arrays, "a", np.int8, (None, 3))


def test_a_table_that_is_right_is_given_back() -> None:
    array = np.arange(6, dtype=np.int16).reshape(2, 3)
    assert take_table({"a": array}, "a", np.int16, (2, None)) is array
    for ascends in ([[1, 1, 2], [-5, -5, 9]], [[-32768, 32767]]):
        check_ascending("a", np.array(ascends, np.int16))
    for descends in ([[1, 2, 1]], [[0, 1], [1, 0]], [[32767, -32768]]):
        with pytest.raises(QcsError, match="array 'a' must ascend in every row"):
            check_ascending("a", np.array(descends, np.int16))


def npy(header: bytes, data: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    return b"\x93NUMPY" + version + len(header).to_bytes(2, "little") + header + data


def zipped(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return out.getvalue()


def words(descr: str = "'<i2'", shape: str = "(2,)", order: str = "False") -> bytes:
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n".encode()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (npy(words(), bytes(3)), r"array 'a' is int16 \(2,\) by its header, but has 3 bytes"),
        (npy(words(shape="(3000000000,)"), bytes(4)), ".*by its header, but has 4 bytes"),
        (npy(words(shape="(1 << 70,)"), bytes(4)), "array 'a': it has no valid .npy header"),
        (npy(words(shape="(-2,)"), bytes(4)), "array 'a': its shape is impossible"),
        (npy(words(shape="(True, 2)"), bytes(4)), "array 'a': its shape is impossible"),
        (npy(words("'|O'"), bytes(16)), "array 'a': it is of type object, expected plain numbers"),
        (npy(words("'<U2'"), bytes(16)), "array 'a': it is of type <U2"),
        (npy(words("[('b', '<i2')]"), bytes(4)), "array 'a': it is of type"),
        (npy(b"(" * 4000, bytes(4)), "array 'a': it has no valid .npy header"),
        (npy(words(), bytes(4), b"\x03\x00"), "array 'a': it is .npy of version 3.0, expected 1.0 or 2.0"),
        (b"", "array 'a': it has no valid .npy header"),
        (bytes(40), "array 'a': it has no valid .npy header"),
    ],
)
def test_a_header_that_promises_what_is_not_there(content: bytes, message: str) -> None:
    with pytest.raises(QcsError, match=rf"^the file: {message}") as caught:
        read_npz(zipped(a=content), "the file")
    assert "\n" not in str(caught.value)


def test_plain_arrays_of_any_shape_and_order_come_back() -> None:
    arrays = {"none": np.zeros((0, 3), np.int8), "number": np.array(5), "flags": np.array([True]), "f": np.ones((2, 3))}
    out = io.BytesIO()
    np.savez(out, f=np.asfortranarray(arrays["f"]), **{name: arrays[name] for name in arrays if name != "f"})
    for name, back in read_npz(out.getvalue(), "x").items():
        assert (back.dtype, back.shape) == (arrays[name].dtype, arrays[name].shape)
        assert np.array_equal(back, arrays[name])


def test_nothing_is_read_before_the_headers_are_right() -> None:
    """64 MB that take 64 kB in the file: refused by size, or by what the reader wants, without being unpacked."""
    content = zipped(a=npy(words("'|u1'", f"({1 << 26},)"), bytes(1 << 26)))

    def want(headers) -> None:
        check_array("a", headers["a"], np.int8, (4,))

    tracemalloc.start()
    for options, message in (
        ({"most_bytes": 1 << 20}, r"x: its arrays take 67,108,9\d\d bytes, at most 1,048,576 are read"),
        ({"check": want}, r"x: array 'a' is uint8 \(67108864,\), expected int8 \(4\)"),
    ):
        with pytest.raises(QcsError, match=message):
            read_npz(content, "x", **options)
    assert tracemalloc.get_traced_memory()[1] < 8 << 20
    tracemalloc.stop()


def test_two_arrays_of_one_name_are_refused() -> None:
    out = io.BytesIO(zipped(a=npy(words(), bytes(4))))
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(out, "a") as archive:
        archive.writestr("a.npy", npy(words(), b"abcd"))
    with pytest.raises(QcsError, match="x: it holds two arrays of one name"):
        read_npz(out.getvalue(), "x")


def test_a_header_leaves_the_file_at_its_data() -> None:
    file = io.BytesIO(b"before" + npy(words(), b"ABCD"))
    file.seek(6)
    header = read_header(file)
    assert (header.dtype, header.shape, header.nbytes, file.read()) == (np.int16, (2,), 4, b"ABCD")


def test_what_is_not_finite_or_not_known_is_named() -> None:
    check_finite("a", np.array([1, 2]))
    check_names({"a": 1}, {"a", "b"})
    for bad in (np.nan, np.inf, -np.inf):
        with pytest.raises(QcsError, match=r"^array 'a' holds NaN or infinity$"):
            check_finite("a", np.array([[0.0, bad]]))
    with pytest.raises(QcsError, match=r"^array 'c' is unknown; known: a, b$"):
        check_names({"a": 1, "c": 2}, {"b", "a"})


def test_any_damage_is_one_line_or_changes_nothing_of_the_form() -> None:
    arrays = {"a": np.arange(40, dtype=np.int16).reshape(8, 5), "b": np.linspace(0, 1, 9), "c": np.array(3)}
    content, refused = npz_bytes(arrays), 0
    for mutants in (npz_mutants, byte_mutants):
        for what, mutant in mutants(content, 7, 150):
            said, back = "", {}
            try:
                back = read_npz(mutant, "x")
            except QcsError as error:
                said = str(error)
            refused += bool(said)
            assert "\n" not in said, what
            assert all(array.dtype.kind in "biuf" for array in back.values()), what
    assert 150 < refused < 300
