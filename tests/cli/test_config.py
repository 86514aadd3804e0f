"""`qcskit config`: the schema that editors check a qcs.toml with says what the models say."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from qcskit.cli import build_app
from qcskit.cli.common import _allowed, model_of
from qcskit.codec.config import tables
from qcskit.codec.errors import QcsError

runner = CliRunner()
DEFAULTS = Path(__file__).parents[1] / "data" / "defaults.json"


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


LIMITS = {
    "signal": "n >= 1, m >= 1, s >= 1, noise_variance >= 0, recording_hop >= 1, matrix_seed >= 0",
    "adc": "bits >= 8 <= 16, offset_counts >= -2147483647 <= 2147483647, units_per_count > 0, unit length <= 16",
    "train": "levels >= 2 <= 256, outputs >= 1, rate > 0, encoder_widths each > 0, decoder_widths each > 0, "
    "decoder_hidden >= 0, decoder_factor >= 1, level_sum > 0, shift_span > 0, steps >= 10 <= 1000000000, "
    "length > 0 <= 1000000.0, batch >= 1, train_frames >= 0, batches each > 0, seed >= 0 <= 4294967295, "
    "newton_schulz_steps >= 1 <= 10, weight_rate > 0, bias_rate > 0, "
    "level_rate >= 0, final_rate > 0, warmup_steps >= 0, steepness_start > 0, steepness_end > 0, steepness_slope >= 0, "
    "steepness_hold >= 1, steepness_share > 0 <= 1, steepness_stairs >= 0, mix_start >= 0 <= 1, mix_end >= 0 <= 1, "
    "mix_share > 0 <= 1, mix_slope >= 0, hard_fraction >= 0 < 1, patience >= 0, validation_frames >= 100, "
    "test_frames >= 100",
    "export": "input_quantiles items >= 1 each > 0.5 each <= 1.0, hidden_ranges items >= 1 each > 1e-06 each < "
    "1000000.0, last_ranges items >= 1 each > 1e-06 each < 1000000.0, relu_ranges items >= 1 each > 1e-06 each < "
    "1000000.0, calibration_frames >= 100, finetune_steps >= 0, finetune_rate > 0, golden_frames >= 1 <= 10000, "
    "test_frames >= 100, test_windows >= 0 <= 100000",
    "package": "version length <= 50, license length <= 60, author length <= 80, url length <= 250",
    "simulate": "vectors >= 1, seed >= 0 < 9223372036854775808, oracle_vectors >= 0, reported_vectors >= 0, "
    "processes >= 0, board_vectors >= 1",
    "hil": "baud >= 300 <= 20000000, fast_baud >= 300 <= 20000000, vectors >= 1 <= 100000000, seed >= 0 <= 1000000, "
    "batch >= 1 <= 255, timeout_s > 0, give_up_s > 0, reconnect_s >= 0, uj_per_kilocycle >= 0, nj_per_bit >= 0, "
    "nmse_tolerance_db >= 0",
    "sweep": "sizes each items >= 3 each items <= 3, workers >= 1",
    "decode": "batch_frames >= 1 <= 1048576",
    "coded": "n >= 1, k >= 1, p >= 2 <= 251, r >= 1, m >= 2, gamma >= 1, period_bits >= 2 <= 16",
    "classical": "levels >= 2, rate > 0, train_frames >= 1000, test_frames >= 100, seed >= 0",
    "transform": "rows >= 0 <= 512, windows >= 1 <= 256, bits_per_sample > 0 <= 16, max_bytes >= 1 <= 65535, "
    "test_frames >= 100, seed >= 0",
    "sparse": "bits >= 1 <= 32, windows >= 1 <= 256, train_frames >= 1000, test_frames >= 100, seed >= 0",
}
"""Every limit of a key. A wider one must be meant: what lies beyond it is met by no check behind the table's."""
WORDS = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<",
         "minItems": "items >=", "maxItems": "items <=", "maxLength": "length <="}  # fmt: skip


def limits(part: dict[str, Any]) -> list[str]:
    """Return the limits of a key, those of its entries as `each …`."""
    found = []
    for option in part.get("anyOf", [part]):
        found += [f"{sign} {option[word]}" for word, sign in WORDS.items() if word in option]
        found += [f"each {limit}" for limit in (limits(option["items"]) if "items" in option else [])]
    return found


@pytest.mark.parametrize("table", tables())
def test_the_limits_of_every_key_are_those_that_are_meant(schema: Any, table: str) -> None:
    keys = schema["properties"][table]["properties"]
    found = {name: " ".join([name, *limits(part)]) for name, part in keys.items() if limits(part)}
    assert list(found.values()) == LIMITS[table].split(", ")


def test_the_defaults_of_every_key_are_those_that_are_meant(schema: Any) -> None:
    """Who named no key gets the same codec from the next version, unless the change is meant and in CHANGELOG."""
    wanted = json.loads(DEFAULTS.read_text(encoding="utf-8"))
    for table, keys in schema["properties"].items():
        found = {name: part["default"] for name, part in keys.get("properties", {}).items() if "default" in part}
        assert found == wanted.get(table, {}), table


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


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ({"type": "integer"}, ""),
        ({"minimum": 2}, ">= 2"),
        ({"exclusiveMinimum": 0, "maximum": 5}, "> 0 and <= 5"),
        ({"minimum": 0, "exclusiveMaximum": 1}, ">= 0 and < 1"),
        ({"enum": [1, "b"]}, "one of 1, b"),
        ({"anyOf": [{"type": "null"}, {"minimum": 3}]}, ">= 3"),
    ],
)
def test_limits_are_told_in_signs(schema: dict[str, Any], told: str) -> None:
    assert _allowed(schema) == told


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("train --steps 100 -s train.steps=200", "train.steps 200, the command's own option or argument 100"),
        ("train --recipe best -s train.recipe=fast", "train.recipe fast, the command's own option or argument best"),
        ("design ec-vq -s classical.codec=ce-vq-l1", "classical.codec ce-vq-l1, the command's own option or"),
        ("demo --steps 9 -s train.steps=8", "train.steps 8, the command's own option or argument 9"),
        ("demo -p emu:native -s hil.port=['x']", "hil.port ['x'], the command's own option or argument ['emu:native']"),
    ],
)
def test_a_key_given_twice_is_refused(words: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(QcsError) as refused:
        runner.invoke(build_app(), words.split(), catch_exceptions=False)
    assert str(refused.value).startswith(f"--set makes {told}")
    assert not list(tmp_path.iterdir())
