"""Text of others: nothing of it acts on a terminal, a page or a C file."""

import shutil
import subprocess
import unicodedata
from pathlib import Path

import pytest

from qcskit.codec.foreign import c_comment, one_line, printable
from qcskit.codec.text import CModel, c_files

EVERY = "".join(map(chr, [*range(0x3000), *range(0xD7F0, 0xE010), *range(0xFE00, 0x10010), *range(0xE0000, 0xE0200)]))
"""The blocks that hold characters that act, and many that do not."""
ACTS = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Categories of Unicode: controls, format characters (bidi marks), surrogates, ends of lines and paragraphs."""


def test_no_character_that_acts_is_left() -> None:
    left = printable(EVERY)
    assert not {unicodedata.category(char) for char in left} & ACTS
    assert left.encode()
    assert all(word in left for word in (r"\x1b", r"\x07", r"\x00", r"\x85", r"\u202e", r"\u2028", r"\ud800"))


def test_what_prints_stays_and_escapes_are_not_escaped_again() -> None:
    text = "NMSE -12.3 dB, x̂ µs … 日本 [bold] $x$ <b> \\"
    assert printable(text) == one_line(text) == text
    assert printable(printable(EVERY)) == printable(EVERY)
    assert printable("a\n\tb", keep="\n\t") == "a\n\tb"


COMMENTS = (
    "*/ int x; /*",
    "*/*/",
    "/*/",
    "a \\",
    "??/",
    "???/",
    "\\\n*/ int y;",
    "*\\\n/",
    "//",
    "\x1b\u202e",
    "a \\\t",
)


@pytest.mark.skipif(not shutil.which("gcc"), reason="needs the Debian package gcc")
def test_a_comment_ends_where_it_should(tmp_path: Path) -> None:
    """Both forms, trigraphs on, every warning an error; the line after each comment must be seen."""
    lines = [f"/* {c_comment(text)}\n */ int a{i};\n// {c_comment(text)}\nint b{i};" for i, text in enumerate(COMMENTS)]
    uses = [f"  a{i} = b{i};" for i in range(len(COMMENTS))]
    file = tmp_path / "comments.c"
    file.write_text("\n".join([*lines, "int use(void);", "int use(void) {", *uses, "  return a0;", "}", ""]))
    command = ["gcc", "-std=c11", "-trigraphs", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_generated_c_takes_its_description_as_a_comment() -> None:
    """The one text of a model that is not of a checked form: a family from outside may put anything there."""
    header = c_files(CModel("m", "00" * 8, "*/ #error x\n", "coded", 2, 3, 4, ""))["qcs_model_m.h"]
    assert " * * / #error x\\n\n" in header
