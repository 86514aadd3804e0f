"""What `qcskit simulate` prints: the tallies of every kind, the first mismatch in full, boards that were not run."""

import json
import re
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.bundles import BUNDLES, drifting_counts, learned_bundle, sampled_bundle
from support.command import Made, Run, refused
from support.need import need_board
from support.tampered import arrays_edited, tampered

from qcskit.cli.bar import Bar
from qcskit.cli.simulate import run_simulate
from qcskit.codec.bundle import read_bundle
from qcskit.firmware_sim.config import SimulateConfig

FEW = ("-n", "1000", "-o", "v.json")


@pytest.fixture
def wrong(made: Made, tmp_path: Path) -> Path:
    """A bundle whose golden packet 3 has one bit flipped, and whose manifest knows."""

    def edit(vectors: dict[str, np.ndarray]) -> None:
        vectors["packed"][3 * 4] ^= 1

    return tampered(read_bundle(made("classical")), tmp_path / "wrong", "vectors.npz", arrays_edited(edit)).path


LONG = pytest.param("sparse_range", marks=pytest.mark.slow)
"""16 windows in every packet: each of 65,536 counts takes as many searches."""


@pytest.mark.parametrize("name", [LONG if name == LONG.values[0] else name for name in BUNDLES])
def test_every_kind_passes_and_goes_on(name: str, made: Made, run: Run, tmp_path: Path) -> None:
    need_board("cortex-m4")
    done = run("simulate", str(made(name)), *FEW, "--boards", "cortex-m4", "-j", "2")
    assert done.returncode == 0, done.stderr
    every = "every ADC count (65,536): 0 mismatches against the definition"
    for words in ("cortex-m4", "golden file", every):
        assert words in done.stdout
    assert re.search("implementation.*role.*vectors.*mismatches.*vectors/s", done.stdout)
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


@pytest.mark.slow
def test_boards_that_cannot_hold_the_model_are_listed(tmp_path: Path, run: Run) -> None:
    need_board("uno")
    learned_bundle(tmp_path / "big", widths=(20, 200, 200, 20))
    none = ("--oracle-vectors", "0", "--reported-vectors", "0")
    done = run("simulate", "big", *FEW, "--boards", "all", *none, "-s", "simulate.board_vectors=20")
    assert done.returncode == 0, done.stderr
    assert "not run: uno: board 'uno' cannot hold this model: needs" in done.stdout
    assert "not compared with the definition" in done.stdout
    refused(run("simulate", "big", *FEW, "--boards", "uno"), "cannot hold this model")


def test_everyone_computes_all_of_the_user_s_own_data(made: Made, run: Run, tmp_path: Path) -> None:
    """Those with a limit too, beside their share of the drawn ones. A packet is of 12 samples."""
    need_board("cortex-m4")
    np.savetxt(tmp_path / "day.csv", drifting_counts(202), fmt="%d")
    done = run(
        "simulate", str(made("recorded")), "-n", "300", "-o", "v.json", "--data", "day.csv", "--in", "units",
        "--oracle-vectors", "10", "--reported-vectors", "10", "--boards", "cortex-m4", "-s", "simulate.board_vectors=5",
        "--hop", "9",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    verdict = json.loads((tmp_path / "v.json").read_text())
    packets = (202 - 12) // 9 + 1
    assert verdict["sets"]["data"] == packets
    assert verdict["data"] == {
        "name": "day.csv", "sha256": sha256((tmp_path / "day.csv").read_bytes()).hexdigest(), "packets": packets,
        "samples_left": 1,
    }  # fmt: skip
    computed = {row["name"]: row["vectors"] for row in verdict["implementations"]}
    assert computed["numpy"] == computed["c-host"] == 64 + 300 + packets
    assert (computed["cortex-m4"], computed["tflm"]) == (64 + 5 + packets, 64 + 10 + packets)
    for words in (f"data: {packets} packets of day.csv, 1 samples left", "of 40 windows", "clipped in data: "):
        assert words in done.stdout, words


def test_the_clipped_share_of_data_is_the_counted_one(run: Run, tmp_path: Path) -> None:
    """Of 25 packets of 8 counts, 13 counts are at the converter's end: 12 in the first packets, one at input 0."""
    sampled_bundle(tmp_path / "b")
    counts = drifting_counts(200).reshape(25, 8)
    counts[:4, 2:5], counts[7, 0] = 32767, -32768
    np.save(tmp_path / "loud.npy", counts.ravel())
    found = json.loads(run("simulate", "b", *FEW, "--data", "loud.npy", "--json").stdout)["clipped"]
    assert found["data"] == {"vectors": 25, "share": 13 / 200, "per_input": [0.04, 0, 0.16, 0.16, 0.16, 0, 0, 0]}
    assert (found["source"]["vectors"], found["source"]["share"]) == (550, 0)
    assert "data" not in json.loads(run("simulate", "b", *FEW, "--json").stdout)["clipped"]


def test_a_verdict_is_resumed_with_the_same_data_only(run: Run, tmp_path: Path) -> None:
    sampled_bundle(tmp_path / "b")
    counts = drifting_counts(200)
    np.savetxt(tmp_path / "day.csv", counts, fmt="%d")
    counts[77] += 1
    np.savetxt(tmp_path / "other.csv", counts, fmt="%d")
    assert run("simulate", "b", *FEW, "--data", "day.csv", "-q").returncode == 0
    assert run("simulate", "b", *FEW, "--data", "day.csv", "--resume", "-q").returncode == 0
    for options in (("--data", "other.csv"), ("--data", "day.csv", "--hop", "9"), ()):
        done = run("simulate", "b", *FEW, *options, "--resume")
        refused(done, "the verdict to resume is of another run: data differs; run without --resume")


def test_options_about_data_need_data(made: Made, run: Run, tmp_path: Path) -> None:
    np.savetxt(tmp_path / "day.csv", drifting_counts(200), fmt="%d")
    bundle = str(made("recorded"))
    refused(run("simulate", bundle, "--hop", "3"), "--hop is about --data FILE: give both")
    refused(run("simulate", bundle, "--data", "day.csv", "-o", "day.csv"), "would change 'day.csv'")
    assert np.array_equal(np.loadtxt(tmp_path / "day.csv"), drifting_counts(200))
    assert not (tmp_path / "verdict.json").exists()


def test_how_far_it_is_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[tuple[Any, ...]] = []

    class Watched(Bar):
        def update(self, task: Any, **fields: Any) -> None:
            shown.append((fields["description"], fields["completed"], fields["total"]))
            super().update(task, **fields)

    def run(*given: Any, progress: Any, **more: Any) -> str:
        progress(30, 100)
        return "verdict"

    monkeypatch.setattr("qcskit.cli.simulate.Bar", Watched)
    monkeypatch.setattr("qcskit.firmware_sim.run.simulate", run)
    assert run_simulate("bundle", SimulateConfig(), None, None, quiet=True) == "verdict"
    assert shown == [("simulate vectors", 30, 100)]
