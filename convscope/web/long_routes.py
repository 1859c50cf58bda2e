"""Long work: its events while it runs, stopping it, and the picture that came of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from fastapi import Request
from fastapi.responses import Response, StreamingResponse

from convscope.core.types import JsonObject
from convscope.results.details import ImagesDetails
from convscope.results.result import Result
from convscope.web import answers, drawing
from convscope.web.errors import Refusal
from convscope.web.exchange import (
    client_of,
    download,
    event_bytes,
    json_response,
    result_of,
    while_open,
)
from convscope.web.limits import UNITS_AT_ONCE
from convscope.web.microscope import Microscope
from convscope.web.question import Question, question_of, units_of, watcher_of

RETRY = b"retry: 500\n\n"
"""Milliseconds after which a browser opens a lost stream of events anew."""


class LongRoutes:
    """What each address of the long lane does."""

    def __init__(self, microscope: Microscope) -> None:
        self.microscope = microscope

    async def watch(self, request: Request) -> Response:
        """Unfinished pictures as events, then the result. Work ends when its page leaves, and a
        while after its connection is lost."""
        key, call = self._work(await question_of(self.microscope, request, watched=True))
        name = watcher_of(request)
        events = self.microscope.long.watch(key, call, self.microscope.draw, _finished, name)
        first = await anext(events)  # so that a full queue is a refusal and not a broken stream

        async def stream() -> AsyncIterator[bytes]:
            try:
                yield RETRY
                yield event_bytes(first)
                async for event in events:
                    yield event_bytes(event)
            finally:
                await events.aclose()

        return StreamingResponse(stream(), media_type="text/event-stream")

    async def stop(self, request: Request) -> Response:
        """End work after its running step; what was made so far is kept."""
        key, _ = self._work(await question_of(self.microscope, request))
        return json_response({"stopped": self.microscope.long.stop(key)})

    async def leave(self, request: Request) -> Response:
        """A page is closed or shows something else: what only it watched ends."""
        key, _ = self._work(await question_of(self.microscope, request, watched=True))
        return json_response({"left": self.microscope.long.leave(key, watcher_of(request))})

    async def png(self, request: Request) -> Response:
        """The picture of work that is done, or was stopped; not of work that still runs."""
        asked = await question_of(self.microscope, request)
        key, _ = self._work(asked)
        if self.microscope.long.is_running(key):
            raise Refusal(
                409, "This picture is still being made: wait until it is done, or stop it."
            )
        result = self.microscope.long.result(key)
        if result is None:
            raise Refusal(404, "This picture is not held here any more; make it again.")
        drawn = self.microscope.quick.submit(result.png, client=client_of(request))
        return download(await while_open(request, result_of(drawn)), f"{asked.verb}.png")

    def _work(self, asked: Question) -> tuple[str, Callable[[], Result]]:
        """The key of a piece of work, and the call that does it."""
        microscope = self.microscope
        if asked.is_quick and asked.verb != "explain":
            raise Refusal(400, f"{asked.verb} is quick: it is not asked for as work.")
        number = asked.photo.id if asked.photo else None
        key = microscope.key(asked.verb, number, asked.arguments, "work")
        if asked.photo is not None:
            return key, microscope.on_copy(asked.verb, asked.photo.exact, **asked.arguments)
        named = dict(asked.arguments)
        units = units_of(named.pop("units"))
        if len(units) > UNITS_AT_ONCE:
            raise Refusal(400, f"At most {UNITS_AT_ONCE} units can be drawn at once.")
        return key, microscope.on_copy(asked.verb, units if len(units) > 1 else units[0], **named)


def _finished(result: Result) -> JsonObject:
    """What the last event says of a result."""
    if result.verb == "explain":
        return {"explanation": answers.explanation(result)}
    details = result.details_as(ImagesDetails)
    return {
        "image": drawing.images(result["image"]),
        "titles": details.titles,
        "ended": details.ended,
        "step": result["score"].shape[-1],
        "dead": details.dead,
    }
