"""What `qcskit simulate` prints: the tallies of every kind, the first mismatch in full, boards that were not run."""

import json
from pathlib import Path

import numpy as np
import pytest
from support.bundles import BUNDLES, learned_bundle
from support.command import Made, Run, refused
from support.need import need_board
from support.tampered import arrays_edited, tampered

from qcskit.codec.bundle import read_bundle

FEW = ("-n", "1000", "-o", "v.json")


@pytest.fixture
def wrong(made: Made, tmp_path: Path) -> Path:
    """A bundle whose golden packet 3 has one bit flipped, and whose manifest knows."""

    def edit(vectors: dict[str, np.ndarray]) -> None:
        vectors["packed"][3 * 4] ^= 1

    return tampered(read_bundle(made("classical")), tmp_path / "wrong", "vectors.npz", arrays_edited(edit)).path


@pytest.mark.parametrize("name", BUNDLES)
def test_every_kind_passes_and_goes_on(name: str, made: Made, run: Run, tmp_path: Path) -> None:
    need_board("cortex-m4")
    done = run("simulate", str(made(name)), *FEW, "--boards", "cortex-m4", "-j", "2")
    assert done.returncode == 0, done.stderr
    for words in ("cortex-m4", "golden file", "every ADC count (65,536): 0 mismatches against the definition"):
        assert words in done.stdout
    assert ("recovery:" in done.stdout) == (name == "coded")
    again = run("simulate", str(made(name)), *FEW, "--boards", "cortex-m4", "--resume", "--json")
    assert (
        json.loads(again.stdout)["implementations"] == json.loads((tmp_path / "v.json").read_text())["implementations"]
    )
    other = run("simulate", str(made(name)), "-n", "1001", "-o", "v.json", "--boards", "cortex-m4", "--resume")
    refused(other, "the verdict to resume is of another run: configuration differs; run without --resume")


def test_the_first_mismatch_is_shown_in_full(wrong: Path, run: Run) -> None:
    done = run("simulate", str(wrong), *FEW)
    refused(done, "golden file differs from NumPy on 1 of 32 vectors", code=1)
    assert "first mismatch: chunk -1, frame 3, set 'golden'" in done.stderr
    with np.load(wrong / "vectors.npz") as vectors:
        assert vectors["packed"][12:16].tobytes().hex() in done.stderr
        assert " ".join(map(str, vectors["counts"][3])) in " ".join(done.stderr.replace("│", " ").split())


def test_a_mismatch_in_json(wrong: Path, run: Run) -> None:
    done = run("simulate", str(wrong), *FEW, "--json")
    refused(done, "golden file differs", code=1)
    found = json.loads(done.stdout)
    assert found["first_mismatch"]["frame"] == 3
    assert set(found["first_mismatch"]["packets"]) == {"numpy", "c-host", "definition", "golden file"}


def test_boards_that_cannot_hold_the_model_are_listed(tmp_path: Path, run: Run) -> None:
    need_board("avr-328p")
    learned_bundle(tmp_path / "big", widths=(20, 200, 200, 20))
    none = ("--oracle-vectors", "0", "--reported-vectors", "0")
    done = run("simulate", "big", *FEW, "--boards", "all", *none, "-s", "simulate.board_vectors=20")
    assert done.returncode == 0, done.stderr
    assert "not run: avr-328p: board 'avr-328p' cannot hold this model: needs" in done.stdout
    assert "not compared with the definition" in done.stdout
    refused(run("simulate", "big", *FEW, "--boards", "avr-328p"), "cannot hold this model")
