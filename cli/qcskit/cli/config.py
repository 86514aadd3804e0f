"""`qcskit config`: every key of qcs.toml, for people and for editors."""

from typing import Annotated, Any

import typer

from qcskit.cli.common import model_of, print_json, print_keys
from qcskit.codec.errors import QcsError


def config(
    tables: Annotated[list[str] | None, typer.Argument(metavar="[TABLE]...", help="Tables; all if left out.")] = None,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON schema of qcs.toml, which editors check it with.")
    ] = False,
) -> None:
    """List the keys of qcs.toml: default, range, meaning; or print its JSON schema.

    qcskit config --schema > qcs.schema.json, and as the first line of qcs.toml: #:schema ./qcs.schema.json
    """
    from qcskit.codec.config import nearest
    from qcskit.codec.config import tables as known

    for table in tables or ():
        if table not in known():
            raise QcsError(f"there is no table [{table}]; {nearest(table, known())}")
    if schema:
        print_json(toml_schema(tables or known()))
    else:
        print_keys(*(tables or known()))


def toml_schema(tables: Any) -> dict[str, Any]:
    """Return the JSON schema (draft 2020-12) of a qcs.toml with these tables."""
    properties: dict[str, Any] = {}
    shared: dict[str, Any] = {}
    for table in tables:
        made = model_of(table).model_json_schema(ref_template="#/$defs/{model}")
        shared |= made.pop("$defs", {})
        properties[table] = made
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "qcs.toml of qcskit", "type": "object",
        "additionalProperties": False, "properties": properties, "$defs": shared,
    }  # fmt: skip
