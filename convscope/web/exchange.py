"""Reading requests and writing answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from fastapi import Request
from fastapi.responses import Response

from convscope.core.types import JsonObject
from convscope.web.errors import Refusal

T = TypeVar("T")

LONGEST_NAME = 80
"""Characters kept of the name of a photo that was sent."""

PAGE_HEADER, LONGEST_PAGE = "x-page", 40
"""In which a page says which of a browser's pages it is, and the characters read of that."""


def json_bytes(data: object) -> bytes:
    """Data as JSON; no NaN, which browsers do not read."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def json_response(
    data: object, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """Data as an answer."""
    return Response(json_bytes(data), status, headers, media_type="application/json")


def download(body: bytes, name: str) -> Response:
    """A PNG that the browser saves."""
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(body, headers=headers, media_type="image/png")


def client_of(request: Request) -> str:
    """Who asks, so that clients can take turns: a page by the number that it gave itself, anything
    else by its connection."""
    host, port = request.client or ("", 0)
    return f"{host} {request.headers.get(PAGE_HEADER, str(port))[:LONGEST_PAGE]}"


def event_bytes(event: JsonObject) -> bytes:
    """One event of a stream."""
    return f"event: {event['event']}\ndata: ".encode() + json_bytes(event) + b"\n\n"


async def while_open(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """What `work` gives, unless the page is closed before: then it is called off."""
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_closed(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise Refusal(499, "The page was closed.")
        return task.result()
    finally:
        gone.cancel()
        task.cancel()


async def result_of(future: Future[T]) -> T:
    """The result of work in another thread."""
    return await asyncio.wrap_future(future)


async def body_of(request: Request, most: int) -> bytes:
    """What was sent, if it is short enough; of more, nothing further is read."""
    said = request.headers.get("content-length", "0")
    too_long = Refusal(413, f"This is larger than {most // 2**20} MB; make it smaller.")
    if not said.isascii() or not said.isdigit() or int(said) > most:
        raise too_long
    parts = bytearray()
    async for part in request.stream():
        parts += part
        if len(parts) > most:
            raise too_long
    return bytes(parts)


def safe_name(text: str) -> str:
    """The name of a photo as it is shown: one line, nothing that could be taken for a path."""
    last = text.replace("\\", "/").rpartition("/")[2]
    return "".join(letter for letter in last if letter.isprintable())[:LONGEST_NAME].strip()


async def _closed(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
