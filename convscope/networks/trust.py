"""Which files run code when they are opened, and the one sentence that asks before it."""

from __future__ import annotations

from convscope.errors import ModelError


def require_trust(trust: bool, file: str, reason: str) -> None:
    """Ask for the user's word before a file is opened that may run code.

    To trust a file is to run what its author wrote, with all that this program's user may do.

    Raises:
        ModelError: the file is not trusted.
    """
    if not trust:
        raise ModelError(
            f"{file!r} is not opened: {reason}. If you know who made it, say trust=True (on the"
            " command line --trust)."
        )
