"""Files appear whole or not at all, and only what is ours is replaced."""

import errno
import fcntl
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from qcskit.codec import files
from qcskit.codec.errors import QcsError
from qcskit.codec.files import (
    append,
    check_file,
    check_replaceable,
    locked,
    manifest_checksum,
    put_back,
    remove_file,
    sealed,
    sha256,
    tables_id,
    write_directory,
    write_file,
    write_text,
)

OURS = {"c/a.c": b"a", "c/deep/b.c": b"b", "table": b"t"}


def marked(content: dict[str, bytes], **facts: object) -> dict[str, bytes]:
    """Files and the marker that lists them."""
    return {**content, "manifest.json": sealed(facts, content)}


def tree(root: Path) -> dict[str, bytes]:
    """Content of every file below a directory, by name."""
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def names(root: Path) -> list[str]:
    """What a directory holds."""
    return sorted(path.name for path in root.iterdir())


def test_a_directory_is_replaced_whole(tmp_path) -> None:
    out = tmp_path / "deep" / "b"
    for content in (OURS, {}, OURS):
        write_directory(out, marked(content))
        assert tree(out) == marked(content)
        assert [entry.name for entry in out.parent.iterdir()] == ["b"]


def test_nothing_of_the_user_s_is_replaced(tmp_path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x")
    (tmp_path / "file").write_text("x")
    os.mkfifo(tmp_path / "fifo")
    before = tree(tmp_path)
    for place in ("mine", "file", "fifo"):
        with pytest.raises(QcsError, match=r"holds no manifest\.json, so it is not replaced; choose another --out"):
            write_directory(tmp_path / place, marked({}))
    assert tree(tmp_path) == before
    (tmp_path / "empty").mkdir()
    check_replaceable(tmp_path / "empty")
    check_replaceable(tmp_path / "not there")
    write_directory(tmp_path / "empty", marked({}))


def add_file(out: Path) -> None:
    (out / "c" / "main.c").write_text("of the user")


def add_link(out: Path) -> None:
    (out / "c" / "linked").symlink_to(out.parent)


def add_fifo(out: Path) -> None:
    os.mkfifo(out / "c" / "pipe")


def edit_file(out: Path) -> None:
    (out / "c" / "deep" / "b.c").write_text("edited")


def edit_marker(out: Path) -> None:
    marker = out / "manifest.json"
    marker.write_text(marker.read_text().replace('"kind": 1', '"kind": 2'))


def break_marker(out: Path) -> None:
    (out / "manifest.json").write_text("[" * 100_000)


def link_file(out: Path) -> None:
    (out / "table").rename(out.parent / "kept elsewhere")
    (out / "table").symlink_to(out.parent / "kept elsewhere")


@pytest.mark.parametrize(
    ("change", "named"),
    [(add_file, "c/main.c"), (add_link, "c/linked"), (add_fifo, "c/pipe"), (edit_file, "c/deep/b.c"),
     (edit_marker, "manifest.json"), (break_marker, "c/a.c, c/deep/b.c, manifest.json and 1 more"),
     (link_file, "table")],
)  # fmt: skip
def test_what_the_user_added_or_edited_is_kept_and_named(change, named: str, tmp_path) -> None:
    out = tmp_path / "b"
    write_directory(out, marked(OURS, kind=1))
    change(out)
    before, entries = tree(out), sorted(out.rglob("*"))
    with pytest.raises(QcsError, match=f"'{out}' holds {named}, not listed in its manifest.json or edited since"):
        write_directory(out, marked({}))
    assert (tree(out), sorted(out.rglob("*"))) == (before, entries)
    assert not [name for name in names(tmp_path) if name.startswith(".")]


def test_a_marker_of_an_earlier_release_without_a_checksum_is_taken_as_it_is(tmp_path) -> None:
    write_directory(
        tmp_path / "b", {**marked({"a": b"a"}), "manifest.json": b'{"files": {"a": "%s"}}' % sha256(b"a").encode()}
    )
    write_directory(tmp_path / "b", marked({}))
    assert tree(tmp_path / "b") == marked({})


def test_a_checksum_is_of_all_but_itself() -> None:
    assert manifest_checksum({"b": 1, "a": [2]}) == manifest_checksum({"a": [2], "checksum": "x", "b": 1})
    assert manifest_checksum({"a": 1}) != manifest_checksum({"a": 2})


def test_a_place_that_must_not_be_replaced_is_refused_in_one_line(tmp_path, monkeypatch) -> None:
    inside = tmp_path / "in" / "side"
    inside.mkdir(parents=True)
    monkeypatch.chdir(inside)
    for place in (".", "", "..", "../..", str(inside), "/"):
        with pytest.raises(QcsError, match="is the current directory or holds it, so it is not replaced"):
            write_directory(Path(place), marked({}))
        with pytest.raises(QcsError, match="is a directory; choose another --out"):
            write_text(Path(place), "x")
    os.mkfifo("fifo")
    Path("loop").symlink_to("loop")
    for place in ("fifo", "loop", "/dev/null", "/dev/zero"):
        with pytest.raises(QcsError, match="is not a regular file; choose another --out"):
            write_text(Path(place), "x")
    assert Path("/dev/null").is_char_device()
    for place in ("/proc/x", "/proc/self/fd/x/y", "n" * 300):
        for write in (lambda path: write_text(path, "x"), lambda path: write_directory(path, marked({}))):
            with pytest.raises(QcsError, match=r"' cannot be written: [^\n]+$"):
                write(Path(place))
    assert names(inside) == ["fifo", "loop"]


def test_a_target_below_a_file_is_refused_in_one_line(tmp_path) -> None:
    (tmp_path / "file").write_text("mine")
    for write in (lambda path: write_text(path, "x"), lambda path: write_directory(path, marked({}))):
        with pytest.raises(QcsError, match=r"file/x/y' cannot be written: '.*file' is not a directory"):
            write(tmp_path / "file" / "x" / "y")
    assert (tmp_path / "file").read_text() == "mine"
    assert names(tmp_path) == ["file"]


def test_an_output_does_not_change_what_the_run_needs(tmp_path) -> None:
    write_directory(tmp_path / "b", marked(OURS))
    (tmp_path / "link").symlink_to(tmp_path / "b")
    for place in ("b/manifest.json", "b/new", "link/new", "b/c/deep/new"):
        with pytest.raises(QcsError, match=r"would change '.*b', which this run needs; choose another --out"):
            check_file(tmp_path / place, tmp_path / "b")
    for place in ("b", "link/new"):
        with pytest.raises(QcsError, match="would change"):
            check_replaceable(tmp_path / place, "manifest.json", tmp_path / "b")
    check_file(tmp_path / "beside", tmp_path / "b")
    check_replaceable(tmp_path / "beside", "manifest.json", tmp_path / "b")


def test_a_link_stays_and_its_target_is_written(tmp_path) -> None:
    (tmp_path / "disk").mkdir()
    for name in ("out.json", "b"):
        (tmp_path / name).symlink_to(tmp_path / "disk" / name)
    for text in ("1", "2"):
        write_text(tmp_path / "out.json", text)
        write_directory(tmp_path / "b", marked({"text": text.encode()}))
    assert (tmp_path / "out.json").is_symlink()
    assert (tmp_path / "b").is_symlink()
    assert tree(tmp_path / "disk") == {"out.json": b"2", **{f"b/{k}": v for k, v in marked({"text": b"2"}).items()}}


class Broken(dict):
    """Files of which the second cannot be had."""

    def items(self):
        yield "manifest.json", b"after"
        raise KeyboardInterrupt


def fails_half_way(file) -> None:
    file.write(b"half")
    raise KeyboardInterrupt


@pytest.mark.parametrize("before", [True, False])
def test_a_writer_that_fails_leaves_nothing(before: bool, tmp_path) -> None:
    if before:
        (tmp_path / "x").mkdir()
        (tmp_path / "x" / "a.txt").write_text("before")
        write_directory(tmp_path / "x" / "b", marked(OURS))
    kept = tree(tmp_path)
    for write in (lambda out: write_file(out / "a.txt", fails_half_way),
                  lambda out: write_directory(out / "b", Broken())):  # fmt: skip
        with pytest.raises(KeyboardInterrupt):
            write(tmp_path / "x")
        assert tree(tmp_path) == kept
        assert names(tmp_path) == (["x"] if before else [])


def test_what_is_written_can_be_read_by_others(tmp_path) -> None:
    write_directory(tmp_path / "b", marked({}))
    write_text(tmp_path / "a", "")
    (tmp_path / "plain").mkdir()
    (tmp_path / "text").write_text("")
    for ours, plain in (("b", "plain"), ("a", "text"), ("b/manifest.json", "text")):
        assert (tmp_path / ours).stat().st_mode == (tmp_path / plain).stat().st_mode


CHILD = """
import sys
from pathlib import Path
from qcskit.codec.files import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path, source_env):
    """Another process that holds tmp_path/out until it is killed."""
    command = [sys.executable, "-c", CHILD, str(tmp_path / "out")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=source_env) as child:
        assert child.stdout.readline() == b"held\n"
        yield child
        child.kill()


def test_two_runs_do_not_write_one_output(holder, tmp_path) -> None:
    out = tmp_path / "out"
    for write in (lambda: write_text(out, "x"), lambda: write_directory(out, marked({}))):
        with pytest.raises(QcsError, match=r"^another run is writing '.*out'; wait for it or choose another --out$"):
            write()
    write_text(tmp_path / "other", "x")
    (tmp_path / ".out.qcskit-new").mkdir()  # as if it were being made
    with pytest.raises(QcsError, match="another run"):
        write_text(out, "x")
    assert (tmp_path / ".out.qcskit-new").is_dir()
    holder.kill()
    holder.wait()
    write_text(out, "x")
    assert names(tmp_path) == ["other", "out"]


def test_two_threads_do_not_write_one_output(tmp_path) -> None:
    refused: list[QcsError] = []

    def write() -> None:
        try:
            write_text(tmp_path / "out", "x")
        except QcsError as error:
            refused.append(error)

    with locked(tmp_path / "out"):
        write_text(tmp_path / "out", "inside")
        thread = threading.Thread(target=write)
        thread.start()
        thread.join()
    assert "another run is writing" in str(refused[0])
    assert (tmp_path / "out").read_text() == "inside"
    write()
    assert len(refused) == 1
    assert names(tmp_path) == ["out"]


def test_a_lock_whose_file_its_holder_deleted_meanwhile_is_none(tmp_path, monkeypatch) -> None:
    flock, taken = fcntl.flock, []

    def late(descriptor: int, how: int) -> None:
        if not taken:
            (tmp_path / ".out.qcskit-lock").unlink()  # between opening and locking
        taken.append(descriptor)
        flock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with locked(tmp_path / "out"):
        assert len(taken) == 2
        assert names(tmp_path) == [".out.qcskit-lock"]


@pytest.mark.parametrize(("number", "goes_on"), [(errno.ENOTSUP, True), (errno.ENOLCK, True), (errno.EAGAIN, False)])
def test_a_file_system_without_locks_is_written_all_the_same(number: int, goes_on: bool, tmp_path, monkeypatch) -> None:
    def refuse(descriptor: int, how: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    if goes_on:
        write_text(tmp_path / "out", "x")
        assert names(tmp_path) == ["out"]
    else:
        with pytest.raises(QcsError, match="another run is writing"):
            write_text(tmp_path / "out", "x")


def test_a_directory_that_was_moved_aside_is_put_back(tmp_path) -> None:
    out, aside = tmp_path / "b", tmp_path / ".b.qcskit-old"
    write_directory(out, marked(OURS))
    for left in (lambda: None, out.mkdir):
        out.rename(aside)
        left()
        (tmp_path / ".b.qcskit-new").mkdir()
        with locked(out):
            assert tree(out) == marked(OURS)
    out.rename(aside)
    put_back(out)
    assert tree(out) == marked(OURS)
    assert names(tmp_path) == ["b"]
    put_back(tmp_path / "nothing")


def test_a_file_of_an_output_is_removed_with_what_is_left_of_it(tmp_path) -> None:
    for name in ("out", ".out.qcskit-new"):
        (tmp_path / name).write_text("x")
    remove_file(tmp_path / "out")
    assert names(tmp_path) == []
    remove_file(tmp_path / "out")


def test_append_adds_all_or_nothing(tmp_path, monkeypatch) -> None:
    path = tmp_path / "log"
    append(path, b"one\n")
    append(path, b"two\n")
    assert path.read_bytes() == b"one\ntwo\n"
    step = files._step

    def full(operation, *arguments):
        if operation is os.fsync:
            raise OSError(errno.ENOSPC, "No space left on device")
        return step(operation, *arguments)

    monkeypatch.setattr(files, "_step", full)
    with pytest.raises(QcsError, match=r"log' cannot be written: No space left on device$"):
        append(path, b"three\n")
    assert path.read_bytes() == b"one\ntwo\n"


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
