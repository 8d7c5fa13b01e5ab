"""Work ahead: order, errors, and that the thread ends when nobody wants any more."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator

import pytest

from pgsluice.pipeline.prefetch import Prefetch


def _threads() -> Iterator[str]:
    return (t.name for t in threading.enumerate())


def test_items_come_in_their_order_and_no_more_wait_than_may() -> None:
    made: list[int] = []

    def items() -> Generator[int, None, None]:
        for n in range(10):
            made.append(n)
            yield n

    ahead = Prefetch(items(), 2, "ahead-test")
    taken = []
    for n in ahead:
        taken.append(n)
        # One that is taken, two that wait, one that waits to wait.
        assert len(made) <= n + 4
    ahead.close()
    assert taken == list(range(10))
    assert "ahead-test" not in _threads()


def test_what_the_work_raises_is_raised_to_the_taker() -> None:
    def items() -> Generator[int, None, None]:
        yield 1
        raise KeyError("gone")

    taken = iter(Prefetch(items(), 2, "ahead-test"))
    assert next(taken) == 1
    with pytest.raises(KeyError, match="gone"):
        next(taken)


def test_closed_early_the_work_is_closed_too() -> None:
    closed = threading.Event()

    def items() -> Generator[int, None, None]:
        n = 0
        try:
            while True:
                yield n
                n += 1
        finally:
            closed.set()

    ahead = Prefetch(items(), 2, "ahead-test")
    assert next(iter(ahead)) == 0
    ahead.close()
    assert closed.is_set()
    assert "ahead-test" not in _threads()
