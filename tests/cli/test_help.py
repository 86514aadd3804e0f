"""What `--help` and `--keys` print is what was written: square brackets are names of tables here, not markup."""

import pytest
from typer.testing import CliRunner

from qcskit.cli import build_app


def printed(*arguments: str) -> str:
    done = CliRunner().invoke(build_app(), arguments, env={"COLUMNS": "200", "TERM": "dumb"})
    assert done.exit_code == 0, done.output
    return " ".join(done.output.split())


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("sweep", "--help"), "Keys of [sweep]"),
        (("train", "--help"), "Keys of [signal] and [train]"),
        (("hil", "--keys"), "Keys of [hil]"),
        (("export", "--help"), "the coded scheme of table [coded]"),
        (("sweep", "--keys"), "variants of [train], or classical codecs by name"),
        (("sweep", "--keys"), "[n, m, s] triples"),
        (("train", "--keys"), "Keys of [signal]"),
    ],
)
def test_names_of_tables_are_printed(arguments: tuple[str, ...], text: str) -> None:
    assert text in printed(*arguments)
