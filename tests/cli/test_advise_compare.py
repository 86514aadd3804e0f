"""What `qcskit advise` finds out beside the errors: costs per sample, and which windows fit."""

import re
import subprocess
import tomllib
from dataclasses import replace
from pathlib import Path
from shutil import which
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from support.bundles import learned_bundle, transform_bundle
from typer.testing import CliRunner

from qcskit.cli import advise_compare as module
from qcskit.cli import build_app
from qcskit.cli.advise_compare import (
    Comparison,
    Cost,
    Front,
    Wanted,
    compared,
    cost_table,
    cost_words,
    front_end,
    lengths,
    loss_table,
    nearest_point,
    scratch_bytes,
    source_keys,
    unmeasured,
    weighed,
)
from qcskit.cli.common import Screen
from qcskit.codec.errors import QcsError
from qcskit.codec.metrics import Fidelity
from qcskit.codec.readers import Samples
from qcskit.codec.sparse.config import SparseConfig
from qcskit.codec.survey import survey
from qcskit.export.compare import Candidate, Point, Row
from qcskit.firmware import CORES, Core, DoesNotFitError, MissingToolError, sources
from qcskit.firmware.footprint import Footprint


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


@pytest.mark.parametrize(
    ("figures", "shown"),
    [
        ({}, ["0.90", "-20.1 dB", "-10.2 dB", "30.3 %", "40.42"]),
        ({"nmse_db": None, "window_nmse_db": None, "prd_percent": None}, ["0.90", "–", "–", "–", "40.42"]),
        ({"largest_error": 0.0}, ["0.90", "exact", "exact", "0 %", "0"]),
    ],
)
def test_every_figure_stands_in_its_column_and_one_that_is_none_is_a_dash(
    figures: dict[str, float | None], shown: list[str], tmp_path: Path
) -> None:
    known = {"nmse_db": -20.12, "window_nmse_db": -10.24, "prd_percent": 30.31, "largest_error": 40.42, "distinct": 9}
    fidelity = Fidelity.model_validate(dict.fromkeys(Fidelity.model_fields, None) | known | figures)
    exact = fidelity.largest_error == 0
    points = tuple(Point(asked, 0.9, fidelity, exact, 500, tmp_path, {}) for asked in (1.0, 2.0))
    found = Comparison(Wanted(1.0), [Row("a", "transform", points, 8)], {}, [1.0, 3.0], 12, None, None, "mV")
    table = loss_table(found)
    assert [column.header for column in table.columns][2:] == ["bits", "NMSE", "own mean", "PRD", "largest error, mV"]
    first, *rows = zip(*(column.cells for column in table.columns), strict=True)
    assert first == ("–", "raw counts", "12", "exact", "exact", "0 %", "0")
    assert rows == [("1", "a", *shown)]  # what was asked for, of what was designed


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


FRONT = ["signal.n=20", "signal.m=10", "signal.basis=dct", "signal.matrix=gaussian"]


def test_a_front_end_is_what_the_configuration_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A matrix that is only the default is none, and one with which the device samples x itself is none either."""
    monkeypatch.chdir(tmp_path)
    found = survey(Samples(np.random.default_rng(0).normal(size=(500, 20)), False), 20, 2)
    for none in (FRONT[:3], [*FRONT[:1], "signal.m=20", "signal.matrix=identity"]):
        assert front_end(found, None, none) is None
    front = front_end(found, None, [*FRONT, "adc.bits=10"])
    assert front is not None
    signal = {"n": 20, "m": 10, "s": 2, "basis": "dct", "matrix": "gaussian"}
    assert {key: front.settings["signal"][key] for key in signal} == signal
    assert not {"source", "recording"} & front.settings["signal"].keys()
    assert (front.settings["adc"]["bits"], front.settings["adc"]["units_per_count"]) == (10, None)
    assert -6 < front.left_db < -2  # white: the two largest of 20 carry a good part, and no more
    with pytest.raises(QcsError, match=r"n = 20, the windows there have 24 samples$"):
        front_end(survey(Samples(np.arange(12_000.0).reshape(500, 24), True), 24, 2), None, FRONT)


def test_sparse_windows_behind_a_front_end_are_proposed_the_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without one the reason why it was left out is told."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("qcskit.export.compare.RATES", (2.0,))
    rng = np.random.default_rng(5)
    np.save("x.npy", rng.permuted(np.hstack([rng.normal(0, 30, (1500, 2)), np.zeros((1500, 6))]), axis=1))

    def told(*words: str) -> str:
        line = ["advise", "x.npy", "-n", "8", "--bits", "2", "--no-cost", *words]
        return " ".join(CliRunner().invoke(build_app(), line, env={"COLUMNS": "300", "TERM": "dumb"}).stdout.split())

    front = ["-s", "signal.n=8", "-s", "signal.m=6", "-s", "signal.matrix=dct"]
    assert "At 2 bits per sample sparse, range is best" in told(*front, "--write", "q.toml")
    made = tomllib.loads(Path("q.toml").read_text())
    assert (made["signal"]["matrix"], made["signal"]["recording"], made["sparse"]["bits"]) == ("dct", "x.npy", 16)
    assert set(made["sparse"]) <= set(SparseConfig.model_fields)
    assert "Left out: sparse: it searches with the Φ of an analog front end; name yours with -c" in told()


def test_what_needs_a_compiler_or_more_memory_is_not_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    codec = transform_bundle(tmp_path / "b")
    monkeypatch.setattr("qcskit.firmware.find_board", lambda name: SimpleNamespace(missing=()))
    for reason in (MissingToolError("gcc", "gcc", "cost"), DoesNotFitError("needs more")):

        def fails(*asked: object, reason: Exception = reason) -> None:
            raise reason

        monkeypatch.setattr("qcskit.cli.profile.counted", fails)
        if isinstance(reason, MissingToolError):
            monkeypatch.setattr("qcskit.firmware.footprint.footprint", fails)
        cost = weighed(rows(codec), 1.0, lambda what: None)
        assert (cost.flash_bytes, cost.ram_bytes, set(cost.per_sample.values())) == (None, None, {None})


@pytest.mark.parametrize(("rate_hz", "nj"), [(None, None), (48.0, None), (None, 20.0)])
def test_columns_that_are_shown_are_explained(
    rate_hz: float | None, nj: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qcskit.cli.advise_compare.unmeasured", lambda found: [])
    told = cost_words(Comparison(Wanted(1.0, nj_per_bit=nj), [], {}, [1.0], 12, None, rate_hz, ""))
    assert ("s: the same in seconds." in told, "nJ: radio, per sample." in told) == (bool(rate_hz), bool(nj))


def test_a_recording_that_no_converter_gives_can_be_looked_at_only(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(found: Any) -> None:
        raise QcsError("it spans 99 bits")

    monkeypatch.setattr("qcskit.codec.survey.converter", none)
    with pytest.raises(QcsError, match=r"^'day\.csv': it spans 99 bits; or look only, with --no-compare$"):
        compared(Path("day.csv"), "", "", None, Wanted(1.0), None, True)


@pytest.mark.parametrize(
    ("adc", "unit"),
    [
        ({"bits": 9, "unit": "mV", "units_per_count": 0.1}, "mV"),
        ({"bits": 9}, "counts"),
        ({"bits": 9, "units_per_count": 0.1}, ""),
    ],
)
@pytest.mark.parametrize(("cost", "minutes"), [(True, None), (False, 2.5), (True, 2.5)])
def test_a_comparison_is_of_what_was_asked_and_tells_each_step(
    adc: dict[str, Any], unit: str, cost: bool, minutes: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The unit of errors: the recording's; counts where integers are all that is known; none of steps without one."""
    candidates = [Candidate("a", "x", {1.0: {}, 2.0: {}}), Candidate("b", "y", {})]
    steps: list[dict[str, Any]] = []
    point = SimpleNamespace(asked=1.0)
    made, asked = [Row("a", "x", (point,), 8), Row("b", "y", ())], []  # type: ignore[arg-type]

    def compare(folder: Path, base: Any, wanted: Any, progress: Any) -> list[Row]:
        asked.extend([base, wanted, folder])
        for name in ("a, 1", "a, 2"):
            progress(name)
        return list(made)

    def weigh(row: Row, bits: float, begin: Any) -> str:
        begin(f"{row.name}: instructions")
        return f"cost of {row.name} at {bits:g}"

    monkeypatch.setattr("qcskit.codec.survey.converter", lambda found: adc)
    monkeypatch.setattr("qcskit.export.compare.proposed", lambda *given: asked.append(given) or candidates)
    monkeypatch.setattr("qcskit.export.compare.compare", compare)
    monkeypatch.setattr(module, "weighed", weigh)
    monkeypatch.setattr(module.Bar, "add_task", lambda bar, text, total: steps.append({"total": total}))
    monkeypatch.setattr(module.Bar, "update", lambda bar, task, **changes: steps.append(changes))
    monkeypatch.setattr(
        "qcskit.cli.advise_train.trained", lambda *given: asked.append(given[1:]) or Row("l", "", (point,))
    )
    samples = Samples(np.arange(1000.0), True, rate_hz=50.0)
    found = survey(samples, 20, 2)
    front = Front({"signal": {"n": 20}}, -3.0)
    wanted = Wanted(1.25, minutes, None, cost)
    result = compared(Path("day.csv"), "v", "interpolate", found, wanted, front, True)
    rates = sorted([0.5, 1.0, 1.25, 1.5, 2.0, 3.0])
    assert asked[0] == ([20, 32, 64, 128], rates, front.settings)
    keys = {
        "source": "recorded",
        "recording": "day.csv",
        "recording_in": "counts",
        "recording_column": "v",
        "recording_gaps": "interpolate",
    }
    assert asked[1:3] == [{"signal": keys, "adc": adc}, candidates]
    assert not asked[3].exists()
    assert asked[4:] == ([({"signal": keys, "adc": adc}, 20, rates, 2.5, True)] if minutes else [])
    names = ["a", *["l"] * bool(minutes)] if cost else []
    assert result.costs == {name: f"cost of {name} at 1.25" for name in names}
    assert [row.name for row in result.rows] == ["a", "b", *["l"] * bool(minutes)]
    assert (result.wanted, result.rates, result.raw_bits, result.rate_hz) == (wanted, rates, 9, 50.0)
    assert (result.rounding_db, result.unit, result.front) == (found.rounding_db, unit, front)
    total = 2 + 2 * cost
    told = ["a, 1", "a, 2", *["a: instructions"] * cost]
    begun = [{"completed": place, "live": live} for place, live in enumerate(told)]
    assert steps == [{"total": total}, *begun, {"completed": total, "live": ""}]


def test_settings_of_values_in_units_say_so() -> None:
    assert source_keys(Path("x"), "", "refuse", False) == {
        "source": "recorded",
        "recording": "x",
        "recording_in": "units",
    }


@pytest.mark.parametrize(("stack", "ram"), [(168, 9 + 168 + 64), (None, 9 + 64)])
def test_bytes_are_those_of_a_cortex_m4_scratch_in_its_own_layout(
    stack: int | None, ram: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    header = "#if QCS_LAYOUT == {}\n#define QCS_A_SCRATCH_BYTES 64\n#else\n#define QCS_A_SCRATCH_BYTES 24\n"
    layout = CORES["Cortex-M4"].layout
    codec = SimpleNamespace(
        bundle=SimpleNamespace(path=Path("b")),
        name="a",
        windows=2,
        width=8,
        c_files=lambda: {"a.h": header.format(layout)},
    )
    asked: list[Any] = []
    made = Footprint("Cortex-M4", 1000, 500, 9, stack)
    monkeypatch.setattr("qcskit.firmware.footprint.footprint", lambda *given: asked.append(given) or made)
    assert module._bytes(codec) == (1500, ram)
    assert asked == [(CORES["Cortex-M4"], Path("b/c"), "a")]


def test_the_design_that_is_weighed_is_the_one_asked_for_next_to_the_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    def point(asked: float | None, bundle: str) -> Any:
        return SimpleNamespace(asked=asked, bundle=bundle)

    def row(*points: Any) -> Row:
        return Row("a", "x", points)

    assert nearest_point(row(point(0.5, "l"), point(1.0, "m"), point(2.0, "h")), 1.25).bundle == "m"
    assert nearest_point(row(point(0.5, "l"), point(2.0, "h")), 1.5).bundle == "h"
    assert nearest_point(row(point(3.0, "h"), point(None, "any")), 1.5).bundle == "any"
    codec = SimpleNamespace(windows=4, width=8)
    told: list[str] = []
    monkeypatch.setattr("qcskit.codec.codecs.open_codec", {"m": codec}.get)
    monkeypatch.setattr(module, "_bytes", lambda codec: (1, 2))
    monkeypatch.setattr(module, "_counted", lambda codec, board, samples: (board, samples))
    cost = weighed(row(point(1.0, "m")), 1.0, told.append)
    assert (cost.flash_bytes, cost.ram_bytes, told) == (1, 2, ["a: instructions"])
    assert cost.per_sample == {"m4": ("cortex-m4", 32), "m0plus": ("cortex-m0", 32), "avr": ("avr", 32)}


def test_the_picture_has_the_curves_of_what_has_an_error_and_lines_of_what_is_exact(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("matplotlib", reason="needs the extra 'report'")
    drawn: list[Any] = []
    monkeypatch.setattr("qcskit.hil.report.plots.pareto", lambda *given: drawn.append(given) or "<svg>")

    def point(bits: float, level: float | None) -> Any:
        return SimpleNamespace(bits=bits, exact=level is None, fidelity=SimpleNamespace(nmse_db=level))

    rows = [Row("a", "x", (point(1.5, -9.0), point(2.5, -19.0), point(5.0, None))), Row("b", "y", (point(4.0, None),))]
    assert module.panel(Comparison(Wanted(1.0), rows, {}, [1.0], 12, -50.0, None, "")) == "<svg>"
    assert drawn == [({"a": [(1.5, -9.0), (2.5, -19.0)]}, {"a": 5.0, "b": 4.0}, -50.0)]


@pytest.mark.parametrize(
    ("samples", "rate_hz", "shown"), [(2, 3.0, "0.667"), (199, 2.0, "99.5"), (200, 2.0, "100"), (3981, 2.0, "1,990")]
)
def test_seconds_of_a_packet_have_three_figures_or_are_whole(samples: int, rate_hz: float, shown: str) -> None:
    found = Comparison(Wanted(1.0), [], {}, [1.0], 12, None, rate_hz, "")
    assert module._packet(found, samples, 1.0) == [f"{samples}", shown]


@pytest.mark.parametrize(("name", "most"), [("bits", 16.0), ("minutes", 10_000.0), ("nj_per_bit", 1e12)])
def test_what_is_wanted_lies_above_0_and_has_a_most(name: str, most: float) -> None:
    for value in (1e-9, most):
        Wanted(**{"bits": 1.0, name: value})
    for value in (0.0, -1.0, most * 1.001, float("nan"), float("inf")):
        with pytest.raises(QcsError, match=r"expected a number above 0, at most (16|10000|1e\+12)$"):
            Wanted(**{"bits": 1.0, name: value})
