"""Codecs of random encoders, of one with a decoder, of one with packets of any length; the command in this process."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support import toy
from support.bundles import classical_bundle, learned_bundle

from qcskit.codec.interface import Codec


@pytest.fixture(scope="session")
def codec(tmp_path_factory: pytest.TempPathFactory) -> Codec:
    """A random learned codec, without decoder."""
    return learned_bundle(tmp_path_factory.mktemp("hil") / "bundle", name="test")


@pytest.fixture(scope="session")
def other_codec(tmp_path_factory: pytest.TempPathFactory) -> Codec:
    """Another one of the same dimensions."""
    return learned_bundle(tmp_path_factory.mktemp("hil") / "other", name="test", seed=2)


@pytest.fixture(scope="session")
def decoding_codec(tmp_path_factory: pytest.TempPathFactory) -> Codec:
    """A classical codec: takes counts only, holds a decoder."""
    return classical_bundle(tmp_path_factory.mktemp("hil") / "classical", name="decoding")


@pytest.fixture(scope="module")
def toy_codec(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Codec]:
    """A codec whose packets differ in length, of two windows each."""
    with toy.registered():
        yield toy.toy_bundle(tmp_path_factory.mktemp("hil") / "toy")


@dataclass
class Done:
    """What a command left behind."""

    returncode: int
    stdout: str
    stderr: str


Qcskit = Callable[..., Done]


@pytest.fixture
def qcskit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Qcskit:
    """The command, in this process and an empty folder."""
    from qcskit.cli import main

    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["qcskit", *arguments])
        code: object = 0
        capsys.readouterr()
        try:
            main()
        except SystemExit as end:
            code = end.code
        out, err = capsys.readouterr()
        return Done(int(str(code or 0)), out, err)

    return call
