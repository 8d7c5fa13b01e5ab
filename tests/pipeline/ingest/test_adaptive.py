"""The way of a block: typed only with time to spare, and only while it is the faster way."""

from __future__ import annotations

from pgsluice.pipeline.ingest.adaptive import Backoff, FormatChooser

MB = 1 << 20


def _measured(text: float, binary: float) -> FormatChooser:
    """A pace with a block waiting, after a few blocks of both ways that took these seconds for 8 MB."""
    pace = FormatChooser()
    for _ in range(3):
        pace.block_read()
    pace.block_taken()
    pace.block_sent(binary=False, size=8 * MB, seconds=text)
    for _ in range(4):
        pace.block_sent(binary=True, size=8 * MB, seconds=binary)
    return pace


def test_nothing_is_typed_while_the_sender_has_nothing_else() -> None:
    pace = FormatChooser()
    assert not pace.prefers_binary(8 * MB)
    pace.block_read()
    assert pace.prefers_binary(8 * MB)
    pace.block_taken()
    assert not pace.prefers_binary(8 * MB)


def test_small_blocks_are_not_typed() -> None:
    pace = FormatChooser()
    pace.block_read()
    assert not pace.prefers_binary(2 * MB)


def test_the_faster_way_is_taken() -> None:
    assert _measured(text=0.20, binary=0.14).prefers_binary(8 * MB)
    assert not _measured(text=0.20, binary=0.195).prefers_binary(8 * MB)
    assert not _measured(text=0.20, binary=0.40).prefers_binary(8 * MB)


def test_some_blocks_go_as_the_file_has_them_for_comparison() -> None:
    pace = _measured(text=0.20, binary=0.14)
    for _ in range(20):
        pace.block_sent(binary=True, size=8 * MB, seconds=0.14)
    assert not pace.prefers_binary(8 * MB)
    pace.block_sent(binary=False, size=8 * MB, seconds=0.2)
    assert pace.prefers_binary(8 * MB)


def test_what_fails_again_and_again_is_tried_less_and_less() -> None:
    patience = Backoff()
    tried = []
    for turn in range(24):
        if patience.now():
            tried.append(turn)
            patience.tried(well=turn in (0, 1, 16))
    assert tried == [0, 1, 2, 4, 8, 16, 17, 19, 23]
