"""One `qcs.toml`, one table per component, read into the frozen model that stands beside its user."""

import difflib
import re
import tomllib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from qcskit.codec.codecs import families
from qcskit.codec.errors import QcsError

MODEL_NAME = r"^[a-z][a-z0-9_]{0,30}$"
"""A model's name, part of C identifiers. They all end in words that no name of the core ends in: none can collide."""


def tables() -> tuple[str, ...]:
    """Return the table names that a `qcs.toml` may hold: one per component, and one per family of codecs."""
    own = (family.table for family in families())
    return tuple(
        dict.fromkeys(("signal", "adc", "train", "export", "package", "simulate", "hil", "sweep", "decode", *own))
    )


TRUSTED: dict[str, JsonValue] = {"trusted": True}
"""`json_schema_extra` of a key that names a program to run, a file to write, a port or a device: it takes effect from
the command line, or from a file that was named there."""


class Table(BaseModel):
    """Base of every configuration table: immutable, unknown keys and numbers that are not finite refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


UNSET = object()
"""What `table.key=` gives a key: its default, whatever the file says."""

T = TypeVar("T", bound=Table)


def nearest(name: str, known: Sequence[str]) -> str:
    """Return a hint that names the closest known word, or all of them.

    >>> nearest("stesp", ["steps", "seed"])
    "did you mean 'steps'?"
    """
    match = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f"did you mean '{match[0]}'?" if match else f"known: {', '.join(known)}"


def read_toml(path: Path | None) -> dict[str, Any]:
    """Return the whole file as a dict, or {} for None; unknown table names are refused.

    Raises QcsError if the file is missing, is not TOML, or has an unknown table.
    """
    if path is None:
        return {}
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise QcsError(f"configuration '{path}' does not exist; write one or leave out --config") from None
    except (OSError, UnicodeDecodeError) as error:
        raise QcsError(f"configuration '{path}' cannot be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise QcsError(f"configuration '{path}' is not valid TOML: {error}") from None
    for name in data:
        if name not in tables():
            raise QcsError(f"configuration '{path}': unknown table [{name}]; {nearest(name, tables())}")
    return data


def parse_overrides(settings: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Turn `table.key=value` strings into nested tables; a value is TOML, a bare word a string, nothing is UNSET.

    >>> parse_overrides(["train.steps=500", "signal.matrix=dct"])
    {'train': {'steps': 500}, 'signal': {'matrix': 'dct'}}
    """
    found: dict[str, dict[str, Any]] = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        table, dot, name = key.strip().partition(".")
        if not equals or not dot or not name:
            raise QcsError(f"--set '{setting}': expected TABLE.KEY=VALUE, for example train.steps=5000")
        if table not in tables():
            raise QcsError(f"--set '{setting}': unknown table '{table}'; {nearest(table, tables())}")
        try:
            value = tomllib.loads(f"v = {text.strip()}")["v"] if text.strip() else UNSET
        except tomllib.TOMLDecodeError:
            value = text.strip()
        found.setdefault(table, {})[name] = value
    return found


def load_table(
    model: type[T], name: str, path: Path | None = None, overrides: Mapping[str, Any] | None = None, *,
    named: bool = True,
) -> T:  # fmt: skip
    """Read table `[name]` of the TOML file at `path` into `model`; `overrides` (key → value) win over the file.

    named: the user named the file; one that only lay there may not set a `TRUSTED` key. Raises QcsError naming the
    file, the key and the nearest known key, or the rule that a value breaks.
    """
    values = read_toml(path).get(name, {})
    if not isinstance(values, dict):
        raise QcsError(f"configuration '{path}': [{name}] must be a table, not {type(values).__name__}")
    given = dict(overrides or {})
    if not named:
        _refuse_trusted(model, name, path, values.keys() - given.keys())
    for key in [key for key, value in given.items() if value is UNSET and key in model.model_fields]:
        del given[key]
        values = {other: value for other, value in values.items() if other != key}
    while True:
        try:
            return model.model_validate({**values, **given})
        except ValidationError as error:
            first = error.errors()[0]
            key = str(first["loc"][0]) if first["loc"] else ""
            # Words such as nan, true and 12 are TOML numbers; where a text is wanted, --set means the text.
            if first["type"] in ("string_type", "literal_error") and isinstance(given.get(key), bool | int | float):
                given[key] = str(given[key]).lower()
                continue
            raise QcsError(_explain(error, model, name, "command line" if key in given else path)) from None


def _refuse_trusted(model: type[Table], name: str, path: Path | None, keys: Collection[str]) -> None:
    for key, field in model.model_fields.items():
        if key in keys and field.json_schema_extra == TRUSTED:
            raise QcsError(f"configuration '{path}': [{name}] {key} names what is run or opened, and nobody named that "
                           f"file; if you trust it: -c {path}, or --set {name}.{key}=VALUE")  # fmt: skip


def _explain(error: ValidationError, model: type[Table], name: str, place: Path | str | None) -> str:
    """Return in one line what is wrong. place: a file, or words for where the key was given."""
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    where = f"configuration '{place}'" if isinstance(place, Path) else place or "configuration"
    if first["type"] == "extra_forbidden":
        return f"{where}: unknown key '{key}' in [{name}]; {nearest(key, list(model.model_fields))}"
    reason = first["msg"].removeprefix("Value error, ")
    if first["type"] == "string_pattern_mismatch":
        reason = f"a name is of small letters, digits and _, a letter first; try {_as_name(str(first['input']))}"
    whole = f"[{name}] {key}" if key else f"[{name}]"
    got = f" (got {first['input']!r})" if key else ""
    return f"{where}: {whole}: {reason}{got}"


def _as_name(text: str) -> str:
    """Return the nearest name that MODEL_NAME takes.

    >>> _as_name("My model, 2nd"), _as_name("2.5")
    ('my_model_2nd', 'm_2_5')
    """
    words = re.sub("[^a-z0-9]+", "_", text.lower()).strip("_")
    return (words if words[:1].isalpha() else f"m_{words}")[:31].strip("_")
