"""The one command `qcskit`. Subcommands import their component only when they run."""

import importlib
import sys

import typer

from qcskit.cli.common import console, error_console

_VERBS = ("train", "sweep", "export", "simulate", "hil", "ports", "compare", "decode", "inspect", "package", "report",
          "demo", "profile", "boards", "doctor")  # fmt: skip
"""Subcommand modules of this package, in the order of the work; each has `register(app)`. Add yours."""


def build_app() -> typer.Typer:
    """Return the command line with every subcommand."""
    app = typer.Typer(
        name="qcskit",
        help="Train, export, simulate and measure bit-saving sensor codecs on microcontrollers.\n\n"
        "The usual order: train → export → simulate → hil → report; 'qcskit demo' runs them all.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @app.callback()
    def options(
        version: bool = typer.Option(False, "--version", help="Print the version and exit.", callback=_print_version,
                                     is_eager=True),
    ) -> None:  # fmt: skip
        """Options before the subcommand."""

    for verb in _VERBS:
        importlib.import_module(f"qcskit.cli.{verb}").register(app)
    return app


def main() -> None:
    """Run the command line; user errors become one line on stderr and an exit code (1 check failed, 2 wrong input)."""
    try:
        build_app()()
    except KeyboardInterrupt:
        error_console.print("interrupted")
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(141)
    except Exception as error:
        exit_code = getattr(error, "exit_code", None)
        if not isinstance(exit_code, int):
            raise
        error_console.print(f"[bold red]error:[/] {_escape(str(error))}", soft_wrap=True, highlight=False)
        sys.exit(exit_code)


def _escape(text: str) -> str:
    from rich.markup import escape

    return escape(" ".join(text.split()))


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        console.print(f"qcskit {version('qcskit')}", highlight=False)
        raise typer.Exit
