"""The verdict of `qcskit advise`: on made-up measurements, so that each sentence has its case."""

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from qcskit.cli import advise_words
from qcskit.cli.advise_compare import Comparison, Cost, Front, Wanted
from qcskit.cli.advise_words import best_rows, configuration, saves_nothing, toml, verdict, winner
from qcskit.codec.metrics import Fidelity
from qcskit.export.compare import Point, Row

RATES = [1.0, 2.0]
SETTINGS = {"signal": {"n": 32, "recording": 'a "b" µ.csv', "recording_gaps": "interpolate"},
            "adc": {"bits": 12, "signed": False, "units_per_count": 0.1}, "transform": {"basis": "klt"}}  # fmt: skip


def point(asked: float | None, bits: float, nmse_db: float | None, windows: int = 500) -> Point:
    figures = dict.fromkeys(Fidelity.model_fields, None) | {"distinct": 1, "nmse_db": nmse_db, "largest_error": 1.0}
    return Point(asked, bits, Fidelity.model_validate(figures), nmse_db is None, windows, Path("b"), SETTINGS)


def row(name: str, *levels_db: float, samples: int = 128, codec: str = "transform", windows: int = 500) -> Row:
    """Return a row whose points lie exactly at RATES."""
    points = [point(rate, rate, level, windows) for rate, level in zip(RATES, levels_db, strict=True)]
    return Row(name, codec, tuple(points), samples)


def comparison(*rows: Row, bits: float = 1.0, raw_bits: int = 12) -> Comparison:
    return Comparison(Wanted(bits), list(rows), {}, RATES, raw_bits, None, None, "")


def said(found: Comparison) -> str:
    return "\n".join(verdict(found))


LOSSLESS = Row("lossless", "transform", (point(None, 5.0, None),), 128)


def test_the_best_at_each_rate_and_by_how_much() -> None:
    text = said(comparison(row("a", -20.0, -31.0), row("b", -25.5, -30.0), LOSSLESS))
    assert "At 1 bit per sample b is best: -25.5 dB; a follows 5.5 dB behind." in text
    assert "At 2 bits per sample a is best: -31.0 dB; b follows 1.0 dB behind." in text
    assert "For 1 bit per sample take b: it sends 92% less than raw counts, and loses 128 samples" in text
    assert "Without any loss (lossless) a sample takes 5.00 bits of 12, 58% less than raw." in text


def test_a_tie_says_so_and_goes_to_the_shortest_packets() -> None:
    found = comparison(row("long", -25.3, -30.0, samples=512), row("short", -25.1, -30.0), row("c", -20.0, -20.0))
    assert [row.name for row in best_rows(found, 1.0)] == ["short", "long"]
    assert "it is a tie at -25.3 dB: short, long; short gathers the fewest samples; c follows 5.3 dB" in said(found)
    assert winner(found) == found.rows[1]


def test_so_much_is_still_a_tie_and_more_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the edge itself, of codecs as of a trained one."""
    monkeypatch.setattr(advise_words, "TIE_DB", 0.5)
    for level, names in ((-24.5, ["a", "b"]), (-24.25, ["a"])):
        assert [row.name for row in best_rows(comparison(row("a", -25.0, -30.0), row("b", level, -30.0)), 1.0)] == names
    for level, gains in ((-25.5, False), (-25.75, True)):
        text = said(comparison(row("a", -25.0, -30.0), row("trained", level, -30.0, codec="")))
        assert ("The learned encoder gains" in text) == gains
        assert ("A learned encoder gains nothing" in text) != gains


@pytest.mark.parametrize(("samples", "words"), [(512, "all are as quick"), (768, "a gathers the fewest samples")])
def test_of_a_tie_the_quickest_is_told_if_there_is_one(samples: int, words: str) -> None:
    found = comparison(row("a", -25.0, -30.0, samples=512), row("b", -25.0, -20.0, samples=int(f"{samples}")))
    assert f"it is a tie at -25.0 dB: a, b; {words}" in said(found)


def test_exact_at_no_more_bits_is_best() -> None:
    found = comparison(row("a", -40.0, -50.0), Row("l", "transform", (point(None, 1.5, None),), 128))
    assert "At 2 bits per sample l is best: exact; a follows far behind." in said(found)
    assert "At 1 bit per sample a is best: -40.0 dB." in said(found)


@pytest.mark.parametrize(
    ("level_db", "words"),
    [(-24.0, "A learned encoder gains nothing here: at 1 bit per sample it is 1.5 dB behind the best."),
     (-25.6, "A learned encoder gains nothing here"), (-27.5, "The learned encoder gains 2.0 dB at 1 bit per sample.")],
)  # fmt: skip
def test_what_a_learned_encoder_gains(level_db: float, words: str) -> None:
    assert words in said(comparison(row("a", -25.5, -30.0), row("trained", level_db, -30.0, codec="")))


def test_raw_is_best_where_nothing_saves() -> None:
    noise, useless = row("a", -5.0, -11.0), Row("l", "transform", (point(None, 11.9, None),), 128)
    found = comparison(noise, useless)
    assert saves_nothing(found)
    assert "Send raw: no codec does better" in said(found)
    assert "which saves nothing" in said(found)
    assert "take a" not in said(found)
    assert not saves_nothing(comparison(row("a", -5.0, -13.0), useless))
    assert not saves_nothing(comparison(noise, LOSSLESS))


def test_few_windows_and_what_was_left_out_are_told() -> None:
    found = comparison(row("a", -25.0, -30.0, windows=99), row("b", -25.0, -30.0, windows=100),
                       Row("c", "transform", (), refused="too short"))  # fmt: skip
    assert "Fewer than 100 windows were tested of a (as few as 99)" in said(found)
    assert "Left out: c: too short." in said(found)
    assert "Fewer" not in said(comparison(row("b", -25.0, -30.0, windows=100)))


def test_the_converter_s_own_rounding_is_told_if_it_is_known() -> None:
    found = comparison(row("a", -25.0, -30.0))
    told = "The converter's own rounding lies at -47.3 dB: less error than that means little."
    assert told in verdict(replace(found, rounding_db=-47.26))
    assert "rounding" not in said(found)


def test_the_cost_of_the_best_is_told_if_it_was_measured() -> None:
    found = comparison(row("a", -25.0, -30.0))
    cost = Cost(3000, 400, {"m4": 99.6, "m0plus": None, "avr": None})
    text = said(replace(found, costs={"a": cost}))
    assert "takes 100 instructions per sample on a Cortex-M4, 3,000 bytes of flash and 400 of RAM there" in text
    assert "instructions" not in said(found)


def test_where_nothing_was_measured_there_is_no_winner() -> None:
    found = comparison(row("a", -25.0, -30.0), bits=8.0)
    assert winner(found) is None
    assert "At 8 bits per sample nothing was measured" in said(found)


def test_the_configuration_is_toml_with_the_command_that_takes_it() -> None:
    found = comparison(row("a", -25.0, -30.0))
    text = configuration(found, found.rows[0], "q.toml")
    assert tomllib.loads(text) == SETTINGS
    assert text.splitlines()[:2] == [
        "# a, 1 bits per sample: -25.0 dB about the training mean",
        "# qcskit design --codec transform -c q.toml",
    ]
    assert "qcskit train -c q.toml" in configuration(found, replace(found.rows[0], codec=""), "q.toml")


def test_a_front_end_is_told_by_who_is_behind_it_and_how_sparse_the_recording_is() -> None:
    behind = row("b", -25.5, -30.0)
    behind = replace(behind, points=tuple(replace(point, direct=False) for point in behind.points))
    signal = {"n": 20, "s": 2, "basis": "dct"}
    found = replace(comparison(row("a", -20.0, -31.0), behind), front=Front({"signal": signal}, -4.25))
    text = said(found)
    assert "The 2 largest dct coefficients of a window of 20 leave -4.2 dB out: what is rebuilt of 2" in text
    assert "Behind Φ: b; for all others the device samples the signal itself." in text
    assert "behind your front end" in configuration(found, behind, "q.toml")
    assert "Behind Φ" not in said(replace(found, rows=[row("a", -20.0, -31.0)]))
    assert "largest" not in said(comparison(row("a", -20.0, -31.0)))


def test_what_is_left_to_be_chosen_is_no_key() -> None:
    assert tomllib.loads(toml({"adc": {"bits": None, "signed": True}, "x": {"a": None}})) == {"adc": {"signed": True}}


def test_what_counts_as_a_tie_and_as_saving_something() -> None:
    """The constants themselves: 0.3 dB; 0.5 dB better than 6.02 dB per bit; 5 %."""
    for level, tied in ((-24.75, 2), (-24.65, 1)):
        assert len(best_rows(comparison(row("a", -25.0, -30.0), row("b", level, -30.0)), 1.0)) == tied
    for at_one, at_two, nothing in ((-6.5, -12.5, True), (-6.55, -12.5, False), (-6.5, -12.6, False)):
        assert saves_nothing(comparison(row("a", at_one, at_two))) == nothing
    for bits, nothing in ((19.1, True), (18.9, False)):
        lossless = Row("l", "transform", (point(None, bits, None),), 128)
        found = comparison(row("a", -1.0, -2.0), lossless, raw_bits=20)
        assert saves_nothing(found) == nothing
        assert ("which saves nothing" in said(found)) == nothing


def test_of_three_that_tie_the_longest_packets_are_compared_with_the_shortest() -> None:
    found = comparison(*(row(name, -25.0, -30.0, samples=count) for name, count in (("a", 64), ("b", 64), ("c", 128))))
    assert "At 1 bit per sample it is a tie at -25.0 dB: a, b, c; a gathers the fewest samples." in said(found)
