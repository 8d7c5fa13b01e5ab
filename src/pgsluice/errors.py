"""One hierarchy of errors. Each one carries what happened, where, and what to do.

A user's mistake never ends in a traceback: the command line prints ``message`` and ``remedy`` of a
:class:`SluiceError` on one line and leaves with its ``exit_code``. The table of exit codes in
``docs/reference/exit-codes.md`` is made of the codes below.
"""

from __future__ import annotations


class SluiceError(Exception):
    """pgsluice cannot go on.

    :param message: what happened and where, one line, no final stop.
    :param remedy: what the reader can do about it, one line.
    """

    exit_code = 2

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}. {self.remedy}" if self.remedy else self.message


class CallError(SluiceError):
    """The call itself is wrong: an option, a value, a combination."""


class FileError(SluiceError):
    """A file or folder is missing, unreadable, empty of CSV, or not what its name says."""


class MappingError(SluiceError):
    """Files and tables do not fit: no table, no column, a required column missing."""


class SchemaFileError(SluiceError):
    """The file given with ``--schema`` cannot be applied."""


class AccountingError(SluiceError):
    """read = loaded + rejected does not hold; nothing was published. This is a defect of pgsluice."""


BooksError = AccountingError
"""The name of :class:`AccountingError` in 0.1."""


class DatabaseError(SluiceError):
    """The database cannot be reached or refuses."""

    exit_code = 3


class ConnectError(DatabaseError):
    """No connection: wrong address, server down, wrong password, no such database."""


class PrivilegeError(DatabaseError):
    """The role lacks a right that the load needs."""


class LockedError(DatabaseError):
    """Somebody else holds the tables and the caller did not want to wait (any longer)."""


class ServerError(DatabaseError):
    """The embedded server cannot be started, stopped or found."""
