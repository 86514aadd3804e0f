"""C text of random encoder tables, for tests that need a firmware: not a test itself."""

from pathlib import Path

from qcskit.codec.integer import EncoderTables
from qcskit.export import c_text


def write_model(c_dir: Path, name: str, tables: EncoderTables) -> None:
    """Write qcs_model_<name>.h and .c as the exporter does: tables in every form of qcs_layout.h."""
    c_dir.mkdir(parents=True, exist_ok=True)
    (c_dir / f"qcs_model_{name}.h").write_text(c_text.model_header(name, tables))
    (c_dir / f"qcs_model_{name}.c").write_text(c_text.model_source(name, tables))
