"""What runs without the extras, and what is said where a library is missing."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from qcskit.codec.json_file import read_json

EXTRAS = ("ai_edge_litert", "distributed", "flatbuffers", "jinja2", "keras", "matplotlib", "numba", "pyarrow",
          "soundfile", "tensorflow", "tflite_micro", "wfdb")  # fmt: skip
SCRIPT = """
import sys
{first}
for name in {blocked!r}:
    sys.modules[name] = None
from qcskit.cli import main
for words in {commands!r}:
    sys.argv = ["qcskit", *words]
    try:
        main()
    except SystemExit as left:
        print("exit", left.code or 0, flush=True)
"""

Without = Callable[..., tuple[list[str], str]]


@pytest.fixture
def without(tmp_path: Path, source_env: dict[str, str]) -> Without:
    """Return a function that runs commands in a Python where libraries are not to be had: exit codes, all text."""

    def run(blocked: tuple[str, ...], *commands: list[object], first: str = "") -> tuple[list[str], str]:
        script = SCRIPT.format(
            first=first, blocked=blocked, commands=[[str(word) for word in words] for words in commands]
        )
        done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=source_env | {"COLUMNS": "200"},
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120,
                              check=True)  # fmt: skip
        return re.findall(r"^exit (\d+)$", done.stdout, re.MULTILINE), done.stdout

    return run


def test_a_gateway_and_a_bench_need_no_extra(without, made, tmp_path) -> None:
    bundle, learned = made("transform"), made("int8")
    codes, text = without(
        EXTRAS,
        ["hil", bundle, "--port", "emu:native", "-n", 200, "-o", "results.json"],
        ["inspect", bundle],
        ["decode", bundle, bundle / "vectors.npz", "-o", "transform.npy"],
        ["decode", made("classical"), made("classical") / "vectors.npz", "-o", "classical.npy"],
        ["decode", learned, learned / "vectors.npz", "-o", "learned.npy"],
        ["report", bundle, "-o", "report.html"],
        ["doctor"],
    )
    assert codes == ["0", "0", "0", "0", "2", "2", "0"], text
    assert "Extras that are not installed: learned, simulate, train, report, speed, sweep, audio, physionet, " in text
    assert np.isfinite(np.load(tmp_path / "transform.npy")).all()
    assert not (tmp_path / "learned.npy").exists()
    assert len(re.findall(r"needs ai-edge-litert; install it with: pip install 'qcskit\[learned\]'", text)) == 1
    assert "the report needs matplotlib; install it with: pip install 'qcskit[report]'" in text
    assert "Traceback" not in text


LITERT_BRINGS_THE_SCHEMA = """
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated
sys.modules["ai_edge_litert.schema_py_generated"] = schema_py_generated
"""
"""As on a platform that has no TFLite Micro."""


def test_an_oracle_whose_library_is_missing_is_not_run_and_never_shown_as_passed(without, made, tmp_path) -> None:
    words = ["simulate", made("int8"), "-n", 200, "-o", "verdict.json"]
    codes, text = without(("tflite_micro",), words, first=LITERT_BRINGS_THE_SCHEMA)
    assert codes == ["0"], text
    assert re.search(r"not run: oracle: .* needs tflite-micro; install it with: pip install 'qcskit\[simulate\]'", text)
    assert "not compared with the definition" in text
    verdict = read_json(tmp_path / "verdict.json", "verdict")
    assert verdict["not_run"].keys() == {"oracle"}
    assert not [tally for tally in verdict["implementations"] if tally["role"] in ("oracle", "reported")]
    assert verdict["counts"]["definition_mismatches"] is None
