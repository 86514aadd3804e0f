"""Names of a package that are imported when they are first used: `import qcskit.codec` alone loads nothing heavy."""

import sys
from collections.abc import Callable, Mapping
from pkgutil import resolve_name
from typing import Any


def lazy(package: str, places: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return `__getattr__` and `__dir__` of a package (PEP 562). places: name → "module:object", or a module.

    Put them below the `else:` of an `if TYPE_CHECKING:`: a type checker that sees them takes every name for known.
    """

    def find(name: str) -> Any:
        if name not in places:
            raise AttributeError(f"module {package!r} has no attribute {name!r}", name=name, obj=sys.modules[package])
        return resolve_name(places[name])

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *places})

    return find, names
