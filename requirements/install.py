"""Set up a virtual environment for working on the kit: `python requirements/install.py .venv`.

On Linux x86-64 it holds what the lock of this Python says, each file checked by its hash, and the kit itself as it lies
here. Elsewhere, and with a Python that has no lock, pip chooses within the ranges of pyproject.toml. Nothing happens,
and no network is asked, if what the environment was made of has not changed.
"""

import hashlib
import platform
import subprocess
import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
INSTALLED = ("build-system", "project")
"""Tables of pyproject.toml that say what is installed; the rest is settings of tools."""


def made_of(lock: Path | None) -> str:
    """Return a digest of all that an environment is made of: this Python, lock, what pyproject.toml asks for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    parts = [sys.version, *(repr(project[table]) for table in INSTALLED), repr(project["tool"]["hatch"])]
    parts.append(lock.read_text(encoding="utf-8") if lock else "")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def lock_of_this_python() -> Path | None:
    """Return the lock that fits this machine and Python; None: there is none."""
    lock = HERE / f"py{sys.version_info.major}{sys.version_info.minor}.txt"
    return lock if lock.exists() and (sys.platform, platform.machine()) == ("linux", "x86_64") else None


def main(venv: Path) -> None:
    """Make `venv` hold what the kit needs; its file .installed says what it was made of."""
    lock, stamp = lock_of_this_python(), venv / ".installed"
    digest = made_of(lock)
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != digest:
        stamp.unlink(missing_ok=True)
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        python = venv / ("Scripts" if sys.platform == "win32" else "bin") / "python"
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        if lock:
            subprocess.run([*install, "--require-hashes", "--only-binary", ":all:", "-r", str(lock)], check=True)
            subprocess.run([*install, "--no-deps", "--no-build-isolation", "--editable", str(ROOT)], check=True)
        else:
            here = f"Python {platform.python_version()} on {sys.platform}, {platform.machine()}"
            print(f"install: no lock for {here}; pip chooses", flush=True)
            subprocess.run([*install, "--editable", f"{ROOT}[dev]"], check=True)
        stamp.write_text(digest, encoding="utf-8")
    stamp.touch()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
