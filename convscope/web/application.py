"""The application: its addresses, its page, and how errors become sentences."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from convscope.errors import ConvscopeError
from convscope.web.errors import Refusal
from convscope.web.exchange import json_response
from convscope.web.guard import Access, Guard
from convscope.web.long_routes import LongRoutes
from convscope.web.microscope import Microscope
from convscope.web.quick_routes import QuickRoutes

STATIC = Path(__file__).parent / "static"

VIEWS = ("", "photo", "network", "unit", "place", "camera")
"""The addresses of the page; the script behind them is one."""

MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}


def create_app(microscope: Microscope, access: Access) -> Guard:
    """The whole application; only what `Guard` lets through reaches a route."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        microscope.close()

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    app.add_exception_handler(ConvscopeError, _sentence)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _unexpected)
    _add_pages(app)
    quick, long = QuickRoutes(microscope), LongRoutes(microscope)
    asked: dict[str, Callable[..., object]] = {
        "state": quick.state,
        "photos/{number}": quick.photo,
        "photos/{number}/thumbnail": quick.thumbnail,
        "look": quick.look,
        "explain": quick.explain,
        "layer": quick.layer,
        "unit": quick.unit,
        "intervene": quick.intervene,
        "place": quick.place,
        "png": quick.png,
        "recipe": quick.recipe,
        "job": long.watch,
        "job/png": long.png,
    }
    sent: dict[str, Callable[..., object]] = {
        "photos": quick.add_photo,
        "frame": quick.frame,
        "job/stop": long.stop,
        "job/leave": long.leave,
    }
    for method, routes in (("GET", asked), ("POST", sent)):
        for path, handler in routes.items():
            app.add_api_route(f"/api/{path}", handler, methods=[method], response_model=None)
    return Guard(app, access)


def _add_pages(app: FastAPI) -> None:
    """The page under each view's address, and its files, read once: no path comes from a
    request."""
    files = {path.name: path for path in STATIC.iterdir() if path.suffix in MEDIA_TYPES}
    page = _fixed(files.pop("index.html"))
    for view in VIEWS:
        app.router.add_route(f"/{view}", page, methods=["GET"])
    for name, path in files.items():
        app.router.add_route(f"/static/{name}", _fixed(path), methods=["GET"])


def _fixed(path: Path) -> Callable[[Request], Response]:
    """A route that always sends the same bytes."""
    body, media_type = path.read_bytes(), MEDIA_TYPES[path.suffix]

    def send(request: Request) -> Response:
        return Response(body, media_type=media_type)

    return send


async def _sentence(request: Request, error: Exception) -> Response:
    """An error of ours: its sentence, and whose fault it is."""
    status = error.status if isinstance(error, Refusal) else 400
    headers = {"retry-after": "1"} if status == 429 else None
    return json_response({"error": str(error)}, status, headers)


async def _http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    sentence = "There is no such page here." if status == 404 else "This cannot be asked."
    return json_response({"error": sentence}, status)


async def _unexpected(request: Request, error: Exception) -> Response:
    return json_response({"error": f"Something went wrong: {type(error).__name__}."}, 500)
