"""What `--help` and `--keys` print is what was written: square brackets are names of tables here, not markup."""

import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from qcskit.cli import build_app
from qcskit.codec.codecs import families
from qcskit.codec.config import tables


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
        (("sweep", "--keys"), "Keys of [classical]"),
        (("train", "--keys"), "Keys of [signal]"),
        (("simulate", "--keys"), "oracle_vectors"),
        (("decode", "--keys"), "(default stop, one of stop, nan)"),
        (("export", "--keys"), "Keys of [adc]"),
        (("export", "--keys"), "bits: resolution; 16 for recordings, else 12 (default None, >= 8 and <= 16)"),
        (("design", "ce-usq-omp", "--keys"), "Keys of [adc]"),
        (("demo", "--keys"), "Keys of [adc]"),
        (("demo", "--keys"), "Keys of [hil]"),
        (("design", "--keys"), "Keys of [coded]"),
        (("design", "ce-usq-omp", "--keys"), "Keys of [signal]"),
    ],
)
def test_names_of_tables_are_printed(arguments: tuple[str, ...], text: str) -> None:
    assert text in printed(*arguments)


def test_every_table_is_printed_by_some_verb() -> None:
    text = printed("config")
    assert [table for table in tables() if f"Keys of [{table}]" not in text] == []


def test_a_verb_prints_the_tables_that_it_reads_and_no_key_that_does_nothing_there() -> None:
    text = printed("design", "transform", "--keys")
    assert "Keys of [transform]" in text
    assert "• golden_frames:" in text
    assert "finetune_steps" not in text
    assert "• finetune_steps:" in printed("export", "--keys")


@pytest.mark.parametrize("verb", ["train", "export", "simulate", "hil"])
def test_the_longest_helps_are_grouped(verb: str) -> None:
    text = printed(verb, "--help")
    for panel in ("Input and output", "Settings", "What is shown"):
        assert f"─ {panel} ─" in text


def test_the_help_of_design_lists_the_registry() -> None:
    text = printed("design", "--help")
    designed = [family for family in families() if family.design]
    assert len(designed) >= 2
    for family in designed:
        assert f"{', '.join(family.room('design').METHODS)}: {family.about}" in text


def test_the_keys_of_one_codec_are_its_own() -> None:
    text = printed("design", "coded", "--keys")
    assert "Keys of [coded]" in text
    assert "Keys of [classical]" not in text


DEFAULTS: dict[str, dict[str, object]] = {
    "advise": {"n": 32, "fill": "refuse", "compare": True, "bits": 1.0, "cost": True},
    "train": {"out": "runs/run"},
    "sweep": {"out": "runs/sweep"},
    "export": {"out": "runs/bundle"},
    "design": {"out": "runs/bundle"},
    "simulate": {"bundle": "runs/bundle", "holds": "auto"},
    "hil": {"bundle": "runs/bundle", "holds": "auto"},
    "ports": {"baud": 115_200, "probe": True},
    "compare": {"nmse_db": 0.05, "ticks_percent": 1.0},
    "encode": {"out": "-", "holds": "auto"},
    "decode": {"out": "-"},
    "inspect": {"path": "runs/bundle", "cost": True, "tflm_board": "cortex-m4"},
    "new": {"to": "plain", "board": "native"},
    "firmware": {"bundle": "runs/bundle", "board": "native"},
    "flash": {"bundle": "runs/bundle"},
    "report": {"bundle": "runs/bundle", "cost": True},
    "profile": {"bundle": "runs/bundle", "board": "cortex-m4", "vectors": 20},
}
"""What is done where an option is not given. All others do nothing then."""


def test_an_option_that_is_not_given_does_nothing_but_what_is_meant() -> None:
    for verb, command in get_command(build_app()).commands.items():  # type: ignore[attr-defined]
        given = {option.name: option.default for option in command.params}
        found = {name: value.as_posix() if isinstance(value, Path) else value for name, value in given.items() if value}
        assert found == DEFAULTS.get(verb, {}), verb


def test_the_version_is_all_that_is_printed() -> None:
    assert printed("--version") == f"qcskit {version('qcskit')}"
    assert printed("--version", "simulate", "nowhere") == printed("--version")


def test_without_a_verb_all_are_listed_in_the_order_of_the_work() -> None:
    text = CliRunner().invoke(build_app(), [], env={"COLUMNS": "200", "TERM": "dumb"}).output
    listed = re.findall(r"│ ([a-z]+) +[A-Z]", text)
    assert listed == [*get_command(build_app()).commands]  # type: ignore[attr-defined]
    assert listed[:4] == ["advise", "train", "sweep", "export"]


def test_python_m_qcskit_is_the_command(source_env: dict[str, str]) -> None:
    for name in ("qcskit", "qcskit.cli"):
        done = subprocess.run(
            [sys.executable, "-m", name, "--version"],
            env=source_env,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert (done.returncode, done.stdout) == (0, f"qcskit {version('qcskit')}\n")


@pytest.mark.parametrize(
    ("words", "least"),
    [
        (("advise", "x.csv", "-n"), 2),
        (("advise", "x.csv", "-m"), 1),
        (("profile", "b", "-n"), 1),
        (("encode", "b", "x.csv", "--hop"), 1),
        (("simulate", "b", "--hop"), 1),
        (("hil", "b", "--hop"), 1),
    ],
)
def test_numbers_of_options_have_the_limits_that_are_meant(
    words: tuple[str, ...], least: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for number in (least - 1, least):
        told = CliRunner().invoke(build_app(), [*words, f"{number}"], env={"COLUMNS": "200", "TERM": "dumb"}).output
        assert ("Invalid value for" in told) == (number < least)
