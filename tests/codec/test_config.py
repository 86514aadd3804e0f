"""qcs.toml and --set: what is not known is refused with the nearest known word."""

import types
import typing
from pathlib import Path

import pytest
from pydantic import Field, ValidationError

from qcskit.cli.common import model_of
from qcskit.codec.config import TRUSTED, Table, load_table, parse_overrides, read_toml, tables
from qcskit.codec.errors import QcsError


class Example(Table):
    """A table."""

    steps: int = Field(5, ge=1)
    name: str = "x"
    tool: str = Field("cc", json_schema_extra=TRUSTED)


def test_tables_come_from_components_and_families() -> None:
    assert set(tables()) == {
        "signal",
        "adc",
        "train",
        "export",
        "package",
        "simulate",
        "hil",
        "sweep",
        "decode",
        "coded",
        "classical",
        "transform",
        "sparse",
    }
    assert len(set(tables())) == len(tables())


def test_overrides_win_over_the_file(tmp_path) -> None:
    file = tmp_path / "qcs.toml"
    file.write_text("[train]\nsteps = 7\nname = 'file'\n")
    assert load_table(Example, "train") == Example()
    assert load_table(Example, "train", file) == Example(steps=7, name="file")
    assert load_table(Example, "train", file, {"steps": 9}) == Example(steps=9, name="file")
    assert load_table(Example, "export", file) == Example()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[train]\nstesp = 3\n", r"qcs\.toml': unknown key 'stesp' in \[train\]; did you mean 'steps'"),
        ("[train]\nsteps = 0\n", r"\[train\] steps: .*greater than or equal to 1 \(got 0\)"),
        ("train = 3\n", r"\[train\] must be a table, not int"),
        ("[tarin]\n", r"unknown table \[tarin\]; did you mean 'train'"),
        ("[report]\n", r"unknown table \[report\]; did you mean 'export'"),
        ("[train\n", "is not valid TOML"),
    ],
)
def test_a_file_that_is_wrong_is_one_line(tmp_path, text, message) -> None:
    file = tmp_path / "qcs.toml"
    file.write_text(text)
    with pytest.raises(QcsError, match=message) as caught:
        load_table(Example, "train", file)
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read(tmp_path) -> None:
    with pytest.raises(QcsError, match="does not exist; write one or leave out --config"):
        read_toml(tmp_path / "no.toml")
    with pytest.raises(QcsError, match="cannot be read"):
        read_toml(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b"# \xe9\n")
    with pytest.raises(QcsError, match="cannot be read"):
        read_toml(tmp_path / "latin.toml")
    assert read_toml(None) == {}


def test_overrides_are_toml_or_bare_words() -> None:
    found = parse_overrides(["train.steps=5", "train.lists=[1, 2]", "signal.matrix=dct", "export.name='a=b'"])
    assert found == {"train": {"steps": 5, "lists": [1, 2]}, "signal": {"matrix": "dct"}, "export": {"name": "a=b"}}
    for text in ("train", "train.steps", "steps=3", "train.=3"):
        with pytest.raises(QcsError, match=r"expected TABLE\.KEY=VALUE"):
            parse_overrides([text])
    with pytest.raises(QcsError, match="unknown table 'tarin'; did you mean 'train'"):
        parse_overrides(["tarin.steps=3"])


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
def test_no_table_takes_a_number_that_is_not_finite(value: float) -> None:
    for table in tables():
        for name, field in model_of(table).model_fields.items():
            if "float" in str(field.annotation):
                given = [value] if "tuple" in str(field.annotation) else value
                with pytest.raises(QcsError, match=rf"\[{table}\] {name}"):
                    load_table(model_of(table), table, None, {name: given})


@pytest.mark.parametrize("word", ["nan", "true", "12"])
def test_a_word_that_toml_takes_for_a_number_is_a_text_where_one_is_wanted(word: str) -> None:
    given = parse_overrides([f"train.name={word}", "train.steps=3"])["train"]
    assert load_table(Example, "train", None, given) == Example(steps=3, name=word)
    with pytest.raises(QcsError, match="steps"):
        load_table(Example, "train", None, parse_overrides(["train.steps=nan"])["train"])


def test_a_file_that_nobody_named_runs_and_opens_nothing(tmp_path) -> None:
    file = tmp_path / "qcs.toml"
    file.write_text("[train]\nsteps = 7\ntool = './evil.sh'\n")
    told = r"qcs\.toml': \[train\] tool names what is run or opened, .*: -c .*qcs\.toml, or --set train\.tool=VALUE"
    with pytest.raises(QcsError, match=told):
        load_table(Example, "train", file, named=False)
    assert load_table(Example, "train", file).tool == "./evil.sh"
    assert load_table(Example, "train", file, {"tool": "gcc"}, named=False) == Example(steps=7, tool="gcc")
    file.write_text("[train]\nsteps = 7\n[export]\ntool = './evil.sh'\n")
    assert load_table(Example, "train", file, named=False) == Example(steps=7)


DATA = {
    "signal.recording", "signal.recording_column", "signal.matrix_file",  # files that are read, and what in them
    "train.encoder_activation", "classical.codec", "sweep.variants",  # words of a list
    "simulate.boards",  # names of the registry
    "package.version", "package.license", "package.author", "package.url", "package.lib_name",  # words, in metadata
}  # fmt: skip
"""Keys of free text that name nothing that is run, written or opened as a device."""


def takes_text(annotation: object) -> bool:
    """Whether a value may be, or hold, any text; Literal is none."""
    if typing.get_origin(annotation) in (list, tuple, dict, typing.Union, types.UnionType):
        return any(map(takes_text, typing.get_args(annotation)))
    return annotation is str or (isinstance(annotation, type) and issubclass(annotation, Path))


def test_every_key_of_free_text_is_marked_or_known_to_be_data() -> None:
    """A new one is listed here, or takes effect from named files alone."""
    free, marked = set(), set()
    for table in tables():
        for key, field in model_of(table).model_fields.items():
            if field.json_schema_extra == TRUSTED:
                marked.add(f"{table}.{key}")
            elif takes_text(field.annotation) and not any(hasattr(rule, "pattern") for rule in field.metadata):
                free.add(f"{table}.{key}")
    assert marked == {"simulate.compiler", "hil.port", "train.module"}
    assert free == DATA


def test_an_error_says_who_gave_the_value(tmp_path: Path) -> None:
    """The file is blamed for its own keys alone."""
    file = tmp_path / "qcs.toml"
    file.write_text("[signal]\nsteps = 0\n")
    with pytest.raises(QcsError, match=r"^configuration '.*qcs\.toml': \[signal\] steps: .*got 0"):
        load_table(Example, "signal", file)
    for wrong, told in (({"steps": -1}, r"\[signal\] steps: .*got -1"), ({"step": 1}, "unknown key 'step'")):
        good = file if "steps" in wrong else None
        with pytest.raises(QcsError, match=f"^command line: {told}"):
            load_table(Example, "signal", good, wrong)


def test_a_key_without_a_value_is_as_if_the_file_did_not_name_it(tmp_path: Path) -> None:
    file = tmp_path / "qcs.toml"
    file.write_text('[signal]\nsteps = 7\nname = "y"\n')
    unset = parse_overrides(["signal.steps="])["signal"]
    assert load_table(Example, "signal", file, unset) == Example(name="y")


def test_a_configuration_that_was_checked_stays_as_it_is() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Example().steps = 0  # type: ignore[misc]
