"""The step of the quantizer: as the device computes it, and the search for the one that meets the rate.

Steps are numbered: number E · 1,024 + 2,047 − mult is the step 2^E / mult, in units of acc; a larger number is coarser.
"""

from collections.abc import Callable
from dataclasses import dataclass

ROUNDING = 0.36
"""Of a step: the dead zone that gave the least error at equal bits on ECG and PPG."""
_MANTISSAS = 1024
MOST_A = (1 << 20) - 1
"""Of acc >> s₁."""
_LEAST_TOP = 8191
"""Every index up to this one is told apart. So a step has at least 64 units of a: its dead zone is exact to a percent,
where with 16 units (index 32,767) up to 0.25 dB were lost at equal steps.
"""
_MOST_INDEX_SHIFT = 24
OCTAVE = _MANTISSAS
"""Numbers from a step to its double."""
COARSEST = 44 * OCTAVE
"""Larger than what any coefficient can reach."""
_FINEST_COUNTS_LOG2 = -4
"""A finer step says nothing about whole counts."""


@dataclass(frozen=True)
class Step:
    """The numbers of section 2 of docs/transform.md, named as there."""

    accumulator_shift: int
    multiplier: int
    rounding: int
    index_shift: int

    @property
    def size(self) -> float:
        """The step in units of acc."""
        return float(2.0 ** (self.accumulator_shift + self.index_shift) / self.multiplier)


def step_of(number: int, reach: int, whole: bool = False) -> Step:
    """Return a step by its number. reach: largest |acc|.

    The accumulator is shifted as little as lets a hold all that acc can reach, or, unless `whole`, index 8,191.
    """
    exponent, left = divmod(number, _MANTISSAS)
    multiplier = 2 * _MANTISSAS - 1 - left
    for shift in range(max(0, exponent - _MOST_INDEX_SHIFT), exponent):
        index_shift = exponent - shift
        rounding = round(ROUNDING * 2**index_shift) + multiplier // 2  # half a unit is what >> loses on average
        top = (MOST_A * multiplier + rounding) >> index_shift
        if reach >> shift <= MOST_A or (not whole and top >= _LEAST_TOP):
            break
    return Step(shift, multiplier, rounding, index_shift)


def finest_of(fraction_bits: int) -> int:
    """Return the number of the finest step of use, about a sixteenth of a count."""
    return (_FINEST_COUNTS_LOG2 + fraction_bits + _MANTISSAS.bit_length()) * OCTAVE


def finest(meets: Callable[[int], bool], low: int) -> int | None:
    """Return the finest step, from `low` on, that meets a limit which all coarser ones meet; None: none meets it.

    >>> finest(lambda number: number >= 20_000, 12_000)
    20000
    """
    high = COARSEST
    if not meets(high):
        return None
    while low < high:
        middle = (low + high) // 2
        if meets(middle):
            high = middle
        else:
            low = middle + 1
    return high


def best(error: Callable[[int], float], start: int, low: int) -> int:
    """Return the step with the least error among those from `low` to `start`, an eighth of an octave apart.

    The search goes from coarse to fine and ends where two octaves brought nothing.
    """
    found, least = start, error(start)
    number = start - OCTAVE // 8
    while number >= max(low, found - 2 * OCTAVE):
        tried = error(number)
        if tried < least:
            found, least = number, tried
        number -= OCTAVE // 8
    return found
