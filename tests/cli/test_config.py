"""`qcskit config`: the schema that editors check a qcs.toml with says what the models say."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from qcskit.cli import build_app
from qcskit.cli.common import model_of
from qcskit.codec.config import tables
from qcskit.codec.errors import QcsError

runner = CliRunner()


@pytest.fixture(scope="module")
def schema() -> Any:
    """The schema as it is printed."""
    return json.loads(runner.invoke(build_app(), ["config", "--schema"], catch_exceptions=False).stdout)


def test_the_schema_has_every_table_and_every_key_and_refuses_others(schema: Any) -> None:
    found = {table: list(part["properties"]) for table, part in schema["properties"].items()}
    assert found == {table: list(model_of(table).model_fields) for table in tables()}
    assert not schema["additionalProperties"]
    assert not any(part["additionalProperties"] or "required" in part for part in schema["properties"].values())


def test_what_the_schema_refers_to_is_in_it(schema: Any) -> None:
    def references(part: Any) -> list[str]:
        if isinstance(part, list):
            return [found for entry in part for found in references(entry)]
        if not isinstance(part, dict):
            return []
        return [part["$ref"]] if "$ref" in part else [found for entry in part.values() for found in references(entry)]

    for reference in references(schema):
        assert reference.removeprefix("#/$defs/") in schema["$defs"]


def test_a_key_has_its_limits_and_words(schema: Any) -> None:
    assert schema["properties"]["train"]["properties"]["levels"] == {
        "default": 8, "description": "I, quantizer levels per EncNet output", "maximum": 256, "minimum": 2,
        "title": "Levels", "type": "integer",
    }  # fmt: skip


def test_a_table_that_is_none_names_the_nearest() -> None:
    done = runner.invoke(build_app(), ["config", "trian"])
    assert isinstance(done.exception, QcsError)
    assert "there is no table [trian]; did you mean 'train'?" in str(done.exception)


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("qcskit design ce-usq-o", ["ce-usq-omp", "ce-usq-omp-residual"]),
        ("qcskit hil --port emu:cortex-m5", ["emu:cortex-m55"]),
        ("qcskit simulate --boards rv", ["rv32"]),
        ("qcskit train -s train.enc", ["train.encoder_activation=", "train.encoder_widths="]),
        ("qcskit decode --in np", ["npy", "npz"]),
        ("qcskit train --variant hard-su", ["hard-surrogate"]),
        ("qcskit export --to zeph", ["zephyr"]),
    ],
)
def test_a_shell_offers_what_there_is(words: str, offered: list[str]) -> None:
    asked = {"_QCSKIT_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
    done = runner.invoke(build_app(), [], prog_name="qcskit", env=asked)
    assert sorted(done.stdout.split()) == offered
