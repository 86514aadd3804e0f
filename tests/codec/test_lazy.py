"""Names that are imported when they are first used."""

import sys
from types import ModuleType

import pytest

from qcskit.codec.lazy import lazy


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A package whose names are a module and an object of one; neither is loaded."""
    module = ModuleType("lazy_package")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    module.__getattr__, module.__dir__ = lazy(module.__name__, {"module": "colorsys", "part": "colorsys:rgb_to_hsv"})
    return module


def test_a_name_is_loaded_when_it_is_used(package: ModuleType) -> None:
    assert "colorsys" not in sys.modules
    assert package.part is sys.modules["colorsys"].rgb_to_hsv
    assert package.module is sys.modules["colorsys"]


def test_names_are_listed_before_they_are_loaded(package: ModuleType) -> None:
    assert {"module", "part", "__name__"} <= {*dir(package)}
    assert "colorsys" not in sys.modules


def test_a_name_that_is_not_there_is_told_as_of_any_module(package: ModuleType) -> None:
    with pytest.raises(AttributeError, match="module 'lazy_package' has no attribute 'parts'"):
        package.parts  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'parts' from 'lazy_package'"):
        from lazy_package import parts  # noqa: F401
