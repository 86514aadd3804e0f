"""A family from outside the kit through the whole road: packets of any length, two windows each, its own C."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support import toy

from qcskit.codec import codecs
from qcskit.codec.bundle import read_bundle
from qcskit.codec.errors import QcsError
from qcskit.firmware import find_board
from qcskit.firmware_sim import SimulateConfig, simulate
from qcskit.hil.config import HilConfig
from qcskit.hil.session import Run, results_of, run_device


@pytest.fixture(scope="module", autouse=True)
def _toy_family() -> Iterator[None]:
    with toy.registered():
        yield


def test_the_toy_family_runs_on_an_emulated_board_and_in_processes(tmp_path: Path) -> None:
    bundle = toy.toy_bundle(tmp_path / "b").bundle
    verdict = simulate(bundle, SimulateConfig(vectors=20_000, oracle_vectors=200, processes=2))
    assert verdict.passed
    assert verdict.sets["source"] == 11_000
    if find_board("cortex-m4").missing:
        pytest.skip("needs the emulator of cortex-m4")
    verdict = simulate(bundle, SimulateConfig(vectors=300, oracle_vectors=0, boards="cortex-m4"))
    assert verdict.passed
    assert {t.name: t.vectors for t in verdict.implementations}["cortex-m4"] == 332


@pytest.mark.parametrize("port", ["emu:native", "emu:cortex-m4"])
def test_the_toy_family_is_measured_on_a_board(port: str, tmp_path: Path) -> None:
    if find_board(port.removeprefix("emu:")).missing:
        pytest.skip(f"needs the emulator of {port}")
    codec = toy.toy_bundle(tmp_path / "b")
    config = HilConfig(port=[port], vectors=300, give_up_s=200)  # emulators on a busy machine
    entry = run_device(codec, Run(port, config))
    assert entry["answered"] == 300
    assert entry["mismatches"]["count"] == 0
    assert entry["packet_bytes"]["min"] == 1 < entry["packet_bytes"]["max"] < codec.packed_bytes_max
    assert entry["nmse"]["device_db"] == entry["nmse"]["deployed_db"] < -30
    assert results_of(codec, config, [entry])["verdict"]["ok"]


def test_without_its_family_a_bundle_is_one_clear_line(tmp_path: Path) -> None:
    path = toy.toy_bundle(tmp_path / "b").bundle.path
    del codecs._FAMILIES["toy"]
    try:
        with pytest.raises(QcsError, match="codec: there is no codec kind 'toy'; known: learned, coded, classical"):
            read_bundle(path)
    finally:
        codecs.register(toy.FAMILY)
