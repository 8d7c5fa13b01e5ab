"""Addresses of files, what is shown of them, and the errors of opening them."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from pgsluice.errors import FileError
from pgsluice.model import Place
from pgsluice.source.unpack.signatures import Kind

EXTRAS = {
    "http": "http",
    "https": "http",
    "s3": "s3",
    "s3a": "s3",
    "gs": "gs",
    "gcs": "gs",
    "az": "az",
    "abfs": "az",
    "abfss": "az",
    "adl": "az",
    "sftp": "sftp",
    "ssh": "sftp",
}
"""The extra of pgsluice that installs what an address needs, by its scheme."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")

_USER = re.compile(r"[^/@:]*:(?![0-9]*/)[^@]*@")
"""A user with a password at the beginning of an address, and no host with a port."""

_QUERY_SCHEMES = ("http", "https", "az", "abfs", "abfss")
"""Schemes whose addresses may end in a query string. In others a question mark belongs to the name."""

SPOOL = "spool:"
"""How the address of a spooled file begins; the number of its handle follows."""


class Holds(Exception):
    """The file is an archive or a workbook: it holds files, and is none that can be read by itself."""

    def __init__(self, kind: Kind, *, packed: bool = False) -> None:
        """:param packed: the archive is compressed as a whole."""
        super().__init__(kind)
        self.kind = kind
        self.packed = packed


def is_remote(path: str) -> bool:
    """Whether the path is a URL. fsspec opens URLs."""
    return "://" in path


def scheme_of(address: str) -> str:
    """The scheme of a URL, lower case; '' for a local path."""
    found = _SCHEME.match(address)
    return found[1].lower() if found else ""


def place_of(path: str) -> Place:
    """The place that a path or an address names."""
    return Place(shown_address(path), path)


def shown_address(address: str) -> str:
    """What is shown and stored of an address: without user, password and query string, which may be secrets."""
    scheme = scheme_of(address)
    if not scheme:
        return address
    rest = address[len(scheme) + 3 :]
    if scheme in _QUERY_SCHEMES:
        rest = re.split(r"[?#]", rest, maxsplit=1)[0]
    # A password that holds a slash makes no valid address, and is a secret all the same.
    rest = _USER.sub("", rest) if scheme in ("http", "https", "sftp", "ssh") else rest
    host, slash, path = rest.partition("/")
    if "@" in host and scheme not in ("abfs", "abfss", "az"):
        host = host.rpartition("@")[2]
    return f"{scheme}://{host}{slash}{path}"


def has_secret(address: str) -> bool:
    """Whether an address has a part that is not shown."""
    return is_remote(address) and shown_address(address) != address


def without_secrets(text: str, address: str) -> str:
    """A message of a library without the parts of an address that are not shown.

    Libraries write an address in other ways than the user did. So each part is looked for by itself.
    """
    if not has_secret(address):
        return text
    text = text.replace(address, shown_address(address))
    rest = address.partition("://")[2]
    user, at, _ = rest.partition("/")[0].rpartition("@")
    split = urlsplit(address)
    secrets = {split.query, split.fragment, user if at else "", *(user.split(":") if at else ())}
    secrets |= {part.partition("=")[2] for part in split.query.split("&")}
    for secret in sorted(secrets - {""}, key=len, reverse=True):
        text = text.replace(secret, "...")
    return re.sub(r"\?[^\s'\")]*", "?...", text)


@contextmanager
def translated(place: Place | str) -> Iterator[None]:
    """Converts the exceptions of opening, listing or reading a place into a :class:`FileError`."""
    place = place_of(place) if isinstance(place, str) else place
    path = place.shown
    try:
        yield
    except (FileError, Holds):
        raise
    except FileNotFoundError as error:
        if (cause := error.__cause__) is not None and scheme_of(place.address) in ("http", "https"):
            # fsspec takes every answer of a web server for this error.
            why = without_secrets(str(cause), place.address)
            if "404" not in why:
                raise FileError(f"{path}: cannot be opened ({why})", "Check the address and the rights") from error
        raise FileError(f"{path}: no such file or folder", "Check the path") from error
    except IsADirectoryError as error:
        raise FileError(f"{path}: this is a folder", "Name a file in it") from error
    except PermissionError as error:
        raise FileError(f"{path}: not readable for this user", "Give read permission on it") from error
    except ImportError as error:
        raise _missing_package(place, error) from error
    except (OSError, EOFError, zlib.error) as error:
        raise FileError(
            f"{path}: cannot be read ({without_secrets(str(error), place.address)})", "Check that the file is whole"
        ) from error
    except Exception as error:
        # A file system of fsspec raises the exceptions of its own library.
        if not is_remote(place.address):
            raise
        raise FileError(
            f"{path}: cannot be opened ({without_secrets(str(error), place.address)})",
            "Check the address and the rights, or download the file first",
        ) from error


def _missing_package(place: Place, error: ImportError) -> FileError:
    """The error for an address whose file system is not installed."""
    extra = EXTRAS.get(scheme_of(place.address))
    if extra is None:
        return FileError(f"{place.shown}: a package is missing ({error})", "Install it, or download the file first")
    return FileError(
        f"{place.shown}: addresses of this kind need packages that are not installed here",
        f"Install them: pip install 'pgsluice[{extra}]'",
    )
