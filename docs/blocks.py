"""The blocks of code on the pages, as tests/test_docs.py runs them: python docs/blocks.py lists every command.

What a page may say of a block stands in an HTML comment, which no reader sees:

<!-- not run: REASON -->         of the block below; at most ten on all pages
<!-- other figures: REASON -->   of the block below: what it prints is compared but for the numbers
<!-- run                         commands that bring what the page's reader has, such as a recording
printf '1\\n2\\n' > day.csv
-->

A block of `console` holds commands behind `$ ` and what they print; `…` stands for anything. The other languages are
`sh`, `python`, `c`, `toml`, and `text`, which is never run. A block whose first line is a comment with a file's name,
such as `# qcs.toml`, is that file.
"""

import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
MADE_ELSEWHERE = {"api.md"}
"""Made from docstrings, whose examples are doctests."""
PAGES = [
    ROOT / "README.md",
    *(path for path in sorted((ROOT / "docs").glob("*.md")) if path.name not in MADE_ELSEWHERE),
]
RUN = ("sh", "console", "python", "c", "toml")
MOST_REASONS = 10

_PART = re.compile(
    r"^(?P<indent> *)```(?P<language>[\w-]*)[^\n]*\n(?P<text>.*?)^ *```$"
    r"|^<!-- (?P<word>[a-z ]+?)(?:: *|\n)(?P<said>.*?)-->$",
    re.MULTILINE | re.DOTALL,
)
_FILE = re.compile(r"(?:#|//|/\*) *([\w.-]+\.(?:toml|py|c|h|csv))\b")
_STRAY = re.compile(r"^    (?:\$ )?(?:qcskit|python|pip|pytest|make) ", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A block: its page, line, language and text. file: its name, if it is one. reason: why it is not run, or "".

    varies: what it prints is compared but for the numbers. hidden: it stands in a comment.
    """

    page: Path
    line: int
    language: str
    text: str
    reason: str = ""
    varies: bool = False
    hidden: bool = False

    @property
    def where(self) -> str:
        """Page and line, for messages."""
        page = self.page.relative_to(ROOT) if self.page.is_relative_to(ROOT) else self.page
        return f"{page}:{self.line}"

    @property
    def file(self) -> str:
        """Name of the file that the block is, or ""."""
        found = _FILE.match(self.text)
        return found[1] if found else ""

    @property
    def commands(self) -> list[tuple[str, str]]:
        """The commands and what each shows, "" if nothing is said."""
        if self.language == "console":
            return console(self.text)
        return [(command, "") for command in joined(self.text)] if self.language == "sh" else []


def joined(text: str) -> list[str]:
    r"""Return the commands of a shell block, lines that end in a backslash joined, comments left out.

    >>> joined("qcskit train \\\n  -o run  # short\n\n# nothing\ncat a.txt\n")
    ['qcskit train -o run', 'cat a.txt']
    """
    lines = re.sub(r" *\\\n *", " ", text).splitlines()
    return [line for line in (re.sub(r"(^|\s+)#.*$", "", line).strip() for line in lines) if line]


def console(text: str) -> list[tuple[str, str]]:
    r"""Return the commands of a session and what each printed.

    >>> console("$ echo a\na\n$ true\n")
    [('echo a', 'a\n'), ('true', '')]
    """
    parts = re.split(r"^\$ ", re.sub(r" *\\\n *", " ", text), flags=re.MULTILINE)[1:]
    return [(command, shown) for command, _, shown in (part.partition("\n") for part in parts)]


def blocks(page: Path) -> list[Block]:
    """Return the blocks of a page in order, those in comments too."""
    text, found, told = page.read_text(encoding="utf-8"), [], {}
    for part in _PART.finditer(text):
        line = text.count("\n", 0, part.start()) + 1
        if part["word"] == "run":
            found.append(Block(page, line, "sh", part["said"], hidden=True))
        elif part["word"]:
            told[part["word"]] = (part["said"].strip(), part.end())
        else:
            near = {word: said for word, (said, end) in told.items() if not text[end : part.start()].strip()}
            code = re.sub(rf"^{part['indent']}", "", part["text"], flags=re.MULTILINE)
            language = part["language"]
            found.append(Block(page, line, language, code, near.get("not run", ""), "other figures" in near))
    return found


def strays(page: Path) -> list[str]:
    """Return commands that stand on a page outside of any block, where nobody would run them."""
    return [line.strip() for line in _STRAY.findall(_PART.sub("", page.read_text(encoding="utf-8")))]


def every_block() -> list[Block]:
    """Return the blocks of all pages that are code."""
    return [block for page in PAGES for block in blocks(page) if block.language in RUN]


def program(command: str) -> list[str] | None:
    """Return the words of a command that needs no shell, else None.

    >>> program("qcskit boards"), program("cat a | qcskit decode")
    (['qcskit', 'boards'], None)
    """
    if re.search(r"[|&;<>$`*]", command) or not command.startswith("qcskit "):
        return None
    return shlex.split(command)


def listing() -> str:
    """Return every command of the pages, a line each, and how many blocks are run."""
    code = every_block()
    lines = [
        f"{block.where}: {f'NOT RUN ({block.reason}): ' if block.reason else ''}{command}"
        for block in code
        for command, _ in block.commands
    ]
    run = [block for block in code if not block.reason]
    commands = sum(len(block.commands) for block in run)
    last = f"{len(run)} blocks, {commands} commands among them, are run; {len(code) - len(run)} blocks are not"
    return "\n".join([*lines, last])


if __name__ == "__main__":
    sys.stdout.write(listing() + "\n")
