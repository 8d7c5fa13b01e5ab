"""The listener of a run: the caller's, and the one that shows the progress."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pgsluice.model import Listener, Phase, Progress


@contextmanager
def following(listen: Listener, *, shown: bool) -> Iterator[Listener]:
    """Yields the listener for a run.

    :param listen: the listener of the caller, which receives every event.
    :param shown: also show the progress on standard error: a bar on a terminal, lines elsewhere.
    """
    if not shown:
        yield listen
        return
    from pgsluice.report.progress import Follower

    with Follower() as follower:

        def both(event: Progress) -> None:
            if event.phase != Phase.ROLLBACK:  # it has nothing to show
                follower(event)
            listen(event)

        yield both
