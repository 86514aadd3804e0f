"""Without a compiler, or without a place for its cache, everything still imports."""

from collections.abc import Callable
from typing import Any

import pytest

from qcskit.codec import jit
from qcskit.codec.errors import QcsError


def one() -> int:
    return 1


def test_without_a_place_for_the_cache_it_is_compiled_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """As numba says it: RuntimeError, no locator available."""
    asked: list[bool] = []

    def njit(cache: bool = False, **options: Any) -> Callable[[Any], Any]:
        def compiler(function: Any) -> Any:
            asked.append(cache)
            if cache:
                raise RuntimeError("cannot cache function: no locator available")
            return function

        return compiler

    monkeypatch.setattr(jit, "njit", njit)
    assert jit.compiled(one) is one
    assert asked == [True, False]


def test_without_a_compiler_only_what_can_do_without_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jit, "njit", None)
    assert jit.compiled_if_possible(one) is one
    with pytest.raises(QcsError, match=r"pip install 'qcskit\[speed\]'"):
        jit.compiled(one)()
