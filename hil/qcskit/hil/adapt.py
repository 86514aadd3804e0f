"""How many packets per frame, and how often the board repeats its reply: chosen from what the link loses.

Model: each byte is damaged independently with probability e, a frame of b bytes arrives with (1 − e)^b. The estimate of
e is a likelihood over a grid, fed with every attempt's outcome and slowly forgetting; batch and repeats minimise the
expected bytes per packet on the line.
"""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qcskit.firmware.protocol.framing import wire_bytes
from qcskit.firmware.protocol.messages import MAX_REPEAT_EXPONENT, largest_batch, result_bytes

_GRID = np.concatenate([[0.0], np.geomspace(1e-6, 0.5, 70)])
_FORGET = 0.9995
_UPDATE_EVERY = 16
_DOUBT = 1.0
"""How much less likely (in nats) an estimate may be than the best one."""
_LOSS_THAT_COUNTS = 1e-5


@dataclass(frozen=True)
class Shape:
    """Sizes that decide: bytes of one packet's input, most bytes of a packet, and the limits of the board's buffers."""

    input_bytes: int
    packed_bytes_max: int
    window_bytes: int
    max_batch: int
    can_repeat: bool

    def request_bytes(self, batch: int) -> int:
        """Return the size of an ENCODE frame on the line."""
        return wire_bytes(2 + batch * self.input_bytes)

    def reply_bytes(self, batch: int) -> int:
        """Return the size of a RESULT frame on the line."""
        return wire_bytes(result_bytes(batch, self.packed_bytes_max))

    def largest_batch(self) -> int:
        """Return the most packets per frame that still leave four frames in the window; >= 1."""
        return largest_batch(self.input_bytes, self.window_bytes // 4, self.max_batch) or 1


class LinkModel:
    """Batch size and repeats for a link, learnt from attempts.

    >>> model = LinkModel(Shape(10, 4, 4096, 255, True))
    >>> model.batch, model.repeat_exponent
    (100, 0)
    >>> for _ in range(300): model.note(model.batch, model.repeat_exponent, False)
    >>> model.batch
    1
    """

    def __init__(self, shape: Shape, batch: int | None = None) -> None:
        self.shape = shape
        self._fixed = batch
        self._scores = np.zeros(len(_GRID))
        self._scores[1:] -= 0.5  # a clean line is a little likelier before anything is known
        self._tally: defaultdict[tuple[int, int, int], list[int]] = defaultdict(lambda: [0, 0])
        self._noted = 0
        self._choices: dict[float, tuple[int, int]] = {}
        self.byte_loss = 0.0
        """Estimated probability that a byte is damaged."""
        self.batch = batch or shape.largest_batch()
        self.repeat_exponent = 0

    def note(self, batch: int, repeat_exponent: int, answered: bool, times: int = 1) -> None:
        """Take the outcome of `times` equal ENCODE attempts."""
        sizes = self.shape.request_bytes(batch), self.shape.reply_bytes(batch)
        self.note_exchange(*sizes, repeat_exponent, times * answered, times * (not answered))

    def note_exchange(self, there: int, back: int, repeat_exponent: int, answered: int, failed: int) -> None:
        """Take outcomes of equal exchanges: bytes there and back, how many were answered and how many were not."""
        counts = self._tally[there, back, repeat_exponent]
        counts[0] += failed
        counts[1] += answered
        self._noted += answered + failed
        if self._noted >= _UPDATE_EVERY or (failed and self.byte_loss < _LOSS_THAT_COUNTS):
            self._update()

    def success_share(self) -> float:
        """Return the expected share of attempts that are answered, with the present batch and repeats."""
        sizes = self.shape.request_bytes(self.batch), self.shape.reply_bytes(self.batch)
        return max(1e-9, float(success(*sizes, self.repeat_exponent, self.byte_loss)))

    def _update(self) -> None:
        self._noted = 0
        for (there, back, repeat), (failed, answered) in self._tally.items():
            p = success(there, back, repeat, _GRID).clip(1e-12, 1.0 - 1e-9)
            self._scores *= _FORGET ** (failed + answered)
            self._scores += answered * np.log(p) + failed * np.log1p(-p)
        self._tally.clear()
        # The least loss that explains what was seen: frames far too long for a line fail at any higher loss as well.
        self.byte_loss = float(_GRID[int(np.argmax(self._scores >= self._scores.max() - _DOUBT))])
        if self.byte_loss not in self._choices:
            self._choices[self.byte_loss] = self._choose()
        self.batch, self.repeat_exponent = self._choices[self.byte_loss]

    def _choose(self) -> tuple[int, int]:
        """Return the best batch and repeat exponent for the present byte loss."""
        largest = self._fixed or self.shape.largest_batch()
        if self.byte_loss < _LOSS_THAT_COUNTS:
            return largest, 0
        batches = [self._fixed] if self._fixed else [n for n in (1 << np.arange(9)).tolist() if n < largest] + [largest]
        repeats = range(MAX_REPEAT_EXPONENT + 1 if self.shape.can_repeat else 1)
        return min(((n, r) for n in batches for r in repeats), key=lambda choice: (self._cost(*choice), choice))

    def _cost(self, batch: int, repeat: int) -> float:
        """Expected bytes per answered packet; replies count only when the request arrived."""
        there, back = self.shape.request_bytes(batch), self.shape.reply_bytes(batch)
        sent = there + (1.0 - self.byte_loss) ** there * back * (1 << repeat)
        return sent / max(float(success(there, back, repeat, self.byte_loss)), 1e-300) / batch


def success(there: int, back: int, repeat_exponent: int, loss: ArrayLike) -> NDArray[np.float64]:
    """Return the probability that an exchange of these sizes is answered, for each byte loss.

    >>> success(22, 18, 0, np.array([0.0, 0.2])).round(6).tolist()
    [1.0, 0.000133]
    """
    whole = 1.0 - np.asarray(loss, np.float64)
    return np.asarray(whole**there * (1.0 - (1.0 - whole**back) ** (1 << repeat_exponent)))
