"""The host against the real C agent, as a process on a pty."""

import contextlib
import socket
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from qcskit import firmware
from qcskit.codec.bundle import Bundle
from qcskit.codec.errors import QcsError
from qcskit.hil import Device
from qcskit.hil.config import HilConfig
from qcskit.hil.errors import LinkError, SilentError, WrongDeviceError
from qcskit.hil.fleet import run_fleet
from qcskit.hil.framing import encode_frame
from qcskit.hil.link import EmulatedBoard


def silent(label: str, stage: str, done: int, total: int) -> None:
    """No progress."""


def test_every_byte_of_the_board_is_the_reference_s(bundle: Bundle, tmp_path: Path) -> None:
    config = HilConfig(port=["emu:native"], vectors=3000)
    results = run_fleet(bundle, config, out=tmp_path / "r.json", resume=False, progress=silent)
    board = results["devices"][0]
    assert results["verdict"] == {"ok": True, "vectors": 3000, "mismatches": 0, "failed": []}
    assert board["link"]["agree"]
    assert board["ticks"]["count"] == board["answered"] == 3000
    assert (tmp_path / "r.json").is_file()
    assert not list(tmp_path.glob("*.partial"))


def test_an_emulated_core_answers_with_the_same_bytes(bundle: Bundle) -> None:
    inputs = bundle.vectors["input"]
    packed = []
    for port in ("emu:native", "emu:cortex-m4"):
        try:
            with Device.open(port, bundle) as board:
                packed.append(board.encode(inputs))
        except firmware.MissingToolError as error:
            pytest.skip(str(error))
    assert np.array_equal(packed[0], packed[1])
    assert np.array_equal(packed[0], bundle.vectors["packed"])


def test_raw_counts_go_through_the_front_end(bundle: Bundle, tmp_path: Path) -> None:
    config = HilConfig(port=["emu:native"], vectors=500, input="counts")
    results = run_fleet(bundle, config, out=tmp_path / "r.json", resume=False, progress=silent)
    assert results["verdict"]["mismatches"] == 0


def test_echo_stats_and_reset(bundle: Bundle) -> None:
    with Device.open("emu:native", bundle) as board:
        board.reset_counts()
        assert board.echo(bytes(range(256)) * 3) > 0
        counts = board.stats()
        assert (counts.frames, counts.crc_errors, counts.duplicates) == (2, 0, 0)


def test_wrong_vectors_are_refused_before_they_are_sent(bundle: Bundle) -> None:
    with Device.open("emu:native", bundle) as board, pytest.raises(QcsError, match=r"shape \(3, 7\)"):
        board.encode(np.zeros((3, 7), np.int8))


def test_firmware_of_another_model_is_refused(bundle: Bundle, other_bundle: Bundle) -> None:
    with (
        EmulatedBoard("native", bundle.path / "c", "test") as emulator,
        pytest.raises(WrongDeviceError, match=bundle.manifest.model_id),
    ):
        Device.open(emulator.url, other_bundle)


def test_a_mismatch_is_found_and_told(bundle: Bundle, tmp_path: Path) -> None:
    """A bundle whose reference says otherwise: same firmware, one expected threshold moved."""
    with EmulatedBoard("native", bundle.path / "c", "test") as emulator:
        doctored = Bundle(bundle.path, bundle.manifest)
        thresholds = bundle.tables.thresholds.copy()
        thresholds[3] += 5000
        doctored.__dict__["tables"] = replace(bundle.tables, thresholds=thresholds)
        config = HilConfig(port=[emulator.url], vectors=400)
        results = run_fleet(doctored, config, out=tmp_path / "r.json", resume=False, progress=silent)
    facts = results["devices"][0]["mismatches"]
    assert not results["verdict"]["ok"]
    assert facts["count"] > 0
    assert [i for i, n in enumerate(facts["per_output"]) if n] == [3]
    assert sum(n for _, n in facts["segments"]) == facts["count"]


def test_a_port_that_does_not_exist() -> None:
    with pytest.raises(LinkError, match="'/dev/ttyNONE': it does not exist"):
        Device.open("/dev/ttyNONE")


def test_nothing_listens_there() -> None:
    with pytest.raises(LinkError, match="nothing listens"):
        Device.open("socket://127.0.0.1:1")


class Talker:
    """A server that answers whatever comes with `answers`."""

    def __init__(self) -> None:
        self.answers = b""
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"socket://127.0.0.1:{self._server.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        line, _ = self._server.accept()
        with line, contextlib.suppress(OSError):
            while line.recv(4096):
                line.sendall(self.answers)


@pytest.fixture
def talker() -> Talker:
    return Talker()


def test_a_port_that_talks_garbage(talker: Talker) -> None:
    talker.answers = b"login: "
    with pytest.raises(SilentError, match=r"talks, but not this protocol .*login"):
        Device.open(talker.url, timeout_s=0.1, give_up_s=0.5)


def test_a_silent_port(talker: Talker) -> None:
    with pytest.raises(SilentError, match=r"no answer within 0\.3 s"):
        Device.open(talker.url, timeout_s=0.1, give_up_s=0.3)


@pytest.mark.parametrize("seed", range(8))
def test_a_hostile_board_ends_in_an_error_not_in_a_result(talker: Talker, bundle: Bundle, seed: int) -> None:
    """Valid frames of any type, seq and payload, and garbage between them: nothing but a QcsError may come of it."""
    rng = np.random.default_rng(seed)
    talker.answers = b"".join(
        encode_frame(int(rng.integers(256)), int(rng.integers(65536)), rng.bytes(int(rng.integers(40))))
        + rng.bytes(int(rng.integers(20)))
        for _ in range(400)
    )
    with pytest.raises(QcsError):
        Device.open(talker.url, bundle, timeout_s=0.05, give_up_s=0.2)


def test_a_newer_protocol(talker: Talker) -> None:
    talker.answers = encode_frame(0xFF, 0, b"\x05\x02\0\0\0", version=2)
    with pytest.raises(WrongDeviceError, match="speaks protocol 2, this qcskit 1; update qcskit"):
        Device.open(talker.url, timeout_s=0.2, give_up_s=1)


def test_importing_hil_loads_no_tensorflow() -> None:
    import subprocess

    code = "import sys, qcskit.hil, qcskit.hil.fleet; print({'tensorflow', 'keras'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
