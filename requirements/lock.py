"""Write the lock of the Python that runs this: requirements/pyXYZ.txt, every package with version and hash.

`make lock PYTHON=python3.12` does it, once per Python version, on Linux x86-64: pip resolves the extra `dev` of
pyproject.toml to wheels alone, and says which file it would take. Nothing is installed.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
HEAD = "# Made by `make lock`. Installed by `make` on Linux x86-64 with --require-hashes.\n"
COMMAND = "install --quiet --dry-run --ignore-installed --only-binary :all: --report - .[dev]"


def lines(report: dict[str, Any]) -> list[str]:
    """Return one line per package of pip's installation report, in alphabetical order; the kit itself has none."""
    found = []
    for item in report["install"]:
        name, version = item["metadata"]["name"], item["metadata"]["version"]
        if name != "qcskit":
            sha256 = item["download_info"]["archive_info"]["hashes"]["sha256"]
            found.append(f"{name}=={version} --hash=sha256:{sha256}\n")
    return sorted(found, key=str.casefold)


def main() -> None:
    """Ask pip, with no settings of the user's, and write the file."""
    env = {**os.environ, "PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": ""}
    command = [sys.executable, "-m", "pip", *COMMAND.split()]
    answer = subprocess.run(command, cwd=HERE.parent, env=env, check=True, stdout=subprocess.PIPE).stdout
    lock = HERE / f"py{sys.version_info.major}{sys.version_info.minor}.txt"
    lock.write_text(HEAD + "".join(lines(json.loads(answer))), encoding="utf-8")


if __name__ == "__main__":
    main()
