r"""Text from outside (names of files, logs of boards, strings of manifests, messages of tools) is shown as text.

Nothing in it may act on what shows it: a terminal, a page, a C file. `printable` makes it so for all of them; what a
form of its own needs besides (HTML, XML) its library does.
"""

import re

_COMMENT_SIGNS = re.compile(r"(?<=\*)(?=/)|(?<=/)(?=\*)|(?<=\?)(?=\?)")
"""Between the characters of */, /* and the two question marks that begin a trigraph."""


def printable(text: str, keep: str = "") -> str:
    r"""Return `text`, each character that does not print (controls, bidi marks, line ends, surrogates) as an escape.

    keep: such characters that stay, for instance "\n" where there may be several lines.
    >>> printable("a\x1b[31m\u202eb\n"), printable("a\nb\r", keep="\n")
    ('a\\x1b[31m\\u202eb\\n', 'a\nb\\r')
    """
    return "".join(char if char.isprintable() or char in keep else _escaped(char) for char in text)


def one_line(text: object) -> str:
    r"""Return `text` printable, on one line, spaces as single ones: for messages.

    >>> one_line("first:\n  a\tb\x07")
    'first: a b\\x07'
    """
    return printable(" ".join(str(text).split()))


def c_comment(text: str) -> str:
    r"""Return `text` as a line of a C comment of either form: it neither ends the comment nor joins the next line.

    >>> c_comment("a */ b // c /* d ??/ \\")
    'a * / b // c / * d ? ?/ '
    """
    return _COMMENT_SIGNS.sub(" ", printable(text)).rstrip("\\")


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
