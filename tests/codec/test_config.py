"""qcs.toml and --set: what is not known is refused with the nearest known word."""

import pytest
from pydantic import Field

from qcskit.codec.config import Table, load_table, parse_overrides, read_toml, tables
from qcskit.codec.errors import QcsError


class Example(Table):
    """A table."""

    steps: int = Field(5, ge=1)
    name: str = "x"


def test_tables_come_from_components_and_families() -> None:
    assert set(tables()) == {"signal", "train", "export", "simulate", "hil", "sweep", "decode", "coded", "classical"}
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


@pytest.mark.parametrize("word", ["nan", "true", "12"])
def test_a_word_that_toml_takes_for_a_number_is_a_text_where_one_is_wanted(word: str) -> None:
    given = parse_overrides([f"train.name={word}", "train.steps=3"])["train"]
    assert load_table(Example, "train", None, given) == Example(steps=3, name=word)
    with pytest.raises(QcsError, match="steps"):
        load_table(Example, "train", None, parse_overrides(["train.steps=nan"])["train"])
