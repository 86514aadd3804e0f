"""Codecs against each other on one recording: the families propose, here they are designed and measured.

Each design is written as a bundle and read back; its packets are those of the device, its rate is whole bytes.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcskit.codec import codecs, seeds
from qcskit.codec.config import load_table
from qcskit.codec.errors import QcsError
from qcskit.codec.interface import Codec
from qcskit.codec.metrics import Fidelity, fidelity
from qcskit.codec.signal import SignalConfig, read_source
from qcskit.export.config import ExportConfig

Settings = Mapping[str, Mapping[str, Any]]
"""Table → key → value, as a qcs.toml holds them."""
Progress = Callable[[str], None]
"""Called with the name of what comes next."""
RATES = (0.5, 1.0, 1.5, 2.0, 3.0)
"""Bits per sample that are compared."""
SIZES = (32, 64, 128)
"""N, samples of a window, that are compared."""
FEW_WINDOWS = 100
"""Fewer test windows say little."""
EXPORT = ExportConfig.model_validate({"golden_frames": 16, "test_windows": 512})
"""Of bundles that are only compared."""
_BEYOND = 0.15
"""Share of a rate by which the line through two points is followed beyond them."""


@dataclass(frozen=True)
class Candidate:
    """A codec that a family proposes. codec: as `qcskit design` takes it.

    designs: bits per sample → settings; None where there is nothing to choose. quick: more settings while it is
    compared, which change nothing of the codec. refused: why there are no designs.
    """

    name: str
    codec: str
    designs: Mapping[float | None, Settings]
    quick: Settings = field(default_factory=dict)
    refused: str = ""


@dataclass(frozen=True)
class Point:
    """What was measured of one design. asked, bits: per sample; bits: of whole bytes. windows: of N samples each.

    exact: every count came back. direct: the device samples x itself, not through an analog front end.
    """

    asked: float | None
    bits: float
    fidelity: Fidelity
    exact: bool
    windows: int
    bundle: Path
    settings: Settings
    direct: bool = True


@dataclass(frozen=True)
class Row:
    """A codec and its points by rate. samples: of a packet. refused: why points are missing, "" if none is."""

    name: str
    codec: str
    points: tuple[Point, ...]
    samples: int = 0
    refused: str = ""

    def at(self, asked: float) -> Point | None:
        """Return what was designed for a rate, or the only point of a codec without a choice."""
        return next((point for point in self.points if point.asked in (asked, None)), None)

    def error_db(self, bits: float) -> float | None:
        """Return the NMSE at a rate, on the line through the nearest two points; −inf: exact; None: not known there."""
        if any(point.exact and point.bits <= bits for point in self.points):
            return -math.inf
        found = sorted((p.bits, p.fidelity.nmse_db) for p in self.points if p.fidelity.nmse_db is not None)
        return _on_line(found, bits)


def _on_line(points: Sequence[tuple[float, float]], at: float) -> float | None:
    """Return what ascending points (x, y) give at x, up to 15 % beyond them.

    >>> _on_line([(1.0, -20.0), (2.0, -30.0), (3.0, -35.0)], 1.5), _on_line([(1.0, -20.0), (2.0, -30.0)], 2.5)
    (-25.0, None)
    """
    if not points or not points[0][0] * (1 - _BEYOND) <= at <= points[-1][0] * (1 + _BEYOND):
        return None
    place = min(max(int(np.searchsorted([x for x, _ in points], at)), 1), len(points) - 1)
    (x0, y0), (x1, y1) = points[place - 1], points[place]
    return y0 if x0 == x1 else y0 + (y1 - y0) * (at - x0) / (x1 - x0)


def proposed(sizes: Sequence[int], rates: Sequence[float], front: Settings) -> list[Candidate]:
    """Return what the families propose for windows of some sizes at these bits per sample; a family may have none.

    front: [signal] and [adc] of a configured front end, empty if there is none. What it means, a family says itself.
    """
    own = [vars(family.room("design")).get("candidates") for family in codecs.families() if family.design]
    return [candidate for propose in own if propose for candidate in propose(sizes, rates, front)]


def compare(folder: Path, base: Settings, wanted: Sequence[Candidate], progress: Progress) -> list[Row]:
    """Design every candidate at each of its rates into `folder`, and measure it on the test part.

    base: settings of all: source and converter. A design that is refused leaves its reason in its row.
    """
    rows = []
    for number, candidate in enumerate(wanted):
        points: list[Point] = []
        refused, samples = candidate.refused, 0
        for asked, settings in candidate.designs.items():
            progress(candidate.name if asked is None else f"{candidate.name}, {asked:g} bit/sample")
            try:
                codec, chosen = design(folder / f"{number}-{len(points)}", base, candidate, settings)
            except QcsError as error:
                refused = refused or str(error)
                continue
            points.append(measure(codec, asked, chosen))
            samples = codec.windows * codec.width
        rows.append(Row(candidate.name, candidate.codec, tuple(points), samples, refused))
    return rows


def design(out: Path, base: Settings, candidate: Candidate, settings: Settings) -> tuple[Codec, Settings]:
    """Write the bundle of a candidate; return its codec, and the settings that make it."""
    room = next(
        family.room("design")
        for family in codecs.families()
        if family.design and candidate.codec in family.room("design").METHODS
    )
    chosen = merged(base, room.chosen(candidate.codec), settings)
    chosen = {table: chosen.get(table, {}) for table in room.TABLES}
    given = merged(chosen, candidate.quick)
    room.design(out, {table: load_table(room.TABLES[table], table, None, given[table]) for table in given}, EXPORT)
    return codecs.open_codec(out), chosen


def merged(*layers: Settings) -> dict[str, dict[str, Any]]:
    """Return all settings; later ones win.

    >>> merged({"signal": {"n": 8, "s": 2}}, {"signal": {"n": 16}})
    {'signal': {'n': 16, 's': 2}}
    """
    found: dict[str, dict[str, Any]] = {}
    for layer in layers:
        for table, keys in layer.items():
            found[table] = {**found.get(table, {}), **keys}
    return found


def measure(codec: Codec, asked: float | None, settings: Settings) -> Point:
    """Return what the test part becomes, packet behind packet, with an analog front end's noise.

    Raises QcsError if the test part holds no packet.
    """
    x, signal = last_windows(codec, SignalConfig.model_validate(settings["signal"])), codec.bundle.manifest.signal
    y = codec.sensor.sense(x)
    noise = signal.scale * math.sqrt(signal.noise_variance) * np.random.default_rng(seeds.TEST).standard_normal(y.shape)
    packets = codec.encode((y + noise).reshape(-1, codec.inputs))
    x_hat = codec.decode(packets)
    found = fidelity(x, x_hat, signal.offset)
    exact = signal.direct and bool((codec.counts(x_hat) == codec.counts(x)).all())
    bits = 8 * len(packets.bytes) / x.size
    return Point(asked, bits, found, exact, len(x), codec.bundle.path, settings, signal.direct)


def last_windows(codec: Codec, config: SignalConfig) -> NDArray[np.float64]:
    """Return the windows (packets · windows, N) of the recording's test part in units, none overlapping."""
    signal, size = codec.bundle.manifest.signal, codec.windows * codec.width
    samples = read_source(config).part(config.n, "test", config.n)[0]
    packets = len(samples) // size
    if not packets:
        raise QcsError(f"the test part has {len(samples)} samples, a packet needs {size}: record more")
    return signal.offset + signal.scale * samples[: packets * size].reshape(-1, codec.width)
