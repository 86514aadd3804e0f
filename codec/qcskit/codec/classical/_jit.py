"""numba where it is installed (extra `speed`); without it the same functions run as plain Python, far slower."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])

try:
    from numba import njit as _njit
except ImportError:  # pragma: no cover - depends on what is installed
    _njit = None

COMPILED = _njit is not None
"""Whether functions marked `compiled` are."""


def compiled(function: F) -> F:
    """Compile `function` with numba, GIL released, cached on disk if possible; return it unchanged without numba."""
    if _njit is None:
        return function
    try:
        return cast(F, _njit(cache=True, nogil=True)(function))
    except RuntimeError:  # nowhere to keep the cache: compiled anew in every process
        return cast(F, _njit(nogil=True)(function))
