"""The Python interface: what is public, what a type checker of a user's project sees, and its reference page."""

import ast
import importlib
import runpy
import shutil
import subprocess
import sys
import tomllib
import venv
from collections.abc import Callable
from pathlib import Path
from pkgutil import resolve_name

import griffe
import pytest

ROOT = Path(__file__).parents[1]
PUBLIC = {
    "codec": {
        "Bundle", "Codec", "Packets", "QcsError", "load_packets", "metrics", "open_codec", "read_bundle",
        "save_packets",
    },
    "training": {"AnnealSHQ", "SHQ"},
    "export": {"ExportConfig", "export_model"},
    "firmware_sim": {"simulate"},
    "hil": {"Device"},
}  # fmt: skip
"""What the interface promises. Adding a name is fine; taking one away breaks programs of users."""
HEAVY = ("numpy", "scipy", "pydantic", "serial", "tensorflow", "keras", "qcskit.codec.bundle", "qcskit.hil.device")


def source(package: str) -> ast.Module:
    """Return the parsed __init__.py of a package."""
    return ast.parse((ROOT / package / "qcskit" / package / "__init__.py").read_text(encoding="utf-8"))


def seen_by_type_checkers(package: str) -> dict[str, str]:
    """Return name → "module:name" (a module's own: "module") of the imports below TYPE_CHECKING."""
    imports = [node for node in ast.walk(source(package)) if isinstance(node, ast.ImportFrom)]
    own = f"qcskit.{package}"
    named = [(node.module or "", alias.name) for node in imports for alias in node.names]
    return {
        name: f"{own}.{name}" if module == own else f"{module}:{name}"
        for module, name in named
        if module.startswith("qcskit.") and not module.endswith(".lazy")
    }


@pytest.mark.parametrize("package", PUBLIC)
def test_what_is_public_is_what_type_checkers_see(package: str) -> None:
    module = importlib.import_module(f"qcskit.{package}")
    assert set(module.__all__) >= PUBLIC[package]
    assert {*module.__all__} == seen_by_type_checkers(package).keys()
    assert {*module.__all__} <= {*dir(module)}


@pytest.mark.parametrize("package", ["codec", "firmware_sim", "hil"])
def test_what_is_loaded_is_what_type_checkers_see(package: str) -> None:
    module = importlib.import_module(f"qcskit.{package}")
    for name, place in seen_by_type_checkers(package).items():
        assert getattr(module, name) is resolve_name(place)


def test_packages_are_light_until_a_name_is_used(source_env: dict[str, str]) -> None:
    script = (
        "import sys\n"
        f"import {', '.join(f'qcskit.{package}' for package in PUBLIC)}\n"
        f"print([name for name in {HEAVY} if name in sys.modules])\n"
        "from qcskit.codec import *\n"
        "from qcskit.hil import *\n"
        "from qcskit.firmware_sim import *\n"
        "print(open_codec.__name__, [name for name in ('tensorflow', 'keras') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=source_env, check=False)
    assert done.stdout.splitlines() == ["[]", "open_codec []"], done.stderr


USER = """
from pathlib import Path

from qcskit.codec import load_packets, metrics, open_codec, opencodec, read_bundle  # has no attribute "opencodec"
from qcskit.export import AdcConfig, ExportConfig, export_model
from qcskit.firmware_sim import SimulateConfig
from qcskit.hil import Device
from qcskit.training import SHQ, SQH, AnnealSHQ  # has no attribute "SQH"

ExportConfig(finetune_steps=0)
AdcConfig(bits=12)
SimulateConfig(vectors=10)
reveal_type(open_codec(Path("bundle")))  # "qcskit.codec.interface.Codec"
reveal_type(open_codec("bundle").encode([[1.0]]))  # "qcskit.codec.interface.Packets"
reveal_type(read_bundle("bundle").manifest.nmse.deployed_db)  # "float | None"
reveal_type(load_packets("packets.bin", open_codec("bundle")))  # "qcskit.codec.interface.Packets"
reveal_type(metrics.nmse_db([1.0], [1.0]))  # "float"
reveal_type(Device.open("emu:native", "bundle", timeout_s=2.0))  # "qcskit.hil.device.Device"
reveal_type(SHQ)  # -> qcskit.training.shq.SHQ"
reveal_type(AnnealSHQ)  # -> qcskit.training.anneal.AnnealSHQ"
reveal_type(export_model)  # out: str | pathlib.Path
open_codec("bundle").encode_counts("wrong")  # incompatible type "str"
Device.open("emu:native", patience_s=1)  # Unexpected keyword argument "patience_s"
"""
"""A user's program; behind # what mypy must say of a line. Of the others it must say nothing."""


Told = Callable[[Path], dict[int, tuple[str, str]]]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """Return a function: the Python that has the kit → line → (what mypy must say of it, what it says)."""
    folder = tmp_path_factory.mktemp("user")
    (folder / "user.py").write_text(USER, encoding="utf-8")

    def call(python: Path) -> dict[int, tuple[str, str]]:
        command = [sys.executable, "-m", "mypy", "--strict", "--python-executable", str(python), "user.py"]
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
        said: dict[int, str] = {}
        for line in done.stdout.splitlines():
            if line.startswith("user.py:"):
                _, number, text = line.split(":", 2)
                said[int(number)] = said.get(int(number), "") + text
        assert said, done.stdout + done.stderr
        lines = enumerate((line.partition("  # ")[2] for line in USER.splitlines()), 1)
        return {number: (must, said.get(number, "")) for number, must in lines}

    return call


def not_told(lines: dict[int, tuple[str, str]]) -> dict[int, tuple[str, str]]:
    """Return the lines of which mypy says another thing."""
    return {
        number: (must, says) for number, (must, says) in lines.items() if must not in says or bool(must) != bool(says)
    }


def test_a_type_checker_sees_the_kit_installed_as_editable(told: Told) -> None:
    assert not_told(told(Path(sys.executable))) == {}


def test_a_type_checker_sees_the_kit_installed_from_a_wheel(told: Told, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", symlinks=True)
    (site,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    for root in wheel["packages"]:  # as hatch lays them out
        shutil.copytree(ROOT / root, site / "qcskit", dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    (site / "libraries.pth").write_text(str(Path(griffe.__file__).parents[1]))
    assert not_told(told(tmp_path / "venv" / "bin" / "python")) == {}


MAKER = runpy.run_path(str(ROOT / "docs" / "make_api.py"))


@pytest.fixture(scope="module")
def packages() -> list[griffe.Object]:
    """What the page is made of."""
    return list(MAKER["packages"]())


def test_every_public_name_has_an_example(packages: list[griffe.Object]) -> None:
    assert {package.name for package in packages} == PUBLIC.keys()
    members = [member for package in packages for member in MAKER["public"](package)]
    promised = [member for member in members if any(member.name in names for names in PUBLIC.values())]
    assert [member.path for member in promised if not (member.docstring and ">>> " in member.docstring.value)] == []


def test_the_reference_page_says_what_the_docstrings_say(packages: list[griffe.Object]) -> None:
    told = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    assert told == MAKER["page"](packages), "run: python docs/make_api.py"
