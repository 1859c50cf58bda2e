"""Which of an atlas's networks is meant."""

from __future__ import annotations

from convscope.atlas.store.reader import Network
from convscope.errors import OptionError, suggest


def matching_networks(networks: list[Network], wanted: str) -> list[Network]:
    """The networks of a name, or whose hash begins so."""
    return [
        network
        for network in networks
        if network.model == wanted or network.model_id.startswith(wanted)
    ]


def unknown_network(networks: list[Network], wanted: str) -> OptionError:
    """The error for a network that the atlas does not hold."""
    names = [network.model for network in networks] + [network.model_id[:8] for network in networks]
    return OptionError(f"{wanted!r} is not one of the atlas's networks; {suggest(wanted, names)}")
