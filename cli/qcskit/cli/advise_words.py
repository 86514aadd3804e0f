"""The verdict of `qcskit advise` in plain words, and the configuration of its winner."""

import json
import math
from typing import TYPE_CHECKING

from qcskit.cli.advise_compare import Comparison, nearest_point, per_sample

if TYPE_CHECKING:
    from qcskit.export.compare import Row, Settings

TIE_DB = 0.3
"""Differences that other packets of the same recording would turn round."""
_DB_PER_BIT = 20 * math.log10(2)
"""What a bit gives where samples say nothing of each other: distortion-rate function of white noise."""
_GAIN_DB, _SAVED = 0.5, 0.05
"""Below these a codec saves nothing."""


def ranked(found: Comparison, bits: float) -> "list[tuple[float, Row]]":
    """Return NMSE in dB at a rate and row of all codecs that are known there, the best first."""
    known = [(row.error_db(bits), row) for row in found.rows]
    return sorted(((error, row) for error, row in known if error is not None), key=lambda pair: pair[0])


def best_rows(found: Comparison, bits: float) -> "list[Row]":
    """Return the codecs that are as good as the best at a rate, the one with the shortest packets first."""
    order = ranked(found, bits)
    tied = [row for error, row in order if error <= order[0][0] + TIE_DB]
    return sorted(tied, key=lambda row: row.samples)


def verdict(found: Comparison) -> list[str]:
    """Return what follows from a comparison, a sentence each."""
    from qcskit.export.compare import FEW_WINDOWS

    tested = sorted((row.points[0].windows, row.name) for row in found.rows if row.points)
    few = [name for windows, name in tested if windows < FEW_WINDOWS]
    words = []
    if few:
        words.append(
            f"Fewer than {FEW_WINDOWS} windows were tested of {', '.join(few)} (as few as {tested[0][0]}): "
            "these figures are rough; record more."
        )
    if found.rounding_db is not None:
        words.append(
            f"The converter's own rounding lies at {found.rounding_db:.1f} dB: less error than that means little."
        )
    words += _of_front(found) + _of_lossless(found)
    words += [_of_rate(found, rate) for rate in found.rates if ranked(found, rate)]
    words += _of_training(found) + _of_winner(found)
    words += [f"Left out: {row.name}: {row.refused}." for row in found.rows if row.refused]
    return words


def _of_front(found: Comparison) -> list[str]:
    """Return what an analog front end means here: which codecs are behind it, and how sparse the recording is."""
    if found.front is None:
        return []
    signal, behind = found.front.settings["signal"], [row.name for row in found.rows if _is_behind(row)]
    told = (f"The {signal['s']} largest {signal['basis']} coefficients of a window of {signal['n']} leave "
            f"{found.front.left_db:.1f} dB out: what is rebuilt of {signal['s']} comes no closer.")  # fmt: skip
    who = f"Behind Φ: {', '.join(behind)}; for all others the device samples the signal itself." if behind else ""
    return [told, *filter(None, [who])]


def _is_behind(row: "Row") -> bool:
    return any(not point.direct for point in row.points)


def _of_lossless(found: Comparison) -> list[str]:
    exact = [(point.bits, row.name) for row in found.rows for point in row.points if point.exact]
    if not exact:
        return []
    bits, name = min(exact)
    saved = 1 - bits / found.raw_bits
    told = f"{saved:.0%} less than raw" if saved >= _SAVED else "which saves nothing"
    return [f"Without any loss ({name}) a sample takes {bits:.2f} bits of {found.raw_bits}, {told}."]


def _of_rate(found: Comparison, bits: float) -> str:
    order, tied = ranked(found, bits), best_rows(found, bits)
    place = f"At {per_sample(bits)}"
    others = [(error, row) for error, row in order if row not in tied]
    behind = f"; {others[0][1].name} follows {_gap(others[0][0] - order[0][0])} behind" if others else ""
    if len(tied) == 1:
        return f"{place} {tied[0].name} is best: {_level(order[0][0])}{behind}."
    names = ", ".join(row.name for row in tied)
    least = f"{tied[0].name} gathers the fewest samples" if tied[0].samples < tied[-1].samples else "all are as quick"
    return f"{place} it is a tie at {_level(order[0][0])}: {names}; {least}{behind}."


def _level(error_db: float) -> str:
    return "exact" if error_db == -math.inf else f"{error_db:.1f} dB"


def _gap(decibels: float) -> str:
    return "far" if decibels == math.inf else f"{decibels:.1f} dB"


def _of_winner(found: Comparison) -> list[str]:
    """Return what the codec to take at the rate asked for saves and costs."""
    row = winner(found)
    if saves_nothing(found):
        return [
            "Send raw: no codec does better than the 6 dB per bit that any noise gives, and lossless coding saves "
            "nothing. Neighbouring samples say nothing about each other: to save bits, lower rate or resolution."
        ]
    if row is None:
        return [f"At {per_sample(found.wanted.bits)} nothing was measured: choose another --bits."]
    point, cost = nearest_point(row, found.wanted.bits), found.costs.get(row.name)
    words = [f"it sends {1 - point.bits / found.raw_bits:.0%} less than raw counts"]
    if cost and cost.per_sample["m4"] is not None:
        words.append(f"takes {cost.per_sample['m4']:,.0f} instructions per sample on a Cortex-M4")
    if cost and cost.flash_bytes is not None:
        words.append(f"{cost.flash_bytes:,} bytes of flash and {cost.ram_bytes:,} of RAM there")
    words.append(f"and loses {row.samples} samples with a packet")
    return [f"For {per_sample(found.wanted.bits)} take {row.name}: {', '.join(words)}."]


def _of_training(found: Comparison) -> list[str]:
    """Return whether a trained codec, which nothing designs, gains anything at the rate asked for."""
    bits, words = found.wanted.bits, []
    for row in found.rows:
        own, others = row.error_db(bits), [error for error, other in ranked(found, bits) if other.codec]
        if row.codec or own is None or not others:
            continue
        gain = others[0] - own
        words.append(
            f"The learned encoder gains {gain:.1f} dB at {per_sample(bits)}." if gain > TIE_DB else
            f"A learned encoder gains nothing here: at {per_sample(bits)} it is {_gap(-gain)} behind the best."
        )  # fmt: skip
    return words


def saves_nothing(found: Comparison) -> bool:
    """Tell whether raw counts are as good as any codec."""
    exact = [point.bits for row in found.rows for point in row.points if point.exact]
    if exact and min(exact) < (1 - _SAVED) * found.raw_bits:
        return False
    best = [(rate, ranked(found, rate)) for rate in found.rates]
    return all(order[0][0] > -_DB_PER_BIT * rate - _GAIN_DB for rate, order in best if order)


def winner(found: Comparison) -> "Row | None":
    """Return the codec to take at the rate asked for; None: there is none."""
    tied = best_rows(found, found.wanted.bits) if ranked(found, found.wanted.bits) else []
    return tied[0] if tied else None


def configuration(found: Comparison, row: "Row", file: str) -> str:
    """Return the qcs.toml of a codec at the rate asked for. file: its name, for the command in its first lines."""
    point = nearest_point(row, found.wanted.bits)
    head = f"# {row.name}, {point.bits:.3g} bits per sample: "
    head += "exact" if point.exact else f"{point.fidelity.nmse_db:.1f} dB about the training mean"
    room = "# [adc] holds what the recording holds and no more: give it the converter of your sensor.\n"
    if not point.direct:
        room = "# What [adc] leaves out is chosen for the recording: give it the converter behind your front end.\n"
    return f"{head}\n# {command(row, file)}\n{room}{toml(point.settings)}"


def command(row: "Row", file: str) -> str:
    """Return the command that makes a codec of its configuration."""
    if row.codec:
        return f"qcskit design --codec {row.codec} -c {file}"
    return f"qcskit train -c {file} -o runs/best && qcskit export runs/best -c {file}"


def toml(settings: "Settings") -> str:
    """Return settings as a TOML file holds them; None, which leaves a key to be chosen, stays out.

    >>> toml({"signal": {"n": 8, "recording": "a.csv"}})
    '\\n[signal]\\nn = 8\\nrecording = "a.csv"\\n'
    """
    given = {
        table: {key: value for key, value in keys.items() if value is not None} for table, keys in settings.items()
    }
    return "".join(
        f"\n[{table}]\n" + "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in keys.items())
        for table, keys in given.items()
        if keys
    )
