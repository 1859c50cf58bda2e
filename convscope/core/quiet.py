"""Warnings and log messages of other libraries, kept from users to whom they say nothing."""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from convscope.core.shared_block import SharedBlock


@contextmanager
def _ignored_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


without_warnings = SharedBlock(_ignored_warnings)
"""Inside `with without_warnings:` no warning is shown; the host program's filters come back when
the last of several overlapping blocks ends."""


class _OfOtherThreads(logging.Filter):
    """Lets the records of all other threads through."""

    def __init__(self) -> None:
        super().__init__()
        self.thread = threading.get_ident()

    def filter(self, record: logging.LogRecord) -> bool:
        return record.thread != self.thread


@contextmanager
def without_log_messages(library: str) -> Iterator[None]:
    """Inside the block this thread logs nothing to the loggers that `library` has by now; levels,
    handlers, other loggers and other threads are left alone."""
    keep = _OfOtherThreads()
    loggers = [
        logger
        for name, logger in list(logging.root.manager.loggerDict.items())
        if isinstance(logger, logging.Logger) and f"{name}.".startswith(f"{library}.")
    ]
    for logger in loggers:
        logger.addFilter(keep)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(keep)
