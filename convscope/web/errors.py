"""Refusals: an HTTP status and a sentence."""

from __future__ import annotations

from convscope.errors import InputError


class Refusal(InputError):
    """A request that is answered with a status and a sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class Busy(Refusal):
    """A queue is full."""

    def __init__(self, what: str) -> None:
        super().__init__(429, f"Too much is waiting already ({what}); try again in a moment.")
