"""An installation without its C sources says so."""

from pathlib import Path

import pytest

from qcskit.firmware import FirmwareError, sources


def test_an_installation_without_the_c_sources_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "qcskit" / "firmware"
    (package / "c" / "include").mkdir(parents=True)
    (package / "c" / "include" / "qcs.h").touch()
    monkeypatch.setitem(sources.__globals__, "__file__", str(package / "sources.py"))
    with pytest.raises(FirmwareError, match=rf"^the C sources are missing beside '{package}'; reinstall qcskit$"):
        sources()
    (package / "c" / "src").mkdir()
    assert sources() == package / "c"
