"""The options that say how the bytes of files become text: encodings, NUL bytes."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from contextlib import suppress

from pgsluice.errors import CallError


def parse_encodings(given: str | Sequence[str] | None) -> tuple[tuple[str, str], ...]:
    """Returns ``--encoding`` as (glob, encoding) pairs; the glob is '' for the encoding of all files.

    :raises CallError: Python has no text codec of a name.
    """
    texts = [given] if isinstance(given, str) else given or ()
    pairs = [text.rpartition("=") for text in texts]
    return tuple((glob, codec_name(name.strip())) for glob, _, name in pairs)


def codec_name(encoding: str) -> str:
    """Returns Python's name of an encoding.

    :raises CallError: Python has no text codec of this name.
    """
    try:
        # Decoding also refuses codecs that do not decode text, such as base64.
        with suppress(UnicodeError):
            b"a".decode(encoding)
        name = codecs.lookup(encoding).name
    except LookupError as error:
        raise CallError(
            f"encoding {encoding!r} is unknown", "Use a name such as utf-8, latin-1, cp1252, utf-16"
        ) from error
    return "utf-8" if name == "utf-8-sig" else name


def parse_nul(given: str) -> bool:
    """Returns ``--nul``: whether NUL bytes are removed.

    :raises CallError: the value is neither ``reject`` nor ``strip``.
    """
    if given not in ("reject", "strip"):
        raise CallError(f"--nul {given!r} is neither reject nor strip", "Say --nul reject or --nul strip")
    return given == "strip"
