"""What stands in for the machine in sessions: figures, tools, boards and results, made up, each another number."""

import json
import shutil
from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from itertools import cycle
from math import pi, sin
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from support.entries import entry, failed, results
from support.screens import DATA, golden

from qcskit.cli.advise_compare import Comparison, Cost, Front, Wanted
from qcskit.cli.demo import Example
from qcskit.codec.bundle import read_bundle
from qcskit.codec.evidence import Evidence
from qcskit.codec.metrics import Clipped, Fidelity
from qcskit.codec.own_data import DataFacts
from qcskit.export.compare import Point, Row
from qcskit.firmware import DoesNotFitError, MissingToolError, boards
from qcskit.firmware.footprint import Footprint, Memory
from qcskit.firmware.profile import Profile, Share
from qcskit.firmware.tools import Tool
from qcskit.firmware_sim.config import SimulateConfig
from qcskit.firmware_sim.verdict import CountsCheck, Mismatch, RecoveryFacts, Tally, Verdict
from qcskit.hil.ports import PortFacts
from qcskit.training.sweep import COLUMNS


def always(value: object) -> Any:
    """Return a function that returns a value, whatever it is called with."""
    return lambda *asked, **more: value


def answers(*values: object) -> Any:
    """Return a function that returns one value after the other, and begins again."""
    left = cycle(values)
    return lambda *asked, **more: next(left)


# ---- bundles ----


def footprint(core: Any, *asked: object, **more: object) -> Footprint:
    """Figures that differ in every place; of the AVR no stack, of the RV32 none at all."""
    if core.compiler.startswith("riscv"):
        raise MissingToolError(core.compiler, core.package, "cost")
    return Footprint(core.name, 1234, 5678, 9, None if core.compiler == "avr-gcc" else 168)


def counted(codec: Any, board: str, packets: int, hard: int = 0) -> Any:
    """1,000 instructions more for each packet; the hard ones as much again. The micro:bit has no room."""
    if board == "microbit":
        raise DoesNotFitError("board 'microbit' cannot hold this model: needs 99,999 bytes")
    return SimpleNamespace(instructions=1000 * np.arange(1, packets + hard + 1), cycles=None)


def longest(board: str, *asked: object) -> Any:
    """What `count` gives of a longest model; the Uno cannot hold it."""
    if board == "uno":
        raise DoesNotFitError("no room")
    return SimpleNamespace(instructions=np.array([44_000, 55_000]))


def share(name: str, instructions: float, **figures: float | None) -> Share:
    """A part of a profile."""
    known = {
        "loads": instructions / 4,
        "stores": instructions / 8,
        "taken": instructions / 16,
        "cycles": None,
        "cycles_low": instructions + 1,
        "cycles_high": 2 * instructions,
    }
    return Share(name, instructions, **known | figures)  # type: ignore[arg-type]


def profiled(instructions: int, most: int, **figures: float | None) -> Profile:
    """A profile of two layers and two functions."""
    first, second = share("call", 400.0, **figures), share("int8 last", 1200.0, **figures)
    return Profile(
        "cortex-m4",
        "Cortex-M4",
        3,
        instructions,
        most,
        share("encode", 1600.0, **figures),
        (first, second),
        (share("qcs_a_function_of_a_name_that_is_long", 1500.0, **figures), share("memcpy", 100.0, **figures)),
        {"call": {"memcpy": 100.0, "qcs_x": 300.0}, "int8 last": {"qcs_a_function_of_a_name_that_is_long": 1.0}},
        "are made up",
    )


CORES = {
    "qcskit.firmware.footprint.footprint": footprint,
    "qcskit.firmware.footprint.memory": always(Memory(64, 27, 700)),
    "qcskit.firmware.Board.missing": (),
    "qcskit.cli.inspect.counted": counted,
    "qcskit.firmware.count": longest,
}
"""Instead of compilers and emulators."""


# ---- recordings, packets ----


def wave() -> None:
    """wave.csv: time stamps, two columns, one value missing in the second; ten.csv: ten counts of it and two more."""
    values = [round(12_000 + 700 * sin(2 * pi * k / 50) + 3 * (k % 7)) for k in range(1200)]
    rows = [f"{k},{value},{'' if k == 20 else value / 10}" for k, value in enumerate(values)]
    Path("wave.csv").write_text("\n".join(["t,counts,mV", *rows, ""]))
    Path("few.csv").write_text("\n".join(["counts", *map(str, values[:50]), ""]))
    Path("loud.csv").write_text("\n".join(["units", *map(str, [*values[:46], 99_999.0, -99_999.0]), ""]))


def data_session() -> None:
    """Recordings and bundles that take them."""
    wave()
    golden("lossless", "usq_omp", "pairs_range", "native")
    Path("short.hex").write_text("0011\n")
    Path("bad.hex").write_text("ffffffffff\n" * 2)


# ---- simulate ----

_TALLIES = [
    Tally(name="numpy", role="reference", vectors=5105, seconds=0.5),
    Tally(name="c-host", role="must agree", vectors=5105, mismatches=0, seconds=0.001),
    Tally(name="tflm", role="oracle", vectors=1105, mismatches=0, seconds=2.0),
    Tally(name="litert", role="reported", vectors=105, mismatches=7),
    Tally(name="golden file", role="must agree", vectors=5),
]


def verdict(wrong: int = 0, counts: CountsCheck | None = None, **more: object) -> Verdict:
    """A verdict of everything there is to tell; wrong: vectors of the C."""
    clean = CountsCheck(
        counts=65_536, definition_mismatches=0, front_end_mismatches=0, encoded_vectors=6554, encoded_mismatches=0
    )
    tallies = [t.model_copy(update={"mismatches": wrong}) if t.name == "c-host" else t for t in _TALLIES]
    mismatch = Mismatch(
        chunk=2,
        frame=17,
        set="edges",
        input=[-5, 0, 2047],
        packets={"numpy": "0a1f", "c-host": "ffff"},
        explained={"numpy": [1, 2, 3], "c-host": "no packet of this codec"},
    )
    known = {
        "bundle": "probe",
        "model_id": "00112233aabbccdd",
        "evidence": Evidence.of({"bundle": "ab"}),
        "config": SimulateConfig(vectors=5000),
        "complete": False,
        "chunks_done": [-1],
        "vectors": 5105,
        "implementations": tallies,
        "sets": {"golden": 5, "data": 100, "source": 4000, "edges": 1000},
        "counts": counts or clean,
        "passed": not wrong and (counts or clean).passed,
        "first_mismatch": mismatch if wrong else None,
        "recovery": RecoveryFacts(frames=4000, perfect=3900, flagged=70, energy=1000.0, error=10.0),
        "clipped": {"source": Clipped(vectors=4000, share=0.0125, per_input=[0.0, 0.025])},
        "source_windows": 1234,
        "guarded": {"source": 1100},
        "not_run": {"uno": "board 'uno' cannot hold this model"},
        "data": DataFacts(name="day.csv", sha256="ab" * 32, packets=1100, samples_left=7),
    }
    return Verdict.model_validate(known | more)


_LOST = CountsCheck(
    counts=65_536,
    definition_mismatches=1200,
    front_end_mismatches=3,
    first_mismatch=-77,
    encoded_vectors=6554,
    encoded_mismatches=1001,
)
_PLAIN = {"sets": {"golden": 5105}, "clipped": {}, "guarded": {}, "not_run": {}, "data": None, "source_windows": None}
VERDICTS = [
    verdict(),
    verdict(
        counts=_LOST.model_copy(update={"definition_mismatches": None, "front_end_mismatches": 0}),
        recovery=RecoveryFacts(frames=2, perfect=2),
        **_PLAIN,
    ),
    verdict(wrong=1100, counts=_LOST, **_PLAIN | {"recovery": None}),
    verdict(wrong=2, **_PLAIN | {"recovery": RecoveryFacts()}),
]


def others() -> None:
    """runs/: a bundle, and what was said of others."""
    golden("usq_omp")
    shutil.copytree("usq_omp", "runs/bundle")
    Path("runs/verdict.json").write_text('{"model_id": "00aa"}')
    Path("runs/report.html").write_text("<title>qcskit: old")
    Path("notes.txt").write_text("mine")


# ---- results ----

RESULTS = [
    results(
        entry(),
        entry(
            label="right",
            guarded=3,
            saturated=0.0,
            clipped="not measured",
            energy={"encode_uj": 1.5, "radio_uj": 2.5},
            recovery={"frames": 3000, "perfect": 2000, "flagged": 900, "wrong": 100},
            resumed=120,
            link=entry()["link"] | {"agree": False},
            throughput=entry()["throughput"] | {"vectors_per_s": None},
            ticks=entry()["ticks"] | {"unit": "timer", "hz": None},
        ),
    ),
    results(
        entry(
            packet_bytes=entry()["packet_bytes"] | {"min": 3, "mean": 3.75},
            ticks="not measured",
            nmse=entry()["nmse"] | {"fidelity": entry()["nmse"]["fidelity"] | {"prd_percent": None, "worst_db": None}},
            round_trip_us=entry()["round_trip_us"] | {"single": "not measured"},
            saturated=0.005,
        ),
        failed("gone", "port closed"),
    )
    | {"data": None},
]


def written(**files: dict[str, Any]) -> None:
    """Results as .json files."""
    for name, value in files.items():
        Path(f"{name}.json").write_text(json.dumps(value))


def compared() -> None:
    """Results that got better, worse, other."""
    slow = entry(
        ticks__p50=1009, ticks__p99=2041, throughput__vectors_per_s=1100.0, nmse__device_db=-11.96, nmse__frames=280
    )
    other = entry(model_id="f" * 16)
    written(
        base=results(entry(), entry(label="right")),
        same=results(entry(), entry(label="right")),
        slow=results(slow),
        lone=results(entry()),
        gone=results(failed("left")),
        image=results(entry(evidence=Evidence.of({"bundle": "b1", "image": "i2", "board": "left"}).model_dump())),
        other=results(other) | {"bundle": results(other)["bundle"] | {"model_id": "f" * 16}},
    )


# ---- advise ----


def fidelity(**known: float | None) -> Fidelity:
    """Fidelity of these figures."""
    figures = dict.fromkeys(Fidelity.model_fields, None) | {"distinct": 1, "largest_error": 0.0} | known
    return Fidelity.model_validate(figures)


def point(asked: float | None, bits: float, level_db: float | None, **more: Any) -> Point:
    """A point of a comparison; a level of None is exact."""
    close = (
        {}
        if level_db is None
        else {"nmse_db": level_db, "window_nmse_db": level_db + 10, "prd_percent": 1.25, "largest_error": 12.345}
    )
    settings = {"signal": {"n": 32, "recording_column": None}, "transform": {"basis": "klt"}}
    return Point(
        asked, bits, fidelity(**close), level_db is None, more.pop("windows", 500), Path("b"), settings, **more
    )


_ROWS = [
    Row("lossless", "transform", (point(None, 5.25, None),), 128),
    Row("KLT-32", "transform", (point(1.0, 0.97, -20.04), point(2.0, 1.95, -31.5)), 128),
    Row(
        "ce-sq-omp",
        "ce-sq-omp",
        (point(1.0, 1.03, -20.2, direct=False), point(2.0, 2.0, -29.0, direct=False, windows=500)),
        32,
    ),
    Row("sparse", "sparse", (), 0, "it is not sparse"),
    Row("learned-32", "", (point(1.0, 1.0, -19.0, windows=90), point(2.0, 2.0, -32.0, windows=90)), 32),
]
_COSTS = {
    "lossless": Cost(2100, 310, {"m4": 1234.4, "m0plus": 2345.6, "avr": None}),
    "KLT-32": Cost(2200, 320, {"m4": 34.5, "m0plus": 45.6, "avr": None}),
    "ce-sq-omp": Cost(None, None, {"m4": 7.0, "m0plus": None, "avr": None}),
}
_FRONT = Front({"signal": {"n": 20, "s": 2, "basis": "dct"}, "adc": {}}, -7.25)
COMPARISONS = [
    Comparison(Wanted(1.0, None, 20.0), _ROWS, _COSTS, [1.0, 2.0], 12, -50.25, 50.0, "mV", _FRONT),
    Comparison(
        Wanted(1.5),
        [_ROWS[3], replace(_ROWS[1], points=(point(1.0, 1.0, -6.0, windows=20),))],
        {},
        [1.0],
        16,
        None,
        None,
        "counts",
    ),
]


def advised() -> None:
    """Recordings: a wave with a unit and a rate in its header, integers, steps of 0.1 without a unit."""
    values = [round(2000 + 1000 * sin(k / 7)) for k in range(4000)]
    Path("plain.csv").write_text("\n".join(["v", *map(str, values), ""]))
    Path("steps.csv").write_text("\n".join(["v", *(f"{value / 10:.1f}" for value in values), ""]))
    np.save("windows.npy", np.array(values, np.int16).reshape(125, 32))


# ---- the machine ----

TOOLS = [
    Tool("gcc", "gcc", "/usr/bin/gcc", "gcc 12.2", ("native",)),
    Tool("qemu-system-arm", "qemu-system-arm", "", "", ("microbit", "cortex-m4")),
    Tool("avr-gcc", "gcc-avr", "", "", ("uno",)),
]


def installed(name: str) -> str:
    """Two packages are."""
    if name not in ("qcskit", "numpy"):
        raise PackageNotFoundError(name)
    return "1.2.3"


MACHINE = {
    "qcskit.firmware.tool_report": lambda: TOOLS,
    "qcskit.firmware.install_command": lambda *packages: f"sudo install {' '.join(packages)}",
    "qcskit.firmware.board_problems": lambda: ["[mine] is wrong"],
    "qcskit.cli.doctor.absent_extras": lambda: ["train", "audio"],
    "importlib.metadata.version": installed,
    "platform.python_version": always("3.11.0"),
}
_INFO = SimpleNamespace(firmware_version="1.2.3", protocol=4, model_id="aabbccdd")
PORTS = [
    PortFacts("/dev/ttyA", "a board", "2e8a", "000a", "E661", _INFO, "opening it restarts the board"),  # type: ignore[arg-type]
    PortFacts("/dev/ttyB", "a modem", note="no answer"),
    PortFacts("/dev/ttyC", "who knows"),
]


def few_boards() -> dict[str, Any]:
    """Boards that differ in what is told of them."""
    return {name: boards_of[name] for name in ("native", "cortex-m4", "uno", "pico", "nucleo-g071rb")}


boards_of = dict(boards())


# ---- what takes long ----


def copied(name: str, place: int) -> Any:
    """Return a function that writes a golden bundle where its argument `place` says, and returns its manifest."""

    def write(*asked: Any, **more: object) -> Any:
        shutil.copytree(DATA / "golden" / name, asked[place])
        return read_bundle(asked[place]).manifest

    return write


METRICS = {
    "train_seconds": 83.6,
    "rate_bits": 1.5,
    "nmse_hard_db": -17.256,
    "nmse_soft_db": -18.0,
    "test_frames": 20_000,
    "metric": None,
    "hooks": [],
    "device": "cpu",
    "signal": {},
    "train": {"variant": "deepqcs", "recipe": "fast", "module": None},
}
TRAININGS = [
    METRICS,
    METRICS | {"metric": 0.1234567, "hooks": ["draw", "loss"], "train": METRICS["train"] | {"module": "mine.py"}},
    METRICS,
]


def page(codec: Any, found: Any, checked: Any, out: Path, *more: object) -> None:
    """A report that says whose it is."""
    out.write_text(f'<title>qcskit: a\n<meta name="qcskit-model" content="{codec.bundle.manifest.model_id}">')


def swept(points: Any, out: Path, workers: int, scheduler: object, finished: Any) -> list[dict[str, str]]:
    """Rows of a sweep, told one by one."""
    same = dict.fromkeys(COLUMNS, "") | {"status": "done", "n": "20", "m": "10", "rate_bits": "1.5", "seconds": "83.5"}
    rows = [
        same | {"point": "aa01", "variant": "ce-usq-omp", "nmse_hard_db": "-9.5000", "nmse_float_db": "-9.6000"},
        same | {"point": "aa02", "variant": "deepqcs", "status": "failed", "error": "out of [memory]"},
        same | {"point": "aa03", "variant": "deepqcs", "nmse_hard_db": "-18.1000", "seed": "1"},
    ]
    rows = rows[: len(points)]
    for row in rows:
        finished(row)
    return rows


def firmware_of(*asked: object) -> tuple[Path, str]:
    """An image of 5 bytes and its digest."""
    Path("image").write_bytes(b"12345")
    return Path("image"), "ab" * 32


def demo_hil(codec: Any, options: Any, **more: Any) -> dict[str, Any]:
    """Results of the device whose port was asked for; emu:native is wrong, and its packets are of any length."""
    wrong, most = options.port[0] == "emu:native", codec.packed_bytes_max
    sizes = entry()["packet_bytes"] | {"min": 1 if wrong else most, "max": most, "mean": 3.25}
    return results(entry(label=options.port[0], mismatches__count=3 * wrong, packet_bytes=sizes))


ROAD = {
    "qcskit.cli.design.run_design": copied("klt_rice", 1),
    "qcskit.cli.train.run_training": always(METRICS),
    "qcskit.cli.export.run_export": copied("int8", 1),
    "qcskit.cli.simulate.run_simulate": always(VERDICTS[0]),
    "qcskit.hil.fleet.run_fleet": demo_hil,
    "qcskit.hil.report.page.write_report": page,
    "qcskit.cli.report.weigh": always(None),
    "qcskit.cli.demo.EXAMPLES": {"ecg": Example("ECG, made up", "json", "x.npz", (), "transform")},
    "qcskit.cli.demo.default_port": always("emu:chosen"),
}
