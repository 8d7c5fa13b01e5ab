"""A generator that runs ahead of its consumer, in a thread of its own."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator
from contextlib import closing
from typing import Generic, TypeVar

T = TypeVar("T")


class Prefetch(Generic[T]):
    """An iterator over the items of a generator, which a thread produces some items ahead.

    An exception of the generator is raised again in the consumer. :meth:`close` ends the thread early and closes the
    generator.
    """

    def __init__(self, items: Generator[T, None, None], ahead: int, name: str) -> None:
        """:param ahead: how many items may wait for the consumer.
        :param name: the name of the thread.
        """
        self._items = items
        self._queue: queue.Queue[T | BaseException | None] = queue.Queue(ahead)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[T]:
        while (item := self._queue.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item

    def close(self) -> None:
        """Stops the thread and waits for its end."""
        self._stop.set()
        while self._thread.is_alive():
            try:
                self._queue.get(timeout=0.05)
            except queue.Empty:
                continue

    def _run(self) -> None:
        end: BaseException | None = None
        try:
            with closing(self._items):
                for item in self._items:
                    if not self._put(item):
                        return
        except BaseException as error:
            end = error
        self._put(end)

    def _put(self, item: T | BaseException | None) -> bool:
        """Hands an item over; False if the consumer has closed the iterator."""
        while not self._stop.is_set():
            try:
                self._queue.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False
