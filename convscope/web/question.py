"""What a request asks, checked: its photo, its layer, the arguments of its verb."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass

from fastapi import Request

from convscope.core.types import JsonObject
from convscope.networks.concept_layer import is_concept_layer
from convscope.web import recipes, schemas
from convscope.web.errors import Refusal
from convscope.web.microscope import PICTURE, Microscope
from convscope.web.photos import Photo

WATCHER, LONGEST_WATCHER = "watcher", 40
"""The part of an address in which a page names itself, and the characters read of that."""

_BETWEEN_UNITS = re.compile(r",(?!\s*\d+\s*(?:,|$))")
"""A comma that is followed by more than a number: the comma in layer:index:row,column is not."""

OPTIMIZED = ("activation_grid", "visualize")
"""Verbs whose pictures are optimized, which takes long."""


@dataclass(frozen=True)
class Question:
    """A verb with checked arguments, and the photo it is asked about."""

    verb: str
    arguments: JsonObject
    photo: Photo | None

    @property
    def is_quick(self) -> bool:
        """Whether it is answered at once."""
        if self.verb == "explain":
            return schemas.is_quick(str(self.arguments.get("method", "grad_cam")))
        return self.verb not in OPTIMIZED


async def question_of(
    microscope: Microscope, request: Request, verb: str | None = None, *, watched: bool = False
) -> Question:
    """The question of a request; the verb is the route's, or the one that the request names. A
    `watched` one may say who watches."""
    name = request.query_params.get("verb", "") if verb is None else verb
    others: tuple[str, ...] = () if verb is not None else ("verb",)
    others = (*others, WATCHER) if watched else others
    others = others if name in recipes.WITHOUT_PHOTO else (*others, "photo")
    arguments, rest = checked_arguments(microscope, request, name, others)
    if name in recipes.WITHOUT_PHOTO:
        # So that the copied command holds them too.
        return Question(name, PICTURE | arguments, None)
    return Question(name, arguments, await photo_of(microscope, rest.get("photo", "")))


def watcher_of(request: Request) -> str:
    """The name that a page gave itself."""
    return request.query_params.get(WATCHER, "")[:LONGEST_WATCHER]


def checked_arguments(
    microscope: Microscope, request: Request, verb: str, others: tuple[str, ...]
) -> tuple[JsonObject, dict[str, str]]:
    """The arguments of a verb, and what else the request holds under the names in `others`."""
    query = dict(request.query_params)
    if len(request.query_params.multi_items()) != len(query):
        raise Refusal(400, "Every part of an address may be there once.")
    rest = {name: query.pop(name) for name in others if name in query}
    arguments = schemas.arguments(verb, query)
    for name in ("layer", "layers"):
        for text in _listed(arguments.get(name)):
            layer_of(microscope, text)
    for name in ("unit", "units"):
        for text in units_of(arguments.get(name)):
            microscope.layers.unit(text)
    for name in recipes.POSITIONAL.get(verb, ()):
        if name not in arguments:
            raise Refusal(400, f"{verb} needs {name}= in the address.")
    return arguments, rest


def layer_of(microscope: Microscope, name: str) -> str:
    """A layer that the network has; no patterns, which could name them all."""
    if is_concept_layer(name):
        raise Refusal(400, "A layer that names a file cannot be asked for over a connection.")
    layer = microscope.layers[name]
    return name if "#" in name else layer.name


def units_of(value: object) -> list[str]:
    """Units as a list, from text with commas; the comma of a neuron's place does not part them."""
    if value is None:
        return []
    if isinstance(value, (list, tuple)):
        return [str(text) for text in value]
    return [text.strip() for text in _BETWEEN_UNITS.split(str(value))]


async def photo_of(microscope: Microscope, number: str) -> Photo:
    """The photo of a number; a sample is read in another thread when it is first wanted."""
    photos = microscope.photos
    held = photos.held(number)
    return held if held is not None else await asyncio.to_thread(photos.get, number)


def _listed(value: object) -> list[str]:
    if value is None:
        return []
    texts = value if isinstance(value, (list, tuple)) else str(value).split(",")
    return [str(text).strip() for text in texts]
