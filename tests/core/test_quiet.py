"""What is kept quiet is kept so for one thread or block, and comes back."""

from __future__ import annotations

import logging
import threading
import warnings

import pytest

from convscope.core.quiet import without_log_messages, without_warnings
from convscope.core.shared_block import SharedBlock


class Records(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def emit(self, record):
        self.messages.append(record.getMessage())


@pytest.fixture
def records():
    logger, handler = logging.getLogger("library.part"), Records()
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


def test_only_this_thread_and_library_are_quiet(records):
    other = logging.getLogger("librarian")
    other.addHandler(records)
    with without_log_messages("library"):
        logging.getLogger("library.part").error("mine")
        thread = threading.Thread(target=logging.getLogger("library.part").error, args=["theirs"])
        thread.start()
        thread.join()
        other.error("another library")
    logging.getLogger("library.part").error("afterwards")
    other.removeHandler(records)
    assert records.messages == ["theirs", "another library", "afterwards"]
    assert logging.root.manager.disable == 0
    assert not logging.getLogger("library.part").filters


def test_warning_filters_come_back_after_overlapping_blocks():
    """The first of two blocks ends while the second one goes on."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        before = list(warnings.filters)
        inside, first_ended = threading.Event(), threading.Event()

        def second():
            with without_warnings:
                inside.set()
                first_ended.wait(5)
                warnings.warn("not shown", stacklevel=1)

        thread = threading.Thread(target=second)
        with without_warnings:
            thread.start()
            assert inside.wait(5)
            warnings.warn("not shown", stacklevel=1)
        first_ended.set()
        thread.join()
        assert list(warnings.filters) == before
        with pytest.raises(UserWarning, match="shown"):
            warnings.warn("shown", stacklevel=1)


def test_a_block_is_left_when_something_raises():
    calls: list[str] = []

    class Block:
        def __enter__(self):
            calls.append("in")

        def __exit__(self, *error):
            calls.append("out")

    shared = SharedBlock(Block)
    with pytest.raises(LookupError), shared, shared:
        raise LookupError
    assert calls == ["in", "out"]
