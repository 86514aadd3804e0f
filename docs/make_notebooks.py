"""Run docs/notebooks/*.ipynb and keep what they print and draw: python docs/make_notebooks.py [NAME …]"""

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).parent / "notebooks"


def run(path: Path, folder: Path) -> nbformat.NotebookNode:
    """Return a notebook with fresh outputs, run in a folder. Raises CellExecutionError at the first cell that fails."""
    notebook = nbformat.read(path, as_version=4)
    commands = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # !qcskit is this one
    environment = {**os.environ, "PATH": commands}
    client = NotebookClient(notebook, timeout=300, record_timing=False, resources={"metadata": {"path": str(folder)}})
    client.execute(env=environment)
    for cell in notebook.cells:
        if cell.cell_type == "code":  # what libraries say on stderr is about this machine
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    return notebook


if __name__ == "__main__":
    for name in sys.argv[1:] or sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb")):
        with TemporaryDirectory() as folder:
            nbformat.write(run(NOTEBOOKS / f"{name}.ipynb", Path(folder)), NOTEBOOKS / f"{name}.ipynb")
