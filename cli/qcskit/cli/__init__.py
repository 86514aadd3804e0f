"""The one command `qcskit`. Subcommands import their component only when they run."""

import errno
import importlib
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from inspect import getdoc
from io import TextIOWrapper
from typing import Any

import typer
from rich.markup import escape
from rich.text import Text
from typer.core import TyperGroup

from qcskit.cli.common import console, error_console
from qcskit.codec.errors import QcsError
from qcskit.codec.foreign import one_line

_VERBS = (
    "advise", "train", "sweep", "export", "design", "simulate", "hil", "ports", "compare", "encode", "decode",
    "inspect", "package", "new", "firmware", "flash", "report", "demo", "profile", "boards", "config", "doctor",
)  # fmt: skip
"""The subcommands in the order of the work: each a module of this package with a function of its name, whose docstring
is its help; a `Command` in it is its class. Add yours."""

DEFECT = 70
"""Exit code of a defect of the kit: EX_SOFTWARE of sysexits.h."""

_NOT_OURS = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What the operating system refuses whatever a program does: not a defect."""


class _BrokenOffError(Exception):
    """The user broke a subcommand off."""


class _UnreadError(Exception):
    """Who read the output, such as `head`, has ended."""


class _Verbs(TyperGroup):
    """All subcommands. Typer would say "Aborted." to an input that ends early, and nothing to what is broken off.

    It would end with 1, a check that failed, where nobody reads the output any more, such as a help's.
    """

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        """Read the options before the subcommand; `--help` and `--version` print here."""
        with _endings():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: Any) -> Any:
        """Run one of them."""
        with _endings():
            return super().invoke(ctx)


@contextmanager
def _endings() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt as error:
        raise _BrokenOffError from error
    except BrokenPipeError as error:
        raise _UnreadError from error
    except SystemExit as error:
        if isinstance(error.__context__, BrokenPipeError):  # Rich makes it one
            raise _UnreadError from error
        raise
    except EOFError as error:
        what = f"something that was read ended early ({str(error) or 'no more data'})"
        raise QcsError(f"{what}: is a file cut short, or is a terminal needed?") from error


def build_app() -> typer.Typer:
    """Return the command line with every subcommand."""
    app = typer.Typer(
        name="qcskit",
        cls=_Verbs,
        help="Train, export, simulate and measure bit-saving sensor codecs on microcontrollers.\n\n"
        "The usual order: train → export → simulate → hil → report; 'qcskit demo' runs them all.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    version = typer.Option(False, "--version", help="Print the version and exit.", callback=_version, is_eager=True)

    @app.callback()
    def options(version: bool = version) -> None:
        """Options before the subcommand."""

    for verb in _VERBS:
        module = vars(importlib.import_module(f"qcskit.cli.{verb}"))
        app.command(verb, cls=module.get("Command"), help=escape(getdoc(module[verb]) or ""))(module[verb])
    return app


def main() -> None:
    """Run the command line; what a user can act on becomes one line on stderr and an exit code.

    1: a check failed. 2: wrong use or input. 70: a defect, with its traceback. 130: broken off. 141: nobody reads the
    output any more. What a terminal's encoding has no character for is shown as an escape.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        build_app()()
    except (KeyboardInterrupt, _BrokenOffError):
        error_console.print("interrupted")
        sys.exit(130)
    except _UnreadError:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())  # Python writes what is left at its end
        sys.exit(141)
    except QcsError as error:
        _print_error(error)
        sys.exit(error.exit_code)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _NOT_OURS:
            _print_error(error)
            sys.exit(QcsError.exit_code)
        error_console.print(traceback.format_exc().rstrip(), soft_wrap=True, highlight=False)
        error_console.print("a defect of qcskit: please report it, with the command and these lines", soft_wrap=True)
        sys.exit(DEFECT)


def _print_error(error: Exception) -> None:
    error_console.print(Text("error:", "bold red"), one_line(error), soft_wrap=True, highlight=False)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        console.print(f"qcskit {version('qcskit')}", highlight=False)
        raise typer.Exit
