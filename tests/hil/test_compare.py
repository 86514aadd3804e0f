"""Results files that are none, or of another schema."""

import json
from pathlib import Path

import pytest

from qcskit.codec.errors import QcsError
from qcskit.hil.compare import read_results


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{", "cannot be read"),
        ("[]", "is not a results file of 'qcskit hil'"),
        (json.dumps({"kind": "hil", "schema_version": 1}), "schema version 1, this qcskit reads 2; run 'qcskit hil'"),
    ],
)
def test_what_is_no_results_file_is_told(tmp_path: Path, content: str, told: str) -> None:
    path = tmp_path / "r.json"
    path.write_text(content)
    with pytest.raises(QcsError, match=told):
        read_results(path)
