"""Tables in text files, as loggers, spreadsheets and NumPy write them: one column, or all of it.

What a file leaves open is settled by rules that the tests hold: the separator is the one that makes most cells numbers;
a first line of words is a header; a comma is decimal where it cannot be anything else. What stays ambiguous is refused.
"""

import csv
import re
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from operator import methodcaller
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.errors import QcsError

if TYPE_CHECKING:
    from _csv import Reader as CsvReader

GAP_WORDS = frozenset({"", "na", "n/a", "nan", "null", "none", "-", "--", "?", "#n/a"})
"""Cells that say "no sample here", in lower case."""

_SEPARATORS = ("\t", ";", "|", ",", " ")
_NONE = "\x1f"
"""A separator that no text holds: a line is one cell."""
_HEAD_ROWS = 200
"""Lines from which header and numeric columns are told."""
_SCORED_ROWS = 20
"""Lines from which the separator is told."""

_POINT_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_COMMA_NUMBER = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")


@dataclass(frozen=True)
class TextTable:
    """Where the numbers of a text file stand.

    names: the header's cells, or () without one. width: cells of a line. numeric: columns of which at least half of the
    first lines are numbers. first: lines before the first line of numbers. newline: what ends a line.
    """

    path: Path
    encoding: str
    newline: str
    separator: str
    names: tuple[str, ...]
    width: int
    numeric: tuple[int, ...]
    first: int

    def label(self, column: int) -> str:
        """Return a column's name in messages; without a header its number, counted from 0."""
        return f"column '{self.names[column]}'" if self.names else f"column {column} (from 0)"

    def place(self, line: int, column: int) -> str:
        """Return where a cell stands; lines count from 1."""
        return f"'{self.path}', line {line}, {self.label(column)}"


def open_table(path: Path, column: str = "") -> TextTable:
    """Read the first lines of a text file and tell how it is written.

    column: what the user calls the wanted column; a first line of numbers is a header if one of its cells is that word.
    Raises QcsError if it is no text, holds no numbers, or its header has another number of cells than its lines.
    """
    encoding, newline = _encoding(path)
    blank = TextTable(path, encoding, newline, _NONE, (), 1, (), 0)
    with _opened(blank) as file:
        lines = list(islice(_lines(file), _HEAD_ROWS))
    mixed = next((number for number, line in enumerate(lines, start=1) if "\r" in line), None)
    if mixed:
        raise QcsError(f"'{path}', line {mixed}: a carriage return stands within it; write all ends of line alike")
    skipped = next((number for number, line in enumerate(lines) if line and not line.startswith("#")), len(lines))
    texts = [line for line in lines[skipped:] if line]
    if not texts:
        raise QcsError(f"'{path}' holds no numbers: it has no line but comments and empty ones")
    head = replace(blank, first=skipped)
    separator = max(_SEPARATORS, key=lambda mark: _score(head, texts[:_SCORED_ROWS], mark))
    rows = list(_told(head, _reader(texts, separator)))
    names, body = _header(rows, column)
    if not body:
        raise QcsError(f"'{path}' holds no line of numbers below its header, line {skipped + 1}")
    if _single_column_with_decimal_comma(path, skipped + 1, names, body, separator):
        separator, body = _NONE, [[",".join(row)] for row in body]
    names, width = _as_wide(names, body[0])
    if names and len(names) != width:
        raise QcsError(
            f"'{path}', line {skipped + 1}: the header has {len(names)} cells, the line after it {width}; "
            "give each column one name (if the comma is decimal, separate columns by ';' or write points)"
        )
    numeric = tuple(k for k in range(width) if _is_numeric([row[k] for row in body if k < len(row)]))
    if not numeric and not column:
        raise QcsError(f"'{path}', line {skipped + 1}: no column of numbers begins at '{_short(texts[0])}'")
    return replace(
        blank, separator=separator, names=names, width=width, numeric=numeric, first=skipped + (1 if names else 0)
    )


def read_column(table: TextTable, column: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the numbers of one column, NaN for gaps, and the line of each, counted from 1.

    An empty line between others is a gap. Raises QcsError that names the line for anything that is neither.
    """
    cells, numbers = [], array("q")
    for number, row in _rows(table):
        cells.append(row[column] if row else "")
        numbers.append(number)
    lines = np.frombuffer(numbers, np.int64)
    return _values(table, column, cells, lines), lines


def read_all(table: TextTable) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return every column (lines, columns), NaN for gaps, and the number of each line."""
    numbered = list(_rows(table))
    lines = np.array([number for number, _ in numbered], np.int64)
    columns = [
        _values(table, column, [row[column] if row else "" for _, row in numbered], lines)
        for column in range(table.width)
    ]
    return np.stack(columns, axis=1), lines


def _encoding(path: Path) -> tuple[str, str]:
    with path.open("rb") as file:
        head = file.read(1 << 16)
    newline = "\n" if b"\n" in head or b"\r" not in head else "\r"
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16", newline
    if head[1::2].count(0) > len(head) // 4:
        return "utf-16-le", newline
    if head[::2].count(0) > len(head) // 4:
        return "utf-16-be", newline
    if b"\0" in head:
        raise QcsError(f"'{path}' is no text: it holds zero bytes")
    try:
        head.decode("utf-8") if len(head) < 1 << 16 else head[: head.rindex(newline.encode()) + 1].decode("utf-8")
    except ValueError:
        return "cp1252", newline  # only words can differ: digits are the same in both
    return "utf-8", newline


def _opened(table: TextTable) -> TextIO:
    return table.path.open(encoding=table.encoding, errors="replace", newline=table.newline)


def _lines(file: TextIO) -> Iterator[str]:
    """Return lines without white space around them; "\\r\\r\\n" of a twice translated file is one end of line.

    Tabs stay: one at the edge is beside an empty cell.
    """
    return map(methodcaller("strip", " \r\n\ufeff"), file)


def _reader(lines: Iterable[str], separator: str) -> "CsvReader":
    """Return a reader of the cells of each line, [] for an empty one."""
    if separator == " ":
        lines = (" ".join(line.split()) for line in lines)
    return csv.reader(lines, delimiter=separator, skipinitialspace=True)


def _told(table: TextTable, reader: "CsvReader") -> Iterator[list[str]]:
    """Yield rows; what the csv module refuses becomes a QcsError with its line."""
    try:
        yield from reader
    except csv.Error as error:
        line = table.first + reader.line_num
        raise QcsError(f"'{table.path}', line {line} is no line of a table: {error}") from None


def _rows(table: TextTable) -> Iterator[tuple[int, list[str]]]:
    """Yield (line number, cells) of the lines of numbers; [] for an empty line between two of them."""
    begun = False
    empty: list[int] = []
    with _opened(table) as file:
        reader = _reader(islice(_lines(file), table.first, None), table.separator)
        for line, row in enumerate(_told(table, reader), start=table.first + 1):
            if reader.line_num != line - table.first:
                raise QcsError(f"'{table.path}', line {line}: a cell begins with a quote that its line does not close")
            if len(row) == table.width and row[0] and not empty:  # nearly every line
                begun = True
                yield line, row
            elif any(map(str.strip, row)):
                yield from ((number, []) for number in empty if begun)
                empty.clear()
                begun = True
                yield line, _checked(table, line, row)
            else:
                empty.append(line)


def _checked(table: TextTable, line: int, row: list[str]) -> list[str]:
    """Return a row that is as wide as the others, but for an empty cell that a separator at its end makes."""
    if len(row) == table.width or (len(row) == table.width + 1 and not row[-1].strip()):
        return row
    raise QcsError(f"'{table.path}', line {line} has {len(row)} cells, the lines before it {table.width}")


def _score(table: TextTable, lines: list[str], separator: str) -> tuple[int, int]:
    cells = [cell for row in _told(table, _reader(lines, separator)) for cell in row]
    numbers = sum(_is_number(cell) for cell in cells)
    return numbers, numbers - len(cells)


def _is_number(cell: str) -> bool:
    text = cell.strip()
    return bool(_POINT_NUMBER.fullmatch(text) or _COMMA_NUMBER.fullmatch(text))


def _is_numeric(cells: list[str]) -> bool:
    """Tell whether most cells are numbers: a word among them is found, with its line, when the column is read."""
    filled = [cell for cell in cells if cell.strip().lower() not in GAP_WORDS]
    numbers = sum(map(_is_number, filled))
    return numbers > 0 and 2 * numbers >= len(filled)


def _header(rows: list[list[str]], column: str) -> tuple[tuple[str, ...], list[list[str]]]:
    """Return the names in the first row, () if it is data already, and the rows of data."""
    first, body = rows[0], rows[1:]
    names = tuple(cell.strip() for cell in first)
    if not body:
        return ((), rows) if any(map(_is_number, first)) else (names, [])
    words = any(_is_word(cell, [row[k] for row in body if k < len(row)]) for k, cell in enumerate(names))
    named = column in names and not (column.isdecimal() and int(column) < len(body[0]))
    return (names, body) if words or named or _counts_up(names, body) else ((), rows)


def _is_word(cell: str, below: list[str]) -> bool:
    """Tell whether a first cell names what stands below it."""
    if cell.lower() in GAP_WORDS or _is_number(cell):
        return False
    return _is_numeric(below) or (
        not any(map(str.isdigit, cell)) and any(any(map(str.isdigit, text)) for text in below)
    )


def _counts_up(names: tuple[str, ...], body: list[list[str]]) -> bool:
    """Tell whether the first row is 0, 1, 2 …, as pandas numbers columns (after an empty name of its index)."""
    indexed = names[0] == ""
    numbers = names[1:] if indexed else names
    if not numbers or numbers != tuple(map(str, range(len(numbers)))):
        return False
    return indexed or len(numbers) > 2 or not any(cell.strip().isdecimal() for row in body for cell in row)


def _as_wide(names: tuple[str, ...], row: list[str]) -> tuple[tuple[str, ...], int]:
    """Return the names and the cells of a line, without the empty cell that a separator at an end of line makes."""
    if len(names) == len(row) + 1 and names[-1] == "":
        return names[:-1], len(row)
    if len(row) == len(names) + 1 and row[-1].strip() == "":
        return names, len(names)
    return names, len(row)


def _single_column_with_decimal_comma(
    path: Path, line: int, names: tuple[str, ...], body: list[list[str]], separator: str
) -> bool:
    """Tell whether every line is one number such as −0,00126, of which the separator "," made two cells.

    Certain if there is one name for the two, and a cell that no whole number is written as: −0, or 00126.
    """
    if separator != "," or len(names) > 1:
        return False
    texts = [",".join(row) for row in body]
    if not all(_COMMA_NUMBER.fullmatch(text) or text.lstrip("+-").isdecimal() for text in texts):
        return False
    if not any(re.match(r"[+-]0,|[+-]?\d+,0\d", text) for text in texts):
        return False
    if not names:
        raise QcsError(
            f"'{path}', line {line}: '{texts[0]}' looks like one number with a decimal comma, or like two columns; "
            "write points, or give a header line with the name of each column"
        )
    return True


def _values(table: TextTable, column: int, cells: list[str], lines: NDArray[np.int64]) -> NDArray[np.float64]:
    try:
        values = np.array(list(map(float, cells)), np.float64)
        if not any("_" in cell for cell in cells):  # 1_000 is a number in Python alone
            return values
    except ValueError:
        pass
    decimal = "," if _comma_is_decimal(table, column, cells, lines) else "."
    pattern = _COMMA_NUMBER if decimal == "," else _POINT_NUMBER
    values = np.empty(len(cells))
    for k, cell in enumerate(cells):
        text = cell.strip()
        if pattern.fullmatch(text) or _POINT_NUMBER.fullmatch(text):
            values[k] = float(text.replace(decimal, "."))
        elif text.lower() in GAP_WORDS:
            values[k] = np.nan
        elif text.lower().lstrip("+-") in {"inf", "infinity"}:
            values[k] = float(text)
        else:
            raise QcsError(f"{table.place(int(lines[k]), column)}: '{_short(text)}' is not a number")
    return values


def _comma_is_decimal(table: TextTable, column: int, cells: list[str], lines: NDArray[np.int64]) -> bool:
    """Tell whether commas in a column are decimal; refuse what mixes points and commas, or may be thousands."""
    commas = [k for k, cell in enumerate(cells) if _COMMA_NUMBER.fullmatch(cell.strip())]
    if not commas:
        return False
    where = table.place(int(lines[commas[0]]), column)
    if any("." in cell and _is_number(cell) for cell in cells):
        raise QcsError(
            f"{where}: '{cells[commas[0]].strip()}' has a comma, other lines a point; write points throughout"
        )
    if table.separator != ";" and all(_THOUSANDS.fullmatch(cells[k].strip()) for k in commas):
        raise QcsError(
            f"{where}: the comma of '{cells[commas[0]].strip()}' may be decimal or part thousands; write points"
        )
    return True


def _short(text: str) -> str:
    return text if len(text) <= 30 else f"{text[:29]}…"
