"""Libraries written to disk, compiled and linked, for tests of packages."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from qcskit.codec.bundle import read_bundle
from qcskit.export.packages import PackageConfig, package_files, write_package
from qcskit.firmware import sources

GOLDEN = Path(__file__).parents[1] / "data" / "golden"
WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror")


def library(root: Path, *bundles: Path, kind: str = "plain", agent: bool = False, **config: str) -> Path:
    """Write the library of some bundles below `root` and return its folder, which bears the library's name."""
    models = [read_bundle(bundle) for bundle in bundles]
    files = package_files(models, kind, sources(), agent=agent, config=PackageConfig(**config))
    path = root / (config.get("lib_name") or f"qcs_{models[0].manifest.name}")
    write_package(path, files)
    return path


def compiled(command: Sequence[str], files: Sequence[Path], out: Path) -> list[Path]:
    """Compile C files to objects in folder `out` and return them. The compiler's words are the assertion's."""
    out.mkdir(parents=True, exist_ok=True)
    done = subprocess.run([*command, "-c", *map(str, files)], cwd=out, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return sorted(out.glob("*.o"))


def symbols(objects: Sequence[Path], nm: str = "nm") -> tuple[set[str], set[str]]:
    """Return what objects define for others, and what they want of others."""
    told = subprocess.run([nm, "-g", *map(str, objects)], capture_output=True, text=True, check=True).stdout
    found = re.findall(r"^[0-9a-f ]* ([A-Zvw]) (\S+)$", told, re.MULTILINE)
    defined = {name for kind, name in found if kind != "U"}
    return defined, {name for kind, name in found if kind == "U"} - defined


def present(*tools: str) -> list[str]:
    """Return those tools that this machine has."""
    return [tool for tool in tools if shutil.which(tool)]
