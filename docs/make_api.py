"""Write docs/api.md, the reference of the Python interface, from the docstrings: python docs/make_api.py

Nothing is imported: griffe reads the sources, so that it needs no TensorFlow.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import griffe

ROOT = Path(__file__).parents[1]
PACKAGES = ("codec", "training", "export", "firmware_sim", "hil")
WIDTH = 100
HEAD = """# Python reference

Made from the docstrings by `make docs`; a test holds both equal. The examples run as tests, in a folder with a small
trained bundle, `bundle`; `np` is NumPy, `keras` Keras, and names of the same module need no import there.

Worked notebooks: [encode, decode and plot from a bundle](notebooks/bundle.ipynb), [a model of your own: fit, export,
simulate](notebooks/own_model.ipynb).

Paths are `str` or `Path`. What is wrong with an input, a file or a board is a `QcsError` of one line; a wrong value of
a configuration is pydantic's `ValidationError`. A name loads what it needs when it is first used. Everything is typed
(`py.typed`). What is not on this page may change at any time.
"""


def packages() -> list[griffe.Object]:
    """Return the packages of the interface as griffe reads them."""
    loader = griffe.GriffeLoader(search_paths=[str(place.parent) for place in sorted(ROOT.glob("*/qcskit"))])
    loaded = [_target(loader.load(f"qcskit.{name}")) for name in PACKAGES]
    loader.resolve_aliases()
    return loaded


def public(package: griffe.Object) -> list[griffe.Object]:
    """Return what `__all__` of a package names: functions, classes, modules."""
    named = [_target(package[name]) for name in sorted(map(str, package.exports or ()))]
    return sorted(named, key=lambda found: (found.is_module, found.is_class))


def page(loaded: list[griffe.Object]) -> str:
    """Return the text of the page."""
    return "\n".join([HEAD, *(block for package in loaded for block in _package(package))])


def _package(package: griffe.Object) -> Iterator[str]:
    """Yield the blocks of one package."""
    yield f"## {package.path}\n\n{_text(package)}"
    for member in public(package):
        yield f"### {package.path}.{member.name}\n"
        if member.is_module:
            yield _text(member)
            yield from _members(member)
        else:
            yield f"{_code(_signature(member))}\n\n{_text(member)}"
            yield from _members(member) if member.is_class else ()


def _target(member: griffe.Object | griffe.Alias) -> griffe.Object:
    return member.final_target if isinstance(member, griffe.Alias) else member


def _members(owner: griffe.Object) -> Iterator[str]:
    """Yield a block for each public member of a class or module that is defined in it and says what it is."""
    for member in owner.members.values():
        if not member.name.startswith("_") and isinstance(member, griffe.Object) and (text := _text(member)):
            shown = _signature(member)
            short = f"#### `{shown}`\n\n" if len(shown) < WIDTH else f"#### `{member.name}`\n\n{_code(shown)}\n\n"
            yield short + text


def _signature(member: griffe.Object) -> str:
    """Return how a member is written: call and result, name and type; of a class, how it is made."""
    if isinstance(member, griffe.Class):
        return _call(f"class {member.name}", member.parameters, "").removesuffix("()")
    if isinstance(member, griffe.Function):
        return _call(member.name, member.parameters, f" -> {member.returns}" if member.returns else "")
    if isinstance(member, griffe.Attribute) and member.annotation:
        default = _of_field(member, "default")
        return f"{member.name}: {member.annotation}" + (f" = {default}" if default else "")
    return member.name


def _of_field(member: griffe.Object, keyword: str) -> str:
    """Return what pydantic's Field of a key of a configuration says, "" if it is no such key."""
    value = getattr(member, "value", None)
    arguments = value.arguments if isinstance(value, griffe.ExprCall) else ()
    given = {item.name: str(item.value) for item in arguments if isinstance(item, griffe.ExprKeyword)}
    return given.get(keyword, "")


def _call(name: str, parameters: griffe.Parameters, result: str) -> str:
    """Return a call on one line, or one parameter a line where that is too long."""
    given, keywords = [], False
    for parameter in parameters:
        if parameter.name in ("self", "cls"):
            continue
        if parameter.kind is griffe.ParameterKind.keyword_only and not keywords:
            given.append("*")
        keywords |= parameter.kind in (griffe.ParameterKind.keyword_only, griffe.ParameterKind.var_positional)
        given.append(_parameter(parameter))
    line = f"{name}({', '.join(given)}){result}"
    return line if len(line) < WIDTH else f"{name}(\n    " + ",\n    ".join(given) + f",\n){result}"


def _parameter(parameter: griffe.Parameter) -> str:
    stars = {griffe.ParameterKind.var_positional: "*", griffe.ParameterKind.var_keyword: "**"}
    kind = f": {parameter.annotation}" if parameter.annotation else ""
    if parameter.kind in stars:
        return f"{stars[parameter.kind]}{parameter.name}{kind}"
    return f"{parameter.name}{kind}" + (f" = {parameter.default}" if parameter.default is not None else "")


def _code(text: str) -> str:
    return f"```python\n{text}\n```"


def _text(member: griffe.Object) -> str:
    """Return a docstring as Markdown, its example as code; of a key of a configuration, its description."""
    if member.docstring is None:
        description = _of_field(member, "description")
        return f"{ast.literal_eval(description)}\n" if description else ""
    prose, *example = member.docstring.value.partition("\n>>> ")
    parts = enumerate(prose.strip().split("`"))
    text = "`".join(part if number % 2 else part.replace("<", "\\<") for number, part in parts)  # no HTML
    return text + (f"\n\n{_code('>>> ' + example[1].strip())}\n" if example[1] else "\n")


if __name__ == "__main__":
    (ROOT / "docs" / "api.md").write_text(page(packages()), encoding="utf-8")
