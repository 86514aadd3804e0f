"""Make `tests/data/packages`: every text of a library that is not the core's or a table's, as it is written.

A file per library: its files in order; of C that is the core's or a table's, or stands in another library too, the name
alone. If a text was meant to change, run this, and read what changed as a user would. Run from the repository root:
python tests/data/make_packages.py
"""

import re
import sys
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from qcskit.codec.bundle import read_bundle  # noqa: E402
from qcskit.export.packages import KINDS, MARKER, PackageConfig, package_files  # noqa: E402
from qcskit.firmware import sources  # noqa: E402

OWNED = {"version": "1.2.3-rc.1+5", "license": "MIT", "author": "Ada & Löve <ada@example.org>",
         "url": "https://example.org/a?b=1&c", "lib_name": "acme_ecg"}  # fmt: skip
LIBRARIES: dict[str, dict[str, Any]] = {
    **{kind: {"kind": kind, "models": ("small", "klt_range"), "owner": OWNED, "c": kind == "plain"} for kind in KINDS},
    "arduino-agent": {"kind": "arduino", "models": ("small",), "agent": True, "owner": {}},
    "plain-lossless": {"kind": "plain", "models": ("lossless",), "owner": {"author": "Ada", "license": "LicenseRef-X"}},
    "plain-coded": {"kind": "plain", "models": ("coded_3",), "owner": {}},
}  # fmt: skip
_LICENCE = "TERMS AND CONDITIONS"


def texts(kind: str, models: tuple[str, ...], owner: dict[str, str], agent: bool = False, c: bool = True) -> str:
    """Return the texts of a library, one behind the other."""
    bundles = [read_bundle(HERE / "bundle" if name == "small" else HERE / "golden" / name) for name in models]
    files = package_files(bundles, kind, sources(), agent=agent, config=PackageConfig(**owner))
    del files[MARKER]  # digests of the others
    parts = [f"==== {name}\n{_shown(name, content, c)}" for name, content in files.items()]
    return "".join(parts).replace(f"qcskit {version('qcskit')}", "qcskit <kit>")


def _shown(name: str, content: bytes, c: bool) -> str:
    if name.endswith(".pack"):
        with ZipFile(BytesIO(content)) as archive:
            return "".join(
                f"{entry.filename} {entry.date_time} {entry.compress_type}\n" for entry in archive.infolist()
            )
    told = re.search(r"qcs_names|qcs_self_test_|qcs_model_\w+\.h$", name) if "/core/" in name else True
    if name.endswith((".c", ".h")) and not name.endswith("main.c") and not (c and told):
        return ""
    text = content.decode()
    return text.partition(_LICENCE)[0] if name == "LICENSE" else text


def main() -> None:
    """Write all."""
    for name, library in LIBRARIES.items():
        (HERE / "packages" / f"{name}.txt").write_text(texts(**library), encoding="utf-8")


if __name__ == "__main__":
    main()
