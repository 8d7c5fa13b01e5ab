"""The log of a command, for operators: ``--log-level`` and ``--log-file``.

The modules of pgsluice log through ``logging.getLogger(__name__)``. Without these options nothing receives their
records. With one of them a handler on the logger ``pgsluice`` writes one line for each record: time, level, logger,
message.
"""

from __future__ import annotations

import contextlib
import re
import sys
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Self

import typer

from pgsluice.cli.options.common import LogForm, LogLevel
from pgsluice.errors import CallError

if TYPE_CHECKING:
    import logging

    from pgsluice.model import Listener, Progress, RunResult

_NOTICES = "pgsluice.embedded"
"""The logger of :mod:`pgsluice.postgres.embedded.notices`, whose import would take a tenth of a second."""

HEARTBEAT = 60.0
"""Seconds between two lines about a step that goes on."""


class _Told:
    """What the lines of a log have in common."""

    run_id = 0
    """The run that goes on; 0 before it has a number."""


_told = _Told()

_SECRET = (
    r"(?P<before>://[^/@\s:]*:).+(?=@)"  # postgresql://user:secret@host
    r"|(?P<name>password\s*=\s*)(?:'(?:[^'\\]|\\.)*'|[^\s'&]+)"  # password=secret, sslpassword='a secret'
)
"""What stands before a password in an address of libpq, and the password."""


@contextlib.contextmanager
def log_to(level: LogLevel | None, file: str | None, form: LogForm = LogForm.TEXT) -> Iterator[None]:
    """Writes the log of pgsluice while the context lasts, with the exception that ends the context, if there is one.

    :param level: the lowest level that is written. None means info if there is a file, else no log at all.
    :param file: the path of the log; lines are appended. None means standard error.
    :param form: lines of text, or of JSON.
    :raises CallError: the file cannot be opened.
    """
    # Imported here, because ``pgsluice --help`` does without.
    import logging

    logger = logging.getLogger("pgsluice")
    handler = _handler(level, file, form)
    before = logger.level
    if handler.level:
        logger.setLevel(handler.level)
    logger.addHandler(handler)
    try:
        yield
    except typer.Exit:
        raise
    except KeyboardInterrupt:
        logging.getLogger(__name__).error("interrupted")
        raise
    except Exception as error:
        logging.getLogger(__name__).error("%s: %s", type(error).__name__, " ".join(str(error).split()))
        raise
    finally:
        _told.run_id = 0
        logger.removeHandler(handler)
        logger.setLevel(before)
        handler.close()


@contextlib.contextmanager
def show_notices() -> Iterator[None]:
    """Shows the notices of the embedded server on standard error while the context lasts, whatever the log holds."""
    import logging

    from pgsluice.report.output import note

    class Notices(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            note(record.getMessage())

    logger, handler = logging.getLogger(_NOTICES), Notices(logging.INFO)
    before = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


class Heartbeat:
    """Logs at info, once in a while, the step that goes on, so that a log tells a long step from one that hangs."""

    def __init__(self, interval: float = HEARTBEAT) -> None:
        """:param interval: seconds between two lines."""
        self._interval = interval
        self._ended = threading.Event()
        self._latest: tuple[Progress, float] | None = None
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> Self:
        import logging

        if logging.getLogger(__name__).isEnabledFor(logging.INFO):
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()

    def track(self, listen: Listener) -> Listener:
        """Returns a listener that notes the step.

        :param listen: receives all events.
        """

        def receive(event: Progress) -> None:
            before = self._latest
            same = before is not None and (event.phase, event.table) == (before[0].phase, before[0].table)
            began = before[1] if same and before is not None and event.step == before[0].step else time.monotonic()
            self._latest = event, began
            listen(event)

        return receive

    def _beat(self) -> None:
        import logging

        logger = logging.getLogger(__name__)
        while not self._ended.wait(self._interval):
            if self._latest is None:
                continue
            event, began = self._latest
            step = ": ".join(word for word in (f"{event.phase} {event.table}".rstrip(), event.step) if word)
            read = f", {event.rows} rows, {event.done} of {event.total} bytes read" if event.total else ""
            if event.phase == "build" and event.total:
                read = f", {100 * event.done // event.total}%"
            logger.info("still %s, %.0f s%s", step, time.monotonic() - began, read)


def log_steps(listen: Listener) -> Listener:
    """Returns a listener that logs each new step of a run at info, and for a table that was read its rows and bytes.

    :param listen: receives all events.
    """
    import logging

    logger = logging.getLogger(__name__)
    latest: Progress | None = None

    def receive(event: Progress) -> None:
        nonlocal latest
        before, latest = latest, event
        _told.run_id = event.run_id or _told.run_id
        # First, so that the line of the step before stands above the log line of this step.
        listen(event)
        if before is None or (event.phase, event.table, event.step) != (before.phase, before.table, before.step):
            if before is not None and before.phase == "stage" and before.done:
                counts = (before.table, before.rows, before.done, before.total)
                logger.info("stage %s: %d rows, %d of %d bytes read", *counts)
            logger.info(": ".join(word for word in (f"{event.phase} {event.table}".rstrip(), event.step) if word))

    return receive


def log_result(result: RunResult) -> None:
    """Logs at info how a run ended, a veto at warning."""
    import logging

    level = logging.WARNING if result.status == "vetoed" else logging.INFO
    read, loaded = (sum(getattr(table, name) for table in result.tables) for name in ("read", "loaded"))
    rejected, reason = result.rejects.count, result.reason and f": {result.reason}"
    logging.getLogger(__name__).log(
        level,
        "run %d %s after %.3f s: %d rows read, %d loaded, %d rejected%s%s",
        *(result.run_id, result.status, result.seconds, read, loaded, rejected, reason),
        f"; {result.target.words(result.run_id)}" if result.target else "",
    )


def _handler(level: LogLevel | None, file: str | None, form: LogForm) -> logging.Handler:
    import json
    import logging
    from datetime import datetime

    from pgsluice.report.parts import clean

    class LogFormatter(logging.Formatter):
        """One line for each record, with ISO 8601 time and zone, without passwords and control characters."""

        def format(self, record: logging.LogRecord) -> str:
            run = _told.run_id
            moment = datetime.fromtimestamp(record.created).astimezone().isoformat(timespec="milliseconds")
            said = _without_secrets(record.getMessage())
            if form is LogForm.JSON:
                line = {"time": moment, "level": record.levelname, "logger": record.name, "run": run or None}
                line["message"] = said
                if record.exc_info:
                    line["traceback"] = _without_secrets(self.formatException(record.exc_info))
                return json.dumps(line)
            if run and not said.startswith((f"run {run} ", f"run {run}:")):
                said = f"run {run}: {said}"
            first = f"{moment} {record.levelname} {record.name}: {clean(said)}"
            if not record.exc_info:
                return first
            # The lines of a traceback follow.
            rest = _without_secrets(self.formatException(record.exc_info)).splitlines()
            return "\n".join((first, *map(clean, rest)))

    class StandardError(logging.StreamHandler):  # type: ignore[type-arg]
        """Writes to the ``sys.stderr`` of the moment: bars on a terminal replace it, to stand below the lines."""

        @property
        def stream(self) -> object:
            return sys.stderr

        @stream.setter
        def stream(self, _: object) -> None: ...

    if level is None and file is None:
        # Without a handler Python would write warnings to standard error.
        return logging.NullHandler()
    handler: logging.Handler
    if file is None:
        handler = StandardError()
    else:
        try:
            handler = logging.FileHandler(file, encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            raise CallError(
                f"the log file {file} cannot be opened: {error.strerror}", "Give --log-file a path that can be written"
            ) from error
    handler.setFormatter(LogFormatter())
    handler.setLevel((level or LogLevel.INFO).upper())
    return handler


def _without_secrets(text: str) -> str:
    return re.sub(_SECRET, lambda found: f"{found['before'] or found['name']}***", text, flags=re.IGNORECASE)
