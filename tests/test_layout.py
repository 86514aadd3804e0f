"""The repository's own rules: namespace roots, and who loads what."""

import subprocess
import sys
from pathlib import Path

import pytest

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


def test_every_configuration_table_has_unique_documented_keys() -> None:
    pytest.importorskip("tensorflow", reason="needs the extra 'train': pip install 'qcskit[train]'")
    from qcskit.codec.signal import SignalConfig
    from qcskit.export.config import ExportConfig
    from qcskit.firmware_sim.config import SimulateConfig
    from qcskit.hil.config import HilConfig
    from qcskit.training.config import TrainConfig

    for table in (SignalConfig, TrainConfig, ExportConfig, SimulateConfig, HilConfig):
        for name, field in table.model_fields.items():
            assert field.description, f"{table.__name__}.{name} has no description"
