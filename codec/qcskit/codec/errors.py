"""Errors a user can act on: one line that says what was wrong, where, and what to do."""


class QcsError(Exception):
    """Wrong input or use; the command line prints the message without a traceback and exits with 2.

    >>> from qcskit.codec import QcsError, open_codec
    >>> try:
    ...     open_codec("nowhere")
    ... except QcsError as error:
    ...     print(error)
    bundle 'nowhere' does not exist; write one with 'qcskit export' or 'qcskit design'
    """

    exit_code = 2


class MissingLibraryError(QcsError):
    """A library that an extra brings is not installed; the message names both."""


class CheckFailedError(QcsError):
    """A comparison or a measurement did not hold; the command line exits with 1."""

    exit_code = 1
