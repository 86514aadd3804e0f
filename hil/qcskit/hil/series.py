"""A time series of link counters that never grows beyond a few hundred points."""

from qcskit.hil.exchange import Exchange

_POINTS = 300


class LinkSeries:
    """Answered vectors, retries and damaged stretches over time; every second point goes when it is full."""

    def __init__(self, start_s: float) -> None:
        self._start_s = start_s
        self._interval_s = 0.1
        self._next_s = start_s
        self.columns: dict[str, list[float]] = {"t_s": [], "answered": [], "retries": [], "not_frames": []}

    def note(self, now_s: float, answered: int, exchange: Exchange) -> None:
        """Take a point if one is due."""
        if now_s < self._next_s:
            return
        self._next_s = now_s + self._interval_s
        row = (
            round(now_s - self._start_s, 3), answered, exchange.counts.retries, exchange.parser.text_stretches,
        )  # fmt: skip
        for column, value in zip(self.columns.values(), row, strict=True):
            column.append(value)
        if len(self.columns["t_s"]) >= _POINTS:
            self._interval_s *= 2
            for column in self.columns.values():
                del column[::2]
