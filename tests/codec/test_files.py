"""Files appear whole or not at all, and only what is ours is replaced."""

import io

import numpy as np
import pytest

from qcskit.codec.errors import QcsError
from qcskit.codec.files import (
    check_replaceable,
    npz_bytes,
    read_npz,
    sha256,
    tables_id,
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
