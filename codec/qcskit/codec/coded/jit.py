"""Compiled inner loops need numba (extra `speed`); without it everything imports, and only calling one is an error."""

from collections.abc import Callable
from typing import Any

from qcskit.codec.errors import QcsError

Function = Callable[..., Any]

try:
    from numba import njit as _njit
except ImportError:  # pragma: no cover - the test environment has numba
    _njit = None

_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}


def compiled(function: Function) -> Any:
    """Compile `function` with numba, cached on disk; without numba return a function that raises QcsError when called.

    No fast-math: results do not depend on the machine's vector width.
    """
    return _njit(**_OPTIONS)(function) if _njit is not None else missing(function)


def helper(function: Function) -> Any:
    """Like `compiled`, for functions that only compiled functions call: no Python wrapper, so it builds faster."""
    if _njit is None:
        return missing(function)
    return _njit(**_OPTIONS, no_cpython_wrapper=True, no_cfunc_wrapper=True)(function)


def missing(function: Function) -> Function:
    """Return a function of the same name that raises QcsError, saying how to install numba."""

    def refuse(*_args: Any, **_kwargs: Any) -> Any:
        raise QcsError("decoding coded measurements needs numba; run: pip install 'qcskit[speed]'")

    refuse.__name__ = function.__name__
    return refuse
