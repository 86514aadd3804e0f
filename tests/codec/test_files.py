"""Files appear whole or not at all, and only what is ours is replaced."""

import io

import numpy as np
import pytest

from qcskit.codec.errors import QcsError
from qcskit.codec.files import (
    check_ascending,
    check_replaceable,
    npz_bytes,
    read_npz,
    sha256,
    tables_id,
    take_table,
    write_directory,
    write_file,
    write_text,
)


def test_a_directory_is_replaced_whole(tmp_path) -> None:
    out = tmp_path / "deep" / "b"
    write_directory(out, {"manifest.json": b"1", "c/a.c": b"x"})
    write_directory(out, {"manifest.json": b"2"})
    assert [file.name for file in out.rglob("*")] == ["manifest.json"]
    assert (out / "manifest.json").read_bytes() == b"2"
    assert [entry.name for entry in out.parent.iterdir()] == ["b"]


def test_nothing_of_the_user_s_is_replaced(tmp_path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x")
    (tmp_path / "file").write_text("x")
    for place in ("mine", "file"):
        with pytest.raises(QcsError, match="is not replaced; choose another --out"):
            write_directory(tmp_path / place, {"manifest.json": b""})
    write_directory(tmp_path / "mine", {"a": b""}, marker="thesis.tex")
    (tmp_path / "empty").mkdir()
    check_replaceable(tmp_path / "empty")
    check_replaceable(tmp_path / "not there")


def test_a_failure_leaves_what_was_there(tmp_path) -> None:
    write_text(tmp_path / "a.txt", "before")

    def fail(path) -> None:
        path.write_text("half")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_file(tmp_path / "a.txt", fail)
    assert (tmp_path / "a.txt").read_text() == "before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]
    write_directory(tmp_path / "b", {"manifest.json": b"before"})
    with pytest.raises(TypeError):
        write_directory(tmp_path / "b", {"manifest.json": None})
    assert (tmp_path / "b" / "manifest.json").read_bytes() == b"before"


def test_npz_bytes_depend_on_the_arrays_alone() -> None:
    arrays = {"b": np.arange(5), "a": np.eye(2, order="F")}
    content = npz_bytes(arrays)
    assert content == npz_bytes(dict(reversed(arrays.items())))
    back = read_npz(content, "x")
    assert all(np.array_equal(back[name], arrays[name]) for name in arrays)
    pickled = io.BytesIO()
    np.savez(pickled, a=np.array([{}], object))
    for bad in (b"", b"PK", content[:-30], pickled.getvalue()):
        with pytest.raises(QcsError, match=r"^the file is not a readable \.npz"):
            read_npz(bad, "the file")


def test_an_id_names_kind_names_types_shapes_and_values() -> None:
    base = tables_id("k", {"a": np.zeros(4, np.int8)})
    assert len(base) == 16
    others = [
        tables_id("l", {"a": np.zeros(4, np.int8)}),
        tables_id("k", {"b": np.zeros(4, np.int8)}),
        tables_id("k", {"a": np.zeros(2, np.int16)}),
        tables_id("k", {"a": np.zeros((2, 2), np.int8)}),
        tables_id("k", {"a": np.array([0, 0, 0, 1], np.int8)}),
    ]
    assert len({base, *others}) == 6
    assert sha256(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


class Broken(dict):
    """Files of which the second cannot be had."""

    def items(self):
        yield "manifest.json", b"after"
        raise KeyboardInterrupt


def fails_half_way(path) -> None:
    path.write_text("half")
    raise KeyboardInterrupt


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("write", [fails_half_way, lambda path: None])
def test_a_writer_that_fails_leaves_nothing(write, before: bool, tmp_path) -> None:
    target = tmp_path / "a.txt"
    if before:
        target.write_text("before")
    with pytest.raises((KeyboardInterrupt, OSError)):
        write_file(target if before else tmp_path / "x" / "a.txt", write)
    if before:
        assert target.read_text() == "before"
    assert [path for path in tmp_path.rglob("*") if path.is_file() and path != target] == []


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("fault", ["content", "rename"])
def test_a_directory_that_cannot_be_written_leaves_nothing(fault: str, before: bool, tmp_path, monkeypatch) -> None:
    out, files = tmp_path / "b", {"manifest.json": b"after"}
    if before:
        write_directory(out, {"manifest.json": b"before", "c/a.c": b"x"})
    if fault == "rename":
        rename = type(out).rename

        def fail(self, target):
            if self.name == "new":
                raise OSError("no")
            return rename(self, target)

        monkeypatch.setattr(type(out), "rename", fail)
    with pytest.raises((KeyboardInterrupt, OSError)):
        write_directory(out, Broken() if fault == "content" else files)
    kept = {str(path.relative_to(tmp_path)): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert kept == ({"b/manifest.json": b"before", "b/c/a.c": b"x"} if before else {})
    assert [path.name for path in tmp_path.iterdir()] == (["b"] if before else [])


def test_a_written_directory_can_be_read_by_others(tmp_path) -> None:
    write_directory(tmp_path / "b", {"manifest.json": b""})
    (tmp_path / "plain").mkdir()
    assert (tmp_path / "b").stat().st_mode == (tmp_path / "plain").stat().st_mode


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


def test_a_target_that_is_no_file_is_refused_in_one_line(tmp_path) -> None:
    (tmp_path / "file").write_text("mine")
    for write in (lambda path: write_text(path, "x"), lambda path: write_directory(path, {"manifest.json": b""})):
        with pytest.raises(QcsError, match=r"file/x/y' cannot be written: '.*file' is not a directory"):
            write(tmp_path / "file" / "x" / "y")
    with pytest.raises(QcsError, match="is a directory; choose another --out"):
        write_text(tmp_path, "x")
    assert (tmp_path / "file").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
