"""The repository's own rules: namespace roots, and who loads what."""

import ast
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from qcskit.cli.common import model_of
from qcskit.codec.config import tables

ROOT = Path(__file__).parents[1]
COMPONENTS = ("hil", "firmware_sim", "firmware", "codec", "cli")


def test_the_namespace_has_no_init_file() -> None:
    assert not list(ROOT.glob("*/qcskit/__init__.py"))


@pytest.mark.parametrize("component", COMPONENTS)
def test_every_module_of_these_loads_without_tensorflow(component: str, source_env: dict[str, str]) -> None:
    script = (
        "import importlib, pkgutil, sys\n"
        f"package = importlib.import_module('qcskit.{component}')\n"
        "for item in pkgutil.walk_packages(package.__path__, package.__name__ + '.'):\n"
        "    if item.name.endswith('__main__') or item.name.endswith('pytest_plugin'): continue\n"
        "    importlib.import_module(item.name)\n"
        "print([name for name in ('tensorflow', 'keras') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=source_env, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("table", tables())
def test_every_key_of_a_configuration_table_has_its_own_description(table: str) -> None:
    described = [field.description for field in model_of(table).model_fields.values()]
    assert all(described)
    assert len(set(described)) == len(described)


FAMILIES = ("learned", "coded", "classical", "transform", "sparse")
"""Words of the kit's own families; a family's name is known in its rooms and in the registry alone."""


def outside_the_rooms() -> list[Path]:
    """Every module of the packages but those of the families' rooms, the registry and the names of extras."""
    rooms = {root / "qcskit" / root.name / kind for root in ROOT.iterdir() for kind in FAMILIES}
    free = {ROOT / "codec" / "qcskit" / "codec" / name for name in ("codecs.py", "optional.py")}
    return [file for file in sorted(ROOT.glob("*/qcskit/**/*.py")) if not rooms & {*file.parents} and file not in free]


def found(look: Callable[[ast.AST], bool]) -> list[str]:
    """Return path:line of every node for which `look` is true."""
    places = []
    for file in outside_the_rooms():
        nodes = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        places += [f"{file.relative_to(ROOT)}:{node.lineno}" for node in nodes if look(node)]  # type: ignore[attr-defined]
    return places


def test_nobody_outside_its_room_names_a_family() -> None:
    assert found(lambda node: isinstance(node, ast.Constant) and node.value in FAMILIES) == []


def test_nobody_outside_its_room_asks_what_a_codec_is() -> None:
    asks = {"hasattr", "getattr", "isinstance", "type"}
    subjects = {"codec", "tables", "facts", "bundle", "model"}

    def asks_one(node: ast.AST) -> bool:
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in asks and node.args):
            return False
        subject = node.args[0]
        name = subject.attr if isinstance(subject, ast.Attribute) else getattr(subject, "id", "")
        return name in subjects

    assert found(asks_one) == []


def test_who_makes_learned_codecs_alone_imports_from_their_room() -> None:
    """Training, the export of models (a verb and a function), and `inspect` of a .tflite that is no bundle."""
    rooms = tuple(f"qcskit.{package}.{kind}" for package in ("codec", "export", "training") for kind in FAMILIES)
    importing = found(lambda node: isinstance(node, ast.ImportFrom) and (node.module or "").startswith(rooms))
    files = {Path(place.partition(":")[0]) for place in importing}
    allowed = {Path(f"{place}.py") for place in ("cli/qcskit/cli/export", "cli/qcskit/cli/inspect")}
    allowed.add(Path("export/qcskit/export/__init__.py"))
    assert {file for file in files if file.parts[0] != "training"} <= allowed


def test_a_record_is_frozen_but_for_those_that_count() -> None:
    """What is handed about does not change; these are the notes of whoever holds them."""
    texts = [file.read_text(encoding="utf-8") for file in sorted(ROOT.glob("*/qcskit/**/*.py"))]
    records = [found for text in texts for found in re.findall(r"@dataclass(.*)\n\s*class (\w+)", text)]
    assert len(records) > 100
    changing = {name for options, name in records if "frozen=True" not in options}
    assert changing == {"HostCounts", "Reader", "Run", "Slot", "State", "Workers", "_Draft", "_Pending"}
