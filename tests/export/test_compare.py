"""Codecs against each other: what families propose can be designed, and is measured on the test part as sent."""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import toy

from qcskit.codec.codecs import families, open_codec
from qcskit.codec.config import load_table
from qcskit.codec.errors import QcsError
from qcskit.codec.metrics import fidelity
from qcskit.export import compare as compare_module
from qcskit.export.compare import Candidate, Point, Row, compare, last_windows, merged, proposed

SAMPLES, N = 6000, 16


def counts(samples: int = SAMPLES) -> np.ndarray:
    """Return what a 12-bit sensor counts: a resonance about 700, int16 (samples,)."""
    x, steps = np.zeros(samples), np.random.default_rng(17).normal(0, 20, samples)
    for k in range(2, samples):
        x[k] = 1.8 * x[k - 1] - 0.9 * x[k - 2] + steps[k]
    return np.rint(np.clip(700 + x, -2048, 2047)).astype(np.int16)


def saved(file: Path, values: np.ndarray) -> dict[str, dict[str, Any]]:
    """Return the settings of all candidates for these counts."""
    np.save(file, values)
    return {"signal": {"source": "recorded", "recording": str(file)}, "adc": {"bits": 12}}


def named(name: str, rates: tuple[float, ...] = (1.0,)) -> Candidate:
    return next(candidate for candidate in proposed((N,), rates, {}) if candidate.name == name)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Row]:
    """Three of the proposals, designed once."""
    folder = tmp_path_factory.mktemp("compare")
    wanted = [named("DCT-16", (1.0, 2.0)), named("lossless"), named("ce-sq-omp")]
    found = compare(folder, saved(folder / "x.npy", counts()), wanted, lambda what: None)
    return {row.name: row for row in found}


@pytest.fixture
def _toy() -> Iterator[None]:
    with toy.registered():
        yield


@pytest.mark.usefixtures("_toy")
def test_all_that_families_propose_is_a_configuration_that_they_take() -> None:
    rooms = {method: f.room("design") for f in families() if f.design for method in f.room("design").METHODS}
    front = {"signal": {"n": 20, "m": 10, "s": 2, "matrix": "gaussian"}, "adc": {"bits": None, "signed": True}}
    found = proposed((16, 32, 33), (0.5, 1.0, 1.5, 2.0), front)
    assert all(candidate.designs for candidate in found)
    assert {"DCT-16", "KLT-32", "lossless", "ce-sq-omp"} <= {candidate.name for candidate in found}
    assert len({candidate.name for candidate in found}) == len(found)
    signal = {"source": "recorded", "recording": "x.npy"}
    for candidate in found:
        room = rooms[candidate.codec]
        for settings in candidate.designs.values():
            given = merged({"signal": signal}, room.chosen(candidate.codec), settings, candidate.quick)
            assert given.keys() <= room.TABLES.keys()
            for table, keys in given.items():
                load_table(room.TABLES[table], table, None, keys)


def test_what_is_measured_is_what_the_bundle_sends_of_the_last_part(rows: dict[str, Row]) -> None:
    raw = counts().astype(float)
    mean = np.rint(raw[: int(0.7 * SAMPLES)].mean())
    for row in rows.values():
        for point in row.points:
            codec = open_codec(point.bundle)
            size = codec.windows * N
            part = raw[int(0.85 * SAMPLES) :]
            part = part[: len(part) // size * size].reshape(-1, N)
            packets = codec.encode_counts(codec.sense(part))
            assert point.bits == 8 * len(packets.bytes) / part.size
            assert (point.windows, row.samples) == (len(part), size)
            expected = fidelity(part, codec.decode(packets), mean)
            assert point.exact == np.array_equal(np.rint(codec.decode(packets)), part)
            if not point.exact:
                assert point.fidelity.nmse_db == pytest.approx(expected.nmse_db, abs=1e-9)
                assert point.fidelity.window_nmse_db == pytest.approx(expected.window_nmse_db, abs=1e-9)


def test_rates_are_met_and_better_codecs_are_told_from_worse(rows: dict[str, Row]) -> None:
    for point in rows["DCT-16"].points:
        assert point.bits == pytest.approx(point.asked, rel=0.1)
    assert rows["DCT-16"].error_db(1.0) < rows["ce-sq-omp"].error_db(1.0) - 3
    assert not any(row.refused for row in rows.values())


def test_lossless_is_exact_and_says_no_decibels(rows: dict[str, Row]) -> None:
    (point,) = rows["lossless"].points
    assert point.exact
    assert (point.asked, point.fidelity.nmse_db, point.fidelity.largest_error) == (None, None, 0.0)
    assert point.bits < 12
    assert rows["lossless"].error_db(point.bits) == -math.inf
    assert rows["lossless"].error_db(point.bits - 0.01) is None
    assert not any(point.exact for point in rows["DCT-16"].points)


def test_lossless_is_exact_in_units_of_a_tenth_too(tmp_path: Path) -> None:
    base = saved(tmp_path / "x.npy", counts() * 0.1)
    base = merged(base, {"signal": {"recording_in": "units"}, "adc": {"units_per_count": 0.1}})
    (row,) = compare(tmp_path, base, [named("lossless")], lambda what: None)
    assert [(p.exact, p.fidelity.nmse_db, p.fidelity.largest_error) for p in row.points] == [(True, None, 0.0)]


def test_an_error_between_points_lies_on_the_line_and_far_off_is_not_known(rows: dict[str, Row]) -> None:
    low, high = rows["DCT-16"].points
    at = {bits: rows["DCT-16"].error_db(bits) for bits in (low.bits, (low.bits + high.bits) / 2, 0.8 * low.bits)}
    assert list(at.values())[:2] == [low.fidelity.nmse_db, pytest.approx(np.mean([p.fidelity.nmse_db
                                                                                 for p in (low, high)]))]  # fmt: skip
    assert at[0.8 * low.bits] is None
    assert replace(rows["DCT-16"], points=()).error_db(1.0) is None


@pytest.mark.parametrize(
    ("bits", "error_db"),
    [(0.84, None), (0.85, -18.5), (1.0, -20.0), (1.5, -25.0), (2.5, -32.5), (3.44, -37.2), (3.46, None)],
)
def test_a_line_is_followed_by_15_percent(bits: float, error_db: float | None) -> None:
    points = [(1.0, -20.0), (2.0, -30.0), (3.0, -35.0)]
    found = compare_module._on_line(points, bits)
    assert found == (None if error_db is None else pytest.approx(error_db))


def test_one_point_is_known_about_itself_alone() -> None:
    assert [compare_module._on_line([(2.0, -9.0)], at) for at in (1.6, 1.8, 2.2, 2.4)] == [None, -9.0, -9.0, None]
    assert compare_module._on_line([], 1.0) is None


def test_a_row_finds_the_point_of_a_rate_or_its_only_one(rows: dict[str, Row]) -> None:
    two, (one,) = rows["DCT-16"].points, rows["lossless"].points
    assert [rows["DCT-16"].at(asked) for asked in (1.0, 2.0, 1.5)] == [*two, None]
    assert [rows["lossless"].at(asked) for asked in (0.5, 3.0)] == [one, one]


def test_the_test_part_decides_nothing(tmp_path: Path) -> None:
    seen, wanted = counts(), named("KLT-16")
    other = np.append(seen[: int(0.85 * SAMPLES)], np.roll(seen[int(0.85 * SAMPLES) :] // 2, 100))
    points: list[Point] = []
    for number, values in enumerate((seen, seen, other)):
        base = saved(tmp_path / f"{number}.npy", values)
        points += compare(tmp_path / str(number), base, [wanted], lambda what: None)[0].points
    ids = [open_codec(point.bundle).bundle.manifest.model_id for point in points]
    assert ids[0] == ids[1] == ids[2]
    assert points[0].bits == points[1].bits != points[2].bits


def test_a_design_that_is_refused_says_why_and_the_others_go_on(tmp_path: Path) -> None:
    good = named("DCT-16")
    odd = Candidate("odd", good.codec, {1.0: merged(good.designs[1.0], {"signal": {"n": 17}})}, good.quick)
    said: list[str] = []
    refused, made = compare(tmp_path, saved(tmp_path / "x.npy", counts()), [odd, good], said.append)
    assert "n = 17" in refused.refused
    assert refused.points == ()
    assert (len(made.points), made.refused) == (1, "")
    assert said == ["odd, 1 bit/sample", "DCT-16, 1 bit/sample"]


def behind(noise_variance: float, tmp_path: Path) -> Row:
    """Return what is measured of windows of two non-zeros among 8 behind a Φ with this noise."""
    rng = np.random.default_rng(5)
    x = rng.permuted(np.hstack([rng.normal(0, 30, (2000, 2)), np.zeros((2000, 6))]), axis=1)
    base = merged(saved(tmp_path / "x.npy", x), {"signal": {"recording_in": "units"}, "adc": {"units_per_count": 0.01}})
    signal = {"n": 8, "m": 6, "s": 2, "matrix": "dct", "noise_variance": noise_variance}
    front = {"signal": signal, "adc": {"bits": 10, "units_per_count": None}}
    (wanted,) = (candidate for candidate in proposed((8,), (2.0,), front) if candidate.name == "sparse")
    return compare(tmp_path / str(noise_variance), base, [wanted], lambda what: None)[0]


def test_behind_a_front_end_its_noise_and_its_converter_count(tmp_path: Path) -> None:
    """What is sparse comes back nearly; it is never taken for exact, and whole bytes are counted."""
    (quiet,), (loud,) = behind(0.0, tmp_path).points, behind(0.3, tmp_path).points
    assert not quiet.direct
    assert not quiet.exact
    assert (quiet.bits, quiet.windows) == (2.0, 300)
    assert quiet.fidelity.nmse_db is not None
    assert loud.fidelity.nmse_db is not None
    assert quiet.fidelity.nmse_db < -20
    assert loud.fidelity.nmse_db > -10
    adc = open_codec(quiet.bundle).bundle.manifest.adc
    assert (adc.bits, adc.units_per_count != 0.01) == (10, True)


def test_a_test_part_that_fills_no_packet_says_what_it_takes(rows: dict[str, Row], tmp_path: Path) -> None:
    codec = open_codec(rows["lossless"].points[0].bundle)
    size = codec.windows * codec.width
    assert codec.windows > 1
    np.save(tmp_path / "short.npy", counts()[: int((size - 1) / 0.15)])
    config = codec.bundle.signal.model_copy(update={"recording": str(tmp_path / "short.npy")})
    with pytest.raises(QcsError, match=rf"the test part has {size - 1} samples, a packet needs {size}: record more"):
        last_windows(codec, config)


def test_a_proposal_that_does_not_apply_says_why(tmp_path: Path) -> None:
    (row,) = compare(tmp_path, {}, [Candidate("a", "a", {}, refused="no Φ")], lambda what: None)
    assert (row.points, row.refused) == ((), "no Φ")


def test_a_family_without_proposals_is_left_out() -> None:
    before = proposed((N,), (1.0,), {})
    with toy.registered():
        assert proposed((N,), (1.0,), {}) == before
