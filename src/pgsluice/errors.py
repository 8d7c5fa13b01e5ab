"""The errors that the public functions raise. Each error says what happened, where, and what to do.

The command line prints ``message`` and ``remedy`` of a :class:`SluiceError` on one line, without a traceback, and exits
with the error's ``exit_code``. The table of exit codes in ``docs/reference/exit-codes.md`` comes from these codes.
"""

from __future__ import annotations

from collections.abc import Sequence


class SluiceError(Exception):
    """The base class of all errors that pgsluice raises on purpose.

    :param message: what happened and where, on one line, without a final stop.
    :param remedy: what the reader can do, on one line.
    :param details: further lines where one error has several causes, each with its own remedy.
    """

    exit_code = 2

    def __init__(self, message: str, remedy: str = "", details: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.details = tuple(details)

    @property
    def line(self) -> str:
        """Message and remedy, without the details."""
        return f"{self.message}. {self.remedy}" if self.remedy else self.message

    def __str__(self) -> str:
        return "\n".join((self.line, *self.details))


class CallError(SluiceError):
    """An option, its value, or a combination of options is wrong."""


class FileError(SluiceError):
    """A file or folder is missing or unreadable, a folder holds no CSV file, or a file is not what its name says or has
    changed since it was planned.
    """


class MappingError(SluiceError):
    """Files and tables do not fit: a table or a column does not exist, or a required column is missing."""


class SchemaFileError(SluiceError):
    """The file given with ``--schema`` cannot be applied."""


class AccountingError(SluiceError):
    """read = loaded + rejected does not hold, and nothing was published. This error is a defect of pgsluice."""


BooksError = AccountingError
"""The name of :class:`AccountingError` in pgsluice 0.1.0."""


class DatabaseError(SluiceError):
    """The database cannot be reached, refuses a statement, or has a ledger that this release cannot use."""

    exit_code = 3


class ConnectError(DatabaseError):
    """The connection fails: wrong address, server down, wrong password, or a database that does not exist.

    :param passes: the server is there and accepts a connection in a moment, so that a run tries again.
    """

    def __init__(self, message: str, remedy: str = "", *, passes: bool = False) -> None:
        super().__init__(message, remedy)
        self.passes = passes


class PrivilegeError(DatabaseError):
    """The role lacks a right that the command needs."""


class LockedError(DatabaseError):
    """Another session has locked a table, and ``no_wait`` is set or the time to wait is over."""


class ServerError(DatabaseError):
    """The embedded server cannot be started, stopped or found."""


class NoServerError(ServerError):
    """No address was given, and there is no embedded server."""
