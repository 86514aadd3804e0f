"""The Arduino library as exported, built with Debian's Arduino core, run on a simulated Mega and Uno, measured."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from test_boards import need
from wire import Line

from qcskit.codec import integer
from qcskit.codec.bundle import read_bundle
from qcskit.export.packages import package_files, write_package
from qcskit.firmware import find_board, sources, start

sys.path.insert(0, str(Path(__file__).parents[1] / "export"))
from arduino_build import HARDWARE, build_sketch

BUNDLE = read_bundle(Path(__file__).parents[1] / "data" / "bundle")


@pytest.mark.skipif(not HARDWARE.is_dir(), reason="needs the Arduino core: sudo apt-get install arduino-core-avr")
@pytest.mark.skipif(not shutil.which("avr-g++"), reason="needs avr-g++: sudo apt-get install gcc-avr avr-libc")
@pytest.mark.parametrize(
    ("name", "mcu", "variant"), [("avr", "atmega2560", "mega"), ("avr-328p", "atmega328p", "standard")]
)
def test_the_sketch_a_user_flashes_answers_with_the_reference_bytes(
    name: str, mcu: str, variant: str, tmp_path: Path
) -> None:
    board = need(find_board(name))
    library = tmp_path / "library"
    write_package(library, package_files([BUNDLE], "arduino", sources(), agent=True))
    elf = build_sketch(library, "QcsAgent", tmp_path / "build", mcu, variant)
    x = np.random.default_rng(4).integers(-128, 128, (300, BUNDLE.manifest.inputs), np.int8)
    with start(board, elf) as emulator:
        line = Line(emulator.url)
        info = line.info()
        assert info["model_id"].hex() == BUNDLE.manifest.model_id
        packed, ticks = line.encode(x, info)
    assert np.array_equal(packed, integer.encode_packed(BUNDLE.tables, x))
    assert info["tick_source"] == 3  # micros()
    assert ticks is not None
    assert 1000 < np.median(ticks) < 20_000
