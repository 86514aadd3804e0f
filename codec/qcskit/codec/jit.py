"""Inner loops compiled with numba (extra `speed`), kept on disk; everything imports without it.

No fast-math: results do not depend on the machine's vector width.
"""

from collections.abc import Callable
from typing import Any

from qcskit.codec.optional import missing as missing_library

Function = Callable[..., Any]

try:
    from numba import njit
except ImportError:  # pragma: no cover - depends on what is installed
    njit = None

COMPILED = njit is not None
"""Whether there is a compiler."""


def compiled(function: Function, **options: Any) -> Any:
    """Compile `function`; without numba return a function that raises QcsError when called."""
    if njit is None:
        return missing(function)
    options |= {"nogil": True, "error_model": "numpy"}
    try:
        return njit(cache=True, **options)(function)
    except RuntimeError:  # nowhere to keep the cache: compiled anew in every process
        return njit(**options)(function)


def helper(function: Function) -> Any:
    """Like `compiled`, for functions that only compiled functions call: no Python wrapper, so it builds faster."""
    return compiled(function, no_cpython_wrapper=True, no_cfunc_wrapper=True)


def compiled_if_possible(function: Function) -> Any:
    """Like `compiled`, but without numba return `function` itself, far slower."""
    return function if njit is None else compiled(function)


def missing(function: Function) -> Function:
    """Return a function of the same name that raises QcsError, saying how to install numba."""

    def refuse(*_args: Any, **_kwargs: Any) -> Any:
        raise missing_library("numba", "speed", "decoding coded measurements")

    refuse.__name__ = function.__name__
    return refuse
