"""The notebooks of docs/ run from beginning to end, and say what they said when they were committed."""

import re
import runpy
from pathlib import Path

import nbformat
import pytest

MAKER = runpy.run_path(str(Path(__file__).parents[1] / "docs" / "make_notebooks.py"))
NOTEBOOKS = sorted(MAKER["NOTEBOOKS"].glob("*.ipynb"))
TOLERANCE = {"own_model": 0.1}
"""By how much the numbers of a notebook may differ, relative; trained ones do on other processors."""
_HEX = re.compile(r"\b[0-9a-f]{12,}\b")
_NUMBER = re.compile(r"(?<![\w.])[-+]?\d[\d,]*\.?\d*(?:e[-+]?\d+)?")


def said(cell: nbformat.NotebookNode) -> tuple[str, list[float], int]:
    """Return what a cell printed, in words, in numbers, and how many pictures."""
    outputs = cell.get("outputs", [])
    texts = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in outputs]
    text = _HEX.sub("HEX", "".join(texts))
    numbers = [float(number.replace(",", "")) for number in _NUMBER.findall(text)]
    pictures = sum("image/png" in output.get("data", {}) for output in outputs)
    return " ".join(_NUMBER.sub("NUMBER", text).split()), numbers, pictures


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_says_what_it_said(path: Path, tmp_path: Path) -> None:
    committed, fresh = nbformat.read(path, as_version=4), MAKER["run"](path, tmp_path)
    assert any(said(cell)[0] for cell in committed.cells), "run: make docs"
    for number, (before, after) in enumerate(zip(committed.cells, fresh.cells, strict=True)):
        words, numbers, pictures = said(before)
        assert said(after)[::2] == (words, pictures), f"cell {number}; if that is meant, run: make docs"
        assert said(after)[1] == pytest.approx(numbers, rel=TOLERANCE.get(path.stem, 0.05)), f"cell {number}"
