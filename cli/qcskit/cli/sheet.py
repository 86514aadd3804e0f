"""Tables that fit: at any width, and into a pipe, no figure and no verdict is cut."""

from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

_FOLDED = 24
"""Longer words, such as paths, may be broken."""


class Sheet(Table):
    """A table of which nothing is ever cut: what is `no_wrap` stays on its line, other text goes on in the next one.

    Where that does not fit, its frame goes; where that is not enough, each row becomes lines, one per column.
    """

    def add_column(self, header: RenderableType = "", *rest: Any, **options: Any) -> None:
        """Add a column; numbers to the right, `number=True`, are never broken."""
        if options.pop("number", False):
            options = {"justify": "right", "no_wrap": True, **options}
        super().add_column(header, *rest, **{"overflow": "fold", **options})

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the table, or its rows as blocks."""
        if self._least(console, options) > options.max_width:
            self.box, self.pad_edge, self.padding = None, False, (0, 1, 0, 0)
        if self._least(console, options) <= options.max_width:
            yield from super().__rich_console__(console, options)
            return
        if self.title:
            yield console.render_str(str(self.title), style="table.title")
        headers = [str(column.header) for column in self.columns]
        width = max(map(len, headers))
        for row in zip(*(column.cells for column in self.columns), strict=True):
            block = Table(box=None, show_header=False, pad_edge=False)
            block.add_column(width=min(width, options.max_width // 2), overflow="fold")
            block.add_column(overflow="fold")
            for header, cell in zip(headers, row, strict=True):
                if str(cell):
                    block.add_row(header, cell)
            yield block
            yield Text()
        if self.caption:
            yield console.render_str(str(self.caption), style="table.caption")

    def _least(self, console: Console, options: ConsoleOptions) -> int:
        """Return the width below which something would be broken: numbers anywhere, other text inside a word."""
        wide = options.update(max_width=100_000, width=100_000)
        cells = [[column.header, *column.cells] for column in self.columns]
        widths = []
        for column, entries in zip(self.columns, cells, strict=True):
            found = [_extent(console, wide, cell) for cell in entries]
            if all(one.minimum == one.maximum <= _FOLDED for one in found):
                column.no_wrap = True  # single words: else they are broken where others have room
            widths.append(max(one.maximum if column.no_wrap else min(one.minimum, _FOLDED) for one in found))
        return sum(widths) + self._extra_width + sum(self.padding[1::2]) * len(widths)


def _extent(console: Console, options: ConsoleOptions, cell: RenderableType) -> Measurement:
    return Measurement.get(console, options, console.render_str(cell) if isinstance(cell, str) else cell)
