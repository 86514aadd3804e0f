"""What codecs of packets of any length share: the definition as an oracle, and which packets no encoder gives."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.errors import QcsError
from qcskit.codec.interface import Counts, Oracle, Packets


def definition(packet_of: Callable[[Any, Sequence[int]], bytes], tables: Any) -> tuple[Oracle, ...]:
    """Return the definition: the page in unbounded integers, packet by packet."""

    def encode(counts: Counts) -> Packets:
        return Packets.of([packet_of(tables, row) for row in counts.tolist()])

    return (Oracle("definition", "oracle", encode),)


def check_lengths(packets: Packets, most: int) -> None:
    """Raise QcsError that names the first packet which is empty or has more than `most` bytes."""
    if (packets.lengths < 1).any():
        raise QcsError(f"packet {int((packets.lengths < 1).argmax())} is empty; every packet has at least a byte")
    packets.table(most)


def check_good(good: NDArray[np.bool_]) -> None:
    """Raise QcsError that names the first packet which is not good."""
    if not good.all():
        raise QcsError(f"packet {int((~good).argmax())} is damaged: no encoder of this model gives it")
