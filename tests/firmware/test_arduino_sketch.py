"""The Arduino library as exported, built with Debian's Arduino core, run on a simulated Mega and Uno, measured."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from support.arduino import HARDWARE, build_sketch
from support.bundles import learned_bundle
from support.need import need_board
from support.raw_line import Line

from qcskit.export.packages import package_files, write_package
from qcskit.firmware import sources, start


@pytest.mark.skipif(not HARDWARE.is_dir(), reason="needs the Arduino core: sudo apt-get install arduino-core-avr")
@pytest.mark.skipif(not shutil.which("avr-g++"), reason="needs avr-g++: sudo apt-get install gcc-avr avr-libc")
@pytest.mark.parametrize(
    ("name", "mcu", "variant"), [("avr", "atmega2560", "mega"), ("avr-328p", "atmega328p", "standard")]
)
def test_the_sketch_a_user_flashes_answers_with_the_reference_bytes(
    name: str, mcu: str, variant: str, tmp_path: Path
) -> None:
    board, codec = need_board(name), learned_bundle(tmp_path / "b", widths=(10, 50, 10))
    library = tmp_path / "library"
    write_package(library, package_files([codec.bundle], "arduino", sources(), agent=True))
    elf = build_sketch(library, "QcsAgent", tmp_path / "build", mcu, variant)
    x = np.random.default_rng(4).integers(-128, 128, (300, codec.inputs), np.int8)
    with start(board, elf) as emulator:
        line = Line(emulator.url)
        info = line.info()
        assert info["model_id"].hex() == codec.bundle.manifest.model_id
        packets, ticks = line.encode(x, info)
    assert b"".join(packets) == codec.encode_inputs(x).bytes.tobytes()
    assert info["tick_source"] == 3  # micros()
    assert 1000 < np.median(ticks) < 20_000
