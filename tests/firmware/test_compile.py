"""The cache of builds: made once, whole or not at all, and nothing half made stays of a process that was killed."""

import errno
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from qcskit.codec.errors import QcsError
from qcskit.firmware.compile import Job, _key, publish, tool_version

KILLED = """
import os, signal, sys
from pathlib import Path
from qcskit.firmware.compile import publish

def fill(staging):
    (staging / "half").write_text("made")
    os.kill(os.getpid(), signal.SIGKILL)

publish(Path(sys.argv[1]), fill)
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_is_there_is_not_made_again(tmp_path: Path) -> None:
    place = tmp_path / "builds" / "key"
    assert publish(place, lambda staging: (staging / "a").touch()) == place
    assert publish(place, lambda staging: pytest.fail("made again")) == place
    assert (names(tmp_path / "builds"), names(place)) == (["key"], ["a"])


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """One with a source of its own, and headers and further sources in two folders."""
    for name in ("own.c", "a/first.h", "b/second.h", "b/third.c", "b/fourth.S", "b/notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    folders = (tmp_path / "a", tmp_path / "b")
    return Job("out", "cc", "gcc", "test", ("-O2", f"-I{folders[0]}"), (tmp_path / "own.c",), folders, ("-lm",), "cpu")


@pytest.mark.parametrize(
    "change",
    [
        {"output": "other"},
        {"compiler": "clang"},
        {"flags": ("-O1",)},
        {"flags": ()},
        {"tail": ("-lc",)},
        {"key_extra": "another cpu"},
        {"sources": ()},
        {"include": ()},
        "own.c",
        "a/first.h",
        "b/second.h",
        "b/third.c",
        "b/fourth.S",
    ],
)
def test_whatever_a_build_depends_on_makes_another_build(job: Job, tmp_path: Path, change: dict | str) -> None:
    before = _key(job, "cc 1")
    assert before == _key(job, "cc 1") != _key(job, "cc 2")
    if isinstance(change, str):
        (tmp_path / change).write_text("edited")
        assert _key(job, "cc 1") != before
    else:
        assert _key(replace(job, **change), "cc 1") != before


def test_the_same_sources_elsewhere_are_the_same_build(job: Job, tmp_path: Path) -> None:
    before = _key(job, "cc 1")
    (tmp_path / "b" / "notes.txt").write_text("edited")
    moved = tmp_path / "moved"
    moved.mkdir()
    for name in ("own.c", "a", "b"):
        (tmp_path / name).rename(moved / name)
    folders = (moved / "a", moved / "b")
    there = replace(job, sources=(moved / "own.c",), include=folders, flags=("-O2", f"-I{folders[0]}"))
    assert _key(there, "cc 1") == before


@pytest.mark.parametrize(
    ("script", "told"),
    [("echo one; echo two", "one"), ("echo one >&2; echo two >&2", "one"), ("echo ' one '", "one"), ("exit 3", ""),
     ("echo out; echo err >&2", "out")],
)  # fmt: skip
def test_a_tool_s_version_is_the_first_line_that_it_prints(script: str, told: str, tmp_path: Path) -> None:
    tool = tmp_path / "tool"
    tool.write_text(f"#!/bin/sh\n[ $1 = --version ] || exit 1\n{script}\n")
    tool.chmod(0o755)
    assert tool_version(str(tool)) == told


@pytest.mark.parametrize("key", ["same", "other"])
def test_what_a_killed_process_left_half_made_goes_with_the_next_build(
    key: str, tmp_path: Path, source_env: dict[str, str]
) -> None:
    builds = tmp_path / "builds"
    done = subprocess.run([sys.executable, "-c", KILLED, str(builds / "same")], env=source_env, check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(list(builds.glob(".making-*/half"))) == 1
    publish(builds / key, lambda staging: None)
    assert names(builds) == [key]


def test_what_others_are_making_is_left_alone(tmp_path: Path) -> None:
    """Two build the same, a third something else meanwhile; the first to be done wins."""
    ends = [threading.Event(), threading.Event()]
    begun = threading.Barrier(3, timeout=60)

    def build(number: int) -> None:
        def fill(staging: Path) -> None:
            begun.wait()
            assert ends[number].wait(60)
            (staging / f"{number}").touch()

        publish(tmp_path / "same", fill)

    with ThreadPoolExecutor(2) as pool:
        builds = [pool.submit(build, number) for number in (0, 1)]
        begun.wait()
        publish(tmp_path / "other", lambda staging: None)
        for number in (1, 0):
            ends[number].set()
            builds[number].result()
    assert names(tmp_path) == ["other", "same"]
    assert names(tmp_path / "same") == ["1"]


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    def fill(staging: Path) -> None:
        (staging / "half").touch()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(QcsError, match=r"^'.*/key' cannot be written: No space left on device$"):
        publish(tmp_path / "key", fill)
    assert names(tmp_path) == []


def test_a_place_below_a_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "builds").touch()
    with pytest.raises(QcsError, match=r"^'.*/builds/[^']*' cannot be written: File exists$"):
        publish(tmp_path / "builds" / "key", lambda staging: pytest.fail("made"))
