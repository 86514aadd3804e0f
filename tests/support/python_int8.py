"""TFLM's int8 arithmetic in Python's own integers, written from the C++ text: an oracle that shares no code."""

from typing import Any


def python_requantize(acc: int, multiplier: int, shift: int) -> int:
    """MultiplyByQuantizedMultiplier."""
    left, right = max(shift, 0), max(-shift, 0)
    high = (acc * (1 << left) * multiplier + (1 << 30)) // (1 << 31)
    mask = (1 << right) - 1
    return high // (1 << right) + ((high & mask) > (mask >> 1) + (high < 0))


def python_index(tables: Any, x: list[int]) -> list[int]:
    """Return the indices of one vector of network inputs."""
    for layer in tables.hidden:
        grid = [
            python_requantize(sum(int(w) * v for w, v in zip(row, x, strict=True)) + int(b), int(m), int(s))
            for row, b, m, s in zip(layer.weights, layer.bias, layer.multiplier, layer.shift, strict=True)
        ]
        x = [int(layer.activation[min(max(g + layer.zero_point, -128), 127) + 128]) for g in grid]
    acc = [sum(int(w) * v for w, v in zip(row, x, strict=True)) for row in tables.weights]
    return [sum(int(t) <= a for t in row) for row, a in zip(tables.thresholds, acc, strict=True)]
