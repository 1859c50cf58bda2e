"""Fetching from the Hugging Face hub without a minute of retries where it cannot be reached."""

from __future__ import annotations

import logging
import socket
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit


@contextmanager
def hub() -> Iterator[None]:
    """Inside, the hub's client looks only into its cache if the hub's name cannot be resolved, and
    says nothing on its own."""
    from huggingface_hub import constants

    before, logger = constants.HF_HUB_OFFLINE, logging.getLogger("huggingface_hub")
    level = logger.level
    try:
        constants.HF_HUB_OFFLINE = before or not _is_reachable(constants.ENDPOINT)
        logger.setLevel(logging.CRITICAL)
        yield
    finally:
        constants.HF_HUB_OFFLINE = before
        logger.setLevel(level)


def _is_reachable(address: str) -> bool:
    """Whether the address has a name that resolves; behind a proxy that is the proxy's business."""
    if urllib.request.getproxies():
        return True
    try:
        socket.getaddrinfo(urlsplit(address).hostname, None)
    except OSError:
        return False
    return True
