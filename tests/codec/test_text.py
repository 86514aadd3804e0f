"""The frame of generated C: every literal is of its type, and what the compiler can check it does."""

import subprocess

import numpy as np
import pytest

from qcskit.codec.text import TEXT_VERSION, CModel, c_files, c_struct, c_table
from qcskit.firmware import sources


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.int32, np.uint32])
def test_tables_hold_the_extremes_of_their_type(dtype, tmp_path) -> None:
    info = np.iinfo(dtype)
    values = np.array([info.min, 0, info.max] * 60, dtype)
    text = c_table("t", values)
    assert max(map(len, text.splitlines())) <= 100
    file = tmp_path / "t.c"
    file.write_text(
        f"#include <stdint.h>\n#include <stdio.h>\n{text}\nint main(void) {{\n"
        "  fwrite(t, 1, sizeof t, stdout);\n  return 0;\n}\n"
    )
    warnings = ("-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror")
    subprocess.run(["gcc", *warnings, str(file), "-o", str(tmp_path / "t")], check=True)
    assert subprocess.run([tmp_path / "t"], capture_output=True, check=True).stdout == values.tobytes()


def test_a_struct_indents_its_members() -> None:
    assert c_struct({"a": 1, "b": "x"}) == "{\n    .a = 1,\n    .b = x,\n}"


def test_text_and_core_have_one_version() -> None:
    assert f"#define QCS_VERSION {TEXT_VERSION}\n" in (sources() / "include" / "qcs.h").read_text()


def test_the_frame_takes_scratch_or_none() -> None:
    plain = CModel("m", "00" * 8, "about", "coded", 2, 3, 4, "")
    text = c_files(plain)
    assert set(text) == {"qcs_model_m.h", "qcs_model_m.c"}
    assert "#define QCS_M_SCRATCH_BYTES 1\n" in text["qcs_model_m.h"]
    assert "(void)scratch;" in text["qcs_model_m.c"]
    assert ".input_types = QCS_INPUT_COUNTS," in text["qcs_model_m.c"]
    both = c_files(CModel("m", "00" * 8, "about", "int8", 1, 3, 4, "", takes_inputs=True, scratch=40))
    assert "#define QCS_M_SCRATCH_BYTES 40\n" in both["qcs_model_m.h"]
    assert "scratch->words);" in both["qcs_model_m.c"]
    assert ".input_types = QCS_INPUT_INT8 | QCS_INPUT_COUNTS," in both["qcs_model_m.c"]
