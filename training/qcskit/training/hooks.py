"""Functions of the user's own that replace parts of a training: the Python file that `train.module` names.

    draw(frames, seed)            x (frames, N), y (frames, M); or draw(frames, seed, part): train, validation or test
    loss(x, x_hat)                what is minimised, of any shape: its mean counts
    metric(x, x_hat)              what is validated, lower is better: a number, of NumPy arrays
    build_encoder(train, signal)  Keras model of y (frames, M) → (frames, K)
    build_decoder(train, signal)  Keras model of levels (frames, K) → x_hat (frames, N)

What the file does not define stays as it is. draw and loss are TensorFlow operations; the seed is an int32 pair for
`tf.random.stateless_*`, and the same seed must give the same frames. The file is executed because the user named it,
and only with the SHA-256 that the configuration holds, once it is known.
"""

import ast
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from qcskit.codec.errors import QcsError
from qcskit.codec.files import sha256

ARGUMENTS: dict[str, tuple[int, ...]] = {
    "draw": (2, 3), "loss": (2,), "metric": (2,), "build_encoder": (2,), "build_decoder": (2,),
}  # fmt: skip
"""How many arguments each hook is called with."""


_MOST_WORDS = 300
"""Characters of an error's text that are shown: TensorFlow prints whole graphs."""


@dataclass(frozen=True)
class Hooks:
    """The hooks that a file defines; calls of them raise QcsError with the file's line."""

    path: str = ""
    functions: dict[str, Callable[..., Any]] = field(default_factory=dict)

    def has(self, name: str) -> bool:
        """Tell whether the file defines this hook."""
        return name in self.functions

    def call(self, name: str, *arguments: Any) -> Any:
        """Call a hook. Raises QcsError, naming file and line, for whatever goes wrong in it."""
        return self.guard(name, self.functions[name], *arguments)

    def guard(self, name: str, made: Callable[..., Any], *arguments: Any) -> Any:
        """Call what a hook made, and blame the file for what goes wrong, as `call` does."""
        with _blaming(self.path, self.functions[name]):
            return made(*arguments)

    def draw(self, frames: int, seed: Any, part: str) -> tuple[Any, Any]:
        """Return what `draw` draws."""
        takes_part = _takes(self.functions["draw"], max(ARGUMENTS["draw"]))
        drawn = self.call("draw", frames, seed, *([part] if takes_part else []))
        if not isinstance(drawn, tuple | list) or len(drawn) != 2:
            raise self.fail("draw", "must return x and y")
        return drawn[0], drawn[1]

    def fail(self, name: str, what: str) -> QcsError:
        """Return the error that a hook is not what it must be."""
        return QcsError(f"module '{self.path}', line {_first_line(self.functions[name])}: {name} {what}")


NO_HOOKS = Hooks()


class Module(NamedTuple):
    """A module that was read and not executed: its text, SHA-256 and the hooks that it defines."""

    text: bytes
    digest: str
    hooks: frozenset[str]


def read_module(path: str) -> Module:
    """Read a module without executing it.

    Raises QcsError if it cannot be read, is no Python, defines no hook, or a function that seems to be meant as one.
    """
    try:
        text = Path(path).read_bytes()
        body = ast.parse(text).body
    except OSError as error:
        raise QcsError(f"module '{path}' cannot be read: {error.strerror or error}") from None
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        raise QcsError(f"module '{path}', line {line}: {getattr(error, 'msg', error)}") from None
    for node in body:
        if isinstance(node, ast.FunctionDef) and node.name not in ARGUMENTS and not node.name.startswith("_"):
            for near in get_close_matches(node.name, ARGUMENTS, 1):
                raise QcsError(f"module '{path}', line {node.lineno}: there is no hook '{node.name}'; did you mean "
                               f"'{near}'? The name of a helper begins with '_'")  # fmt: skip
    hooks = frozenset(name for node in body for name in _names(node) if name in ARGUMENTS)
    if not hooks:
        raise QcsError(f"module '{path}' defines none of the hooks: {', '.join(ARGUMENTS)}")
    return Module(text, sha256(text), hooks)


def _names(node: ast.stmt) -> list[str]:
    """Return the names that a statement defines: of a function, an import or an assignment."""
    if isinstance(node, ast.FunctionDef):
        return [node.name]
    if isinstance(node, ast.ImportFrom | ast.Import):
        return [alias.asname or alias.name for alias in node.names]
    return [target.id for target in getattr(node, "targets", []) if isinstance(target, ast.Name)]


def hooks_of(path: str, digest: str) -> Hooks:
    """Return the hooks of a file, executed if its SHA-256 is `digest`; none for an empty path.

    Raises QcsError if it is another file than that, or its execution fails.
    """
    if not path:
        return NO_HOOKS
    module = read_module(path)
    if module.digest != digest:
        raise QcsError(f"module '{path}' is not the one of this training (sha256 differs), so it is not executed; put "
                       "that one back, or train again")  # fmt: skip
    return _executed(path, module)


@lru_cache
def _executed(path: str, read: Module) -> Hooks:
    module = ModuleType(f"qcskit_module_{read.digest[:16]}")
    module.__file__ = path
    sys.modules[module.__name__] = module
    folder = str(Path(path).resolve().parent)
    sys.path.insert(0, folder)  # it may import what lies beside it
    try:
        with _blaming(path, None):
            exec(compile(read.text, path, "exec"), vars(module))
    finally:
        sys.path.remove(folder)
    hooks = Hooks(path, {name: vars(module)[name] for name in sorted(read.hooks)})
    for name, function in hooks.functions.items():
        if not callable(function) or not any(_takes(function, count) for count in ARGUMENTS[name]):
            raise hooks.fail(name, f"must be a function of {' or '.join(map(str, ARGUMENTS[name]))} arguments")
    return hooks


def _takes(function: Callable[..., Any], arguments: int) -> bool:
    try:
        inspect.signature(function).bind(*range(arguments))
    except TypeError:
        return False
    return True


def _first_line(function: Any) -> Any:
    return function.__code__.co_firstlineno if inspect.isfunction(function) else "?"


@contextmanager
def _blaming(path: str, function: Callable[..., Any] | None) -> Iterator[None]:
    """Turn what goes wrong inside into a QcsError with the line of the file where it did."""
    try:
        yield
    except QcsError:
        raise
    except Exception as error:
        line, trace = _first_line(function), error.__traceback__
        while trace:
            if trace.tb_frame.f_code.co_filename == path:
                line = trace.tb_lineno
            trace = trace.tb_next
        words = " ".join(str(error).split())[:_MOST_WORDS]
        raise QcsError(f"module '{path}', line {line}: {type(error).__name__}: {words}") from error
