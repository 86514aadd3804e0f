"""The order of operations of a polar decoder, pruned: subtrees that hold no or one information symbol are one step.

A node at depth d covers m / 2^d positions. Opcodes act on the node at `depth`:
LEFT, RIGHT  compute the messages of its left or right child.
COMBINE      join the children's decisions into its own.
ZERO         all its symbols are frozen: decide the zero codeword.
REPEAT       only its last symbol carries information: the codeword is a multiple of the kernel's last row.
FREE         none of its symbols is frozen: decide each codeword position by itself (binary plain decoder only).
"""

import numpy as np
from numpy.typing import NDArray

Schedule = NDArray[np.int32]
"""Steps (count, 3): opcode, depth, side (0 left, 1 right child of its parent; 0 for the root)."""

LEFT, RIGHT, COMBINE, ZERO, REPEAT, FREE = range(6)


def build(is_info: NDArray[np.bool_], free: bool) -> Schedule:
    """Return the schedule for the information set `is_info` (m,). free: use FREE nodes.

    >>> build(np.array([False, False, False, True]), free=False).tolist()  # one REPEAT node of four
    [[4, 0, 0]]
    """
    steps: list[tuple[int, int, int]] = []

    def visit(first: int, length: int, depth: int, side: int) -> None:
        part = is_info[first : first + length]
        if not part.any():
            steps.append((ZERO, depth, side))
        elif part[-1] and part.sum() == 1:
            steps.append((REPEAT, depth, side))
        elif free and part.all():
            steps.append((FREE, depth, side))
        else:
            half = length // 2
            steps.append((LEFT, depth, side))
            visit(first, half, depth + 1, 0)
            steps.append((RIGHT, depth, side))
            visit(first + half, half, depth + 1, 1)
            steps.append((COMBINE, depth, side))

    visit(0, len(is_info), 0, 0)
    return np.array(steps, np.int32)
