"""What `qcskit advise` finds out beside the errors: costs per sample, and which windows fit."""

import re
import subprocess
from dataclasses import replace
from pathlib import Path
from shutil import which
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from support.bundles import learned_bundle, transform_bundle

from qcskit.cli.advise_compare import Comparison, Cost, Wanted, cost_table, lengths, scratch_bytes, unmeasured, weighed
from qcskit.cli.common import Screen
from qcskit.codec.metrics import Fidelity
from qcskit.codec.readers import Samples
from qcskit.codec.survey import survey
from qcskit.export.compare import Point, Row
from qcskit.firmware import CORES, Core, sources


def rows(codec: Any) -> Row:
    figures = dict.fromkeys(Fidelity.model_fields, None) | {"distinct": 1, "nmse_db": -20.0, "largest_error": 1.0}
    point = Point(1.0, 0.9, Fidelity.model_validate(figures), False, 500, codec.bundle.path, {})
    return Row("a", "transform", (point,), codec.windows * codec.width)


def test_costs_are_per_sample_and_cycles_where_they_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    codec = transform_bundle(tmp_path / "b")
    samples = codec.windows * codec.width

    def counted(codec: Any, board: str, packets: int) -> Any:
        cycles = np.full(packets, 7 * samples) if board == "avr" else None
        return SimpleNamespace(instructions=np.arange(packets) * samples, cycles=cycles)

    monkeypatch.setattr("qcskit.cli.profile.counted", counted)
    monkeypatch.setattr("qcskit.firmware.find_board", lambda name: SimpleNamespace(missing=name == "cortex-m0"))
    cost = weighed(rows(codec), 1.0, lambda what: None)
    assert cost.per_sample == {"m4": 3.5, "m0plus": None, "avr": 7.0}
    found = Comparison(Wanted(1.0, nj_per_bit=20.0), [rows(codec)], {"a": cost}, [1.0], 12, None, 48.0, "")
    assert unmeasured(found) == ["M0+"]
    more = replace(found, rows=[*found.rows, replace(found.rows[0], name="b")])
    assert (
        unmeasured(replace(more, costs={"a": cost, "b": Cost(None, None, {"m4": 1.0, "m0plus": 2.0, "avr": None})}))
        == []
    )
    assert unmeasured(replace(more, costs={})) == ["M4", "M0+", "AVR", "flash", "RAM"]
    screen = Screen(width=200)
    with screen.capture() as text:
        screen.print(cost_table(found))
    raw, own = (re.split(r" {2,}", line.strip()) for line in text.get().splitlines()[2:])
    assert (raw[0], raw[-3:]) == ("raw counts", ["1", "0.0208", "240"])
    assert (own[:3], own[-3:]) == (["a", "4", "7"], [f"{samples}", f"{samples / 48:.3g}", "18"])


@pytest.mark.parametrize("core", [*CORES.values()], ids=CORES)
def test_scratch_is_what_the_compiler_sees(core: Core, tmp_path: Path) -> None:
    if not which(core.compiler):
        pytest.skip(f"needs {core.package}")
    files = learned_bundle(tmp_path / "b").c_files()
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    header = next(name for name in files if name.endswith(".h"))
    source = f'#include "{header}"\nint scratch = QCS_RANDOM_SCRATCH_BYTES;\n'
    command = [
        core.compiler,
        *core.flags,
        "-ffreestanding",
        "-E",
        "-P",
        f"-I{sources() / 'include'}",
        f"-I{tmp_path}",
        "-",
    ]
    seen = subprocess.run(command, input=source, capture_output=True, text=True, check=True).stdout
    assert f"scratch = {scratch_bytes(files, core.layout)};" in seen


@pytest.mark.parametrize(
    ("values", "n", "expected"),
    [(np.arange(10_000.0), 32, [32, 64, 128]), (np.arange(10_000.0), 20, [20, 32, 64, 128]),
     (np.arange(500.0), 32, [32, 64]), (np.arange(4000.0).reshape(-1, 20), 20, [20])],
)  # fmt: skip
def test_windows_that_fit_are_compared(values: np.ndarray, n: int, expected: list[int]) -> None:
    assert lengths(survey(Samples(values, True), n, 2)) == expected
