"""Signals that end a command: each of them ends it as Ctrl-C does, with a message and an exit code."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType

_ENDING = ("SIGINT", "SIGTERM", "SIGHUP")
_IMPATIENCE = 2.0
"""Seconds after a signal in which another one does nothing, so that the end of the run is still recorded."""


class Stopped(KeyboardInterrupt):
    """A signal ends the command. The text says which signal; '' for Ctrl-C."""

    def __init__(self, number: int) -> None:
        super().__init__("" if number == signal.SIGINT else f"interrupted by {signal.Signals(number).name}")
        self.exit_code = 128 + number


@contextlib.contextmanager
def ending_signals() -> Iterator[None]:
    """Turns the signals that end a process into :class:`Stopped` while the context lasts.

    A signal that the process ignores (``nohup``, a command in the background of a script) stays ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    latest = -_IMPATIENCE

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal latest
        now = time.monotonic()
        if now - latest >= _IMPATIENCE:
            latest = now
            raise Stopped(number)

    before = {}
    for name in _ENDING:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            before[number] = signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
