"""The C core inside a library: only the files that its models need, under names that no other library has.

A linker in text: a model names functions, the file that defines one is taken along, and so on; of a header only the
inline functions count that are named. Names with external
linkage get the library's own in front, by a header of #defines that every header of the core includes: the .c files are
the kit's, byte for byte.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

NAMES = "qcs_names.h"

_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_DEFINED = re.compile(r"^(?!static\b)[a-z][^\n;#]*?\b(qcs_\w+)\(", re.MULTILINE)
"""A function that other files may call: at the beginning of a line, not static."""
_INLINE = re.compile(r"^static inline [^;{]*?\b(qcs_\w+)\([^{]*\{.*?^\}", re.MULTILINE | re.DOTALL)
_INCLUDED = re.compile(r'^#include "(\w+\.h)"', re.MULTILINE)
_GUARD = re.compile(r"^#define QCS_\w+_H\n|^#define QCS_H\n", re.MULTILINE)


def core_texts(c_root: Path, agent: bool) -> dict[str, str]:
    """Return every file of the core by name; with the serial agent if that is wanted."""
    files = [*(c_root / "include").glob("*.h"), *(c_root / "src").glob("*.[ch]")]
    if agent:
        files += [c_root / "app" / name for name in ("qcs_agent.c", "qcs_agent.h", "qcs_mark.h")]
    return {file.name: file.read_text(encoding="utf-8") for file in sorted(files)}


def needed(core: Mapping[str, str], users: Iterable[str]) -> dict[str, str]:
    """Return the files of `core` (name → text) that the C texts `users` need."""
    bare = {name: _COMMENT.sub(" ", text) for name, text in core.items()}
    places: dict[str, list[str]] = {}
    inline: dict[str, str] = {}
    for file, text in bare.items():
        if file.endswith(".h"):
            inline |= {match[1]: match[0] for match in _INLINE.finditer(text)}
        for symbol in defined(text) if file.endswith(".c") else ():
            places.setdefault(symbol, []).append(file)
    found: set[str] = set()
    rest = [_COMMENT.sub(" ", text) for text in users]
    while rest:
        text = rest.pop()
        words = set(re.findall(r"\bqcs_\w+", text))
        rest += [inline.pop(word) for word in words & inline.keys()]
        wanted = {file for word in words for file in places.get(word, ())} - found
        rest += [bare[file] for file in wanted]
        found |= wanted | _headers(text, bare, found)
    return {name: core[name] for name in sorted(found)}


def _headers(text: str, core: Mapping[str, str], found: Collection[str]) -> set[str]:
    """Return the headers that a text includes, and those that they include, but for what was found before."""
    new = {name for name in _INCLUDED.findall(text) if name in core and name not in found}
    return new.union(*(_headers(core[name], core, {*found, *new}) for name in new))


def defined(text: str) -> set[str]:
    """Return the functions with external linkage that a C text defines.

    >>> defined("static int qcs_b(int x) {}\\nuint16_t qcs_c(int x,\\n int y) {\\n qcs_d();}")
    {'qcs_c'}
    """
    return set(_DEFINED.findall(text))


def renamed(core: Mapping[str, str], library: str) -> dict[str, str]:
    """Return the files with the header that gives their functions the library's own names, included by every header."""
    symbols = sorted({symbol for name, text in core.items() if name.endswith(".c") for symbol in defined(text)})
    lines = "".join(f"#define {symbol} {library}_{symbol.removeprefix('qcs_')}\n" for symbol in symbols)
    names = (
        "/* SPDX-License-Identifier: Apache-2.0 */\n"
        "/* Names of the core in this library alone: two libraries may hold two versions of it. */\n"
        f"#ifndef QCS_NAMES_H\n#define QCS_NAMES_H\n\n{lines}\n#endif\n"
    )
    headers = {name: _GUARD.sub(rf'\g<0>#include "{NAMES}"\n', text, count=1) if name.endswith(".h") else text
               for name, text in core.items()}  # fmt: skip
    return {**headers, NAMES: names}
