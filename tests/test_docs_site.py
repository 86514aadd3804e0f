"""The documentation site: builds without a warning, needs no network, and its reference says what the code says."""

import doctest
import re
import runpy
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from qcskit.cli import _VERBS
from qcskit.cli.common import model_of
from qcskit.codec.config import tables
from qcskit.hil.schema import Results

pytest.importorskip("mkdocs", reason="needs the extra 'docs': pip install 'qcskit[docs]'")
ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "docs" / place) for place in ("", "site")]
blocks, pages = (import_module(name) for name in ("blocks", "pages"))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, source_env: dict[str, str]) -> SimpleNamespace:
    """The built site, and what MkDocs said."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, env=source_env, capture_output=True, text=True, check=False, timeout=120)
    return SimpleNamespace(folder=folder, code=done.returncode, said=done.stderr)


def test_it_builds_without_a_warning_and_every_link_leads_somewhere(site: SimpleNamespace) -> None:
    assert site.code == 0, site.said
    assert [line for line in site.said.splitlines() if line.startswith("WARNING")] == []


def test_it_is_read_without_a_network(site: SimpleNamespace) -> None:
    loads = re.compile(r'<(?:script|img|iframe)[^>]+src="https?:|<link[^>]+href="https?:|@import|url\(https?:')
    files = [file for file in site.folder.rglob("*") if file.suffix in (".html", ".css")]
    assert len(files) > 30
    assert [file.name for file in files if loads.search(file.read_text(encoding="utf-8"))] == []


def test_every_command_and_option_is_in_the_reference() -> None:
    page = pages.command_line()
    assert [verb for verb in _VERBS if f"\n## {verb}\n" not in page] == []
    assert all(f"`{option}`" in page for option in ("--set", "--nmse-db", "--oracle-vectors"))
    assert re.findall(r"^\| `--[^|]*\| [^|]* \|  \|$", page, re.MULTILINE) == []


def test_every_key_is_in_the_reference_with_its_meaning() -> None:
    page = pages.configuration()
    for table in tables():
        section = page.partition(f"## {table}\n")[2].partition("\n## ")[0]
        rows = dict(re.findall(r"^\| `(\w+)`\*? \|.*(?<!\\)\| (.*) \|$", section, re.MULTILINE))
        assert rows.keys() == model_of(table).model_fields.keys(), table
        assert all(rows.values()), table


def test_the_headers_and_the_files_are_in_the_reference() -> None:
    c, files = pages.c_interface(), pages.schemas()
    headers = [*ROOT.glob("firmware/include/*.h"), *ROOT.glob("firmware/app/*.h")]
    assert [header.name for header in headers if f"## {header.name}\n" not in c] == []
    assert "uint16_t qcs_small_encode(" in c
    assert "SPDX" not in c
    assert [key for key in Results.model_fields if f"| `{key}` |" not in files] == []


def test_the_pictures_are_drawn_and_shown(tmp_path: Path) -> None:
    """All but the one that needs TensorFlow: a change of tables or protocol that they do not follow shows here."""
    maker = runpy.run_path(str(ROOT / "docs" / "make_figures.py"))
    shown = re.findall(r"\(figures/concept_(\w+)\.svg\)", (ROOT / "docs" / "concepts.md").read_text(encoding="utf-8"))
    assert sorted(shown) == sorted(maker["PICTURES"])
    assert all((ROOT / "docs" / "figures" / f"concept_{name}.svg").is_file() for name in shown)
    light = {name: make for name, make in maker["PICTURES"].items() if name != "annealing"}
    maker["draw"](tmp_path, light)
    assert len(list(tmp_path.glob("*.svg"))) == len(light)


@pytest.mark.parametrize("module", [blocks, pages])
def test_the_examples_of_the_makers_hold(module: ModuleType) -> None:
    found = doctest.testmod(module)
    assert found.attempted > 0
    assert found.failed == 0


def test_every_measured_row_is_on_its_page() -> None:
    page = pages.measured()
    for path in (ROOT / "docs" / "figures").glob("*.json"):
        section = page.partition(f"## {path.stem}\n")[2].partition("\n## ")[0]
        rows = len(pages.json.loads(path.read_text())["rows"])
        assert section.count("    | ") == rows + 1, path.stem
        assert "`python benchmarks/" in section
