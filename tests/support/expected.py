"""What the encoders may cost: figures of a benchmark against benchmarks/expected.json, which names the compilers."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from qcskit.codec.files import write_text
from qcskit.firmware import CORES
from qcskit.firmware.compile import find_tool, tool_version

EXPECTED = Path(__file__).parents[2] / "benchmarks" / "expected.json"
TOLERANCE = 0.01

Figures = dict[str, dict[str, float]]
"""Case, "core, widths" → metric → value."""


@dataclass(frozen=True)
class Comparison:
    """compared: how many figures. worse: a line per figure too high or unknown. other: per compiler not compared."""

    compared: int
    worse: list[str]
    other: list[str]


def compilers(cases: Iterable[str]) -> dict[str, str]:
    """Return the version of each compiler that made the figures of these cases."""
    cores = [CORES[_core(case)] for case in cases]
    return {core.compiler: tool_version(find_tool(core.compiler, core.package, "figures")) for core in cores}


def compare(figures: Figures, path: Path = EXPECTED) -> Comparison:
    """Compare figures with the expected ones of the same compiler."""
    content = json.loads(path.read_text(encoding="utf-8"))
    made, known = compilers(figures), content["compilers"]
    compared, worse, other = 0, [], {}
    for case, metrics in figures.items():
        name = CORES[_core(case)].compiler
        if made[name] != known.get(name):
            other[name] = f"{name}: other compiler, not compared ({made[name]}; expected {known.get(name, 'none')})"
            continue
        for metric, value in metrics.items():
            limit = content["figures"].get(case, {}).get(metric)
            compared += 1
            if limit is None:
                worse.append(f"{case}: {metric} {value:g}, no figure expected; run encoder_cost.py --accept")
            elif value > limit * (1 + TOLERANCE):
                worse.append(f"{case}: {metric} {value:g}, expected {limit:g} ({value / limit - 1:+.1%})")
    return Comparison(compared, worse, list(other.values()))


def accept(figures: Figures, path: Path = EXPECTED) -> None:
    """Write figures as the expected ones."""
    write_text(path, json.dumps({"compilers": compilers(figures), "figures": figures}, indent=1) + "\n")


def _core(case: str) -> str:
    return case.partition(",")[0]
