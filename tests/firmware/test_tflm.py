"""A TFLM build of the user's that is not there is one line that says which part, and what to give."""

import re
from pathlib import Path

import pytest

from qcskit.firmware.errors import FirmwareError
from qcskit.firmware.tflm import Tflm, glue_object


def test_each_part_that_is_missing_is_named(tmp_path: Path) -> None:
    library, tree, other = tmp_path / "libtflm.a", tmp_path / "tflm", tmp_path / "other"
    tree.mkdir()
    other.mkdir()
    for include, told in (
        ((other,), f"no TFLM library '{library}'; build it with TFLM's Makefile, target microlite"),
        ((other, tmp_path / "no"), f"no header folder '{tmp_path / 'no'}'; give --tflm-include the TFLM tree"),
        ((other, tree), "no header folder holds tensorflow/lite/micro/micro_interpreter.h"),
    ):
        with pytest.raises(FirmwareError, match=re.escape(told)):
            Tflm(library, include).check()
        library.touch()
    header = tree / "tensorflow" / "lite" / "micro" / "micro_interpreter.h"
    header.parent.mkdir(parents=True)
    header.touch()
    Tflm(library, (other, tree)).check()
    with pytest.raises(FirmwareError, match=f"^'{other}' holds no qcs_tflm_encoder.cc: this codec has no TFLM form$"):
        glue_object("gcc", (), other, Tflm(library, (tree,)))
