"""Which other network judges how readable a unit's photos are."""

from __future__ import annotations

from convscope.errors import ExtraError, OptionError
from convscope.networks.load import load_model
from convscope.networks.model import Model

EMBEDDED = ("efficientnet_lite2", "efficientnet_lite1", "efficientnet_lite0")
"""What "auto" tries, the best first; only the last comes with every installation."""


def choose_judge(judge: str | None, model: Model) -> Model | None:
    """The network of that name; None for "none", and for "auto" where no other is installed.

    Raises:
        OptionError: the network that is looked into.
    """
    if judge in (None, "", "none"):
        return None
    if judge != "auto":
        other = load_model(judge)
        if other.identity == model.identity:
            raise OptionError(
                f"judge= must be another network than the one looked into; {judge!r} is the same."
            )
        return other
    for name in EMBEDDED:
        try:
            other = load_model(f"embedded:{name}")
        except ExtraError:
            continue
        if other.identity != model.identity:
            return other
    return None
