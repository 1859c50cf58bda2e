"""Quick questions: each route checks what was asked and answers it in the quick lane."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import Request
from fastapi.responses import Response

from convscope.core.types import JsonObject
from convscope.photos.upload import decode_upload
from convscope.web import answers, recipes
from convscope.web.errors import Refusal
from convscope.web.exchange import (
    body_of,
    client_of,
    download,
    json_bytes,
    json_response,
    result_of,
    safe_name,
    while_open,
)
from convscope.web.limits import FRAME_BYTES, FRAME_PIXELS, UPLOAD_BYTES
from convscope.web.microscope import Microscope
from convscope.web.photos import Photo
from convscope.web.question import Question, checked_arguments, layer_of, photo_of, question_of
from convscope.web.quick import Answer


class QuickRoutes:
    """What each address of the quick lane does."""

    def __init__(self, microscope: Microscope) -> None:
        self.microscope = microscope

    async def state(self, request: Request) -> Response:
        """The network, its layers, methods and photos."""
        return await self._answer(request, "state", self.microscope.state, keep=False)

    async def photo(self, number: str) -> Response:
        """A photo as the page shows it."""
        photo = await photo_of(self.microscope, number)
        return Response(photo.display, media_type="image/jpeg")

    async def thumbnail(self, number: str) -> Response:
        """A photo, small."""
        photo = await photo_of(self.microscope, number)
        return Response(photo.thumbnail, media_type="image/jpeg")

    async def add_photo(self, request: Request) -> Response:
        """Take in a photo that is sent."""
        data = await body_of(request, UPLOAD_BYTES)
        name = safe_name(request.query_params.get("name", ""))
        added = self.microscope.quick.submit(
            lambda: self.microscope.photos.add(data, name), client=client_of(request)
        )
        return json_response((await while_open(request, result_of(added))).to_json())

    async def frame(self, request: Request) -> Response:
        """One frame of a camera: looked at, answered, and not kept. Of a page's frames that wait
        only the newest is looked at; the older ones are answered with nothing (204)."""
        microscope = self.microscope
        arguments, rest = checked_arguments(microscope, request, "explain", ("tiles",))
        asked = Question("explain", arguments, None)
        if not asked.is_quick:
            raise Refusal(
                400,
                f"{arguments['method']} is too slow for a camera's frames; choose a quick method,"
                " or freeze a frame as a photo and explain that.",
            )
        layers = [layer_of(microscope, rest["tiles"])] if rest.get("tiles") else []
        data = await body_of(request, FRAME_BYTES)

        def work() -> JsonObject:
            image = decode_upload(data, most_pixels=FRAME_PIXELS)
            box = microscope.model.preprocessing.box(*image.shape[-2:])
            seen = answers.look(microscope, microscope.model.fit(image), arguments, layers)
            return {**seen, "box": box, "height": image.shape[-2], "width": image.shape[-1]}

        answer = microscope.quick.submit_newest(
            lambda: json_bytes(work()), client=client_of(request), slot="frame"
        )
        body = await while_open(request, result_of(answer))
        if body is None:
            return Response(status_code=204)
        return Response(body, media_type="application/json")

    async def look(self, request: Request) -> Response:
        """Predictions, heat and the tiles of all stages."""
        asked = await question_of(self.microscope, request, "explain")
        photo = _photo(asked)
        return await self._about(
            request,
            "look",
            asked,
            lambda: answers.look_at_photo(self.microscope, photo, asked.arguments),
        )

    async def explain(self, request: Request) -> Response:
        """Heat by a quick method."""
        asked = await question_of(self.microscope, request, "explain")
        _require_quick(asked)
        fitted = _photo(asked).fitted
        return await self._about(
            request,
            "explain",
            asked,
            lambda: answers.explain(self.microscope, fitted, asked.arguments),
        )

    async def layer(self, request: Request) -> Response:
        """One layer's channels."""
        name = layer_of(self.microscope, request.query_params.get("layer", ""))
        photo = await photo_of(self.microscope, request.query_params.get("photo", ""))
        key = self.microscope.key("layer", photo.id, {"layer": name})
        return await self._answer(request, key, lambda: answers.layer(self.microscope, photo, name))

    async def unit(self, request: Request) -> Response:
        """Where a unit fires, and what the atlas knows of it."""
        name = request.query_params.get("unit", "")
        self.microscope.layers.unit(name)
        photo = await photo_of(self.microscope, request.query_params.get("photo", ""))
        key = self.microscope.key("unit", photo.id, {"unit": name})
        return await self._answer(request, key, lambda: answers.unit(self.microscope, photo, name))

    async def intervene(self, request: Request) -> Response:
        """The answer with a unit silenced or strengthened."""
        asked = await question_of(self.microscope, request, "intervene")
        fitted = _photo(asked).fitted
        return await self._about(
            request,
            "intervene",
            asked,
            lambda: answers.intervention(self.microscope, fitted, asked.arguments),
        )

    async def place(self, request: Request) -> Response:
        """What one place excites and says."""
        asked = await question_of(self.microscope, request, "place")
        photo = _photo(asked)
        return await self._about(
            request, "place", asked, lambda: answers.place(self.microscope, photo, asked.arguments)
        )

    async def png(self, request: Request) -> Response:
        """The picture that the command line writes."""
        asked = await question_of(self.microscope, request)
        _require_quick(asked)

        def work() -> Answer:
            body = answers.png(self.microscope, asked.photo, asked.verb, asked.arguments)
            return Answer(body, "image/png")

        key = self._key("png", asked)
        waiting = self.microscope.quick.answer(key, work, client=client_of(request))
        answer = await while_open(request, waiting)
        return download(answer.body, f"{asked.verb}.png")

    async def recipe(self, request: Request) -> Response:
        """The command line and the Python that give the same."""
        asked = await question_of(self.microscope, request)
        call = recipes.Call.of(asked.verb, asked.photo, asked.arguments)
        model = self.microscope.model
        return json_response(
            {"command": recipes.command(model, call), "python": recipes.python(model, call)}
        )

    def _key(self, route: str, asked: Question) -> str:
        number = asked.photo.id if asked.photo else None
        return self.microscope.key(asked.verb, number, asked.arguments, route)

    async def _about(
        self, request: Request, route: str, asked: Question, work: Callable[[], object]
    ) -> Response:
        return await self._answer(request, self._key(route, asked), work)

    async def _answer(
        self, request: Request, key: str, work: Callable[[], object], *, keep: bool = True
    ) -> Response:
        answer = self.microscope.quick.answer(
            key, lambda: Answer(json_bytes(work())), client=client_of(request), keep=keep
        )
        data = await while_open(request, answer)
        return Response(data.body, media_type=data.media_type)


def _photo(asked: Question) -> Photo:
    if asked.photo is None:
        raise Refusal(400, "This needs photo= in the address.")
    return asked.photo


def _require_quick(asked: Question) -> None:
    if not asked.is_quick:
        what = asked.arguments.get("method", asked.verb)
        raise Refusal(400, f"{what} takes long: ask for it as work.")
