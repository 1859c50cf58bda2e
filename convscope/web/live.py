"""Start the microscope: `convscope.live` and what it gives back."""

from __future__ import annotations

import html
import logging
import socket
import threading
import webbrowser
from typing import TYPE_CHECKING

from convscope.core.extras import need
from convscope.core.notebook import in_notebook
from convscope.errors import OptionError
from convscope.networks.load import load_model

if TYPE_CHECKING:
    import uvicorn

    from convscope.networks.load import ModelLike
    from convscope.photos.load_image import PhotoLike
    from convscope.web.guard import Access
    from convscope.web.microscope import Microscope

FRAME_HEIGHT = 820
"""Pixels of the page in a notebook."""

START_SECONDS = 30.0


def live(
    model: ModelLike = None,
    photos: PhotoLike = (),
    *,
    atlas: str | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    browser: bool = True,
) -> Live:
    """The live microscope: a page in the browser that looks into a network while it looks.

    Starts a server in a thread of this program, prints its address and opens the browser; in a
    notebook the page is shown below the cell instead. The server ends with the program, or with
    `stop()` of what is given back; in a script, `wait()` keeps it up until Ctrl-C.

    Args:
        model: what `load_model` takes.
        photos: a photo or a list of them, to be offered beside the samples.
        atlas: the folder or URL of an atlas of this network, for units' pictures and best photos.
        host: where to listen. Any other than this machine's own is protected by a token in the
            address, which is printed once.
        port: where to listen; 0 is any free one.
        browser: whether to open the browser.

    Raises:
        ExtraError: the extra `live` is not installed.
        OptionError: a host or port that cannot be listened on.
        ImageError: a photo that cannot be read.

    Example:
        convscope.live(model, ["cat.jpg"])
        $ convscope live cat.jpg --port 8000
    """
    need("fastapi", "live")
    need("uvicorn", "live")
    from convscope.atlas.open import open as open_atlas
    from convscope.web.guard import Access
    from convscope.web.microscope import Microscope

    bound = bind(host, port)
    try:
        listed = list(photos) if isinstance(photos, (list, tuple)) else [photos]
        microscope = Microscope(
            load_model(model), listed, atlas=None if atlas is None else open_atlas(atlas)
        )
    except BaseException:
        bound.close()
        raise
    is_notebook = in_notebook()
    access = Access.on(host, bound.getsockname()[1], framed=is_notebook)
    server = Live(microscope, access, bound)
    print(server.address, flush=True)
    if browser and not is_notebook:
        webbrowser.open(server.address)
    return server


class Live:
    """A running microscope. `address` is what to open; in a notebook it shows itself."""

    def __init__(self, microscope: Microscope, access: Access, bound: socket.socket) -> None:
        self.microscope = microscope
        self.address = access.address
        self._server = _server(microscope, access)
        self._thread = threading.Thread(
            target=self._run, args=(bound,), name="convscope-live", daemon=True
        )
        self._failure: Exception | None = None
        started = threading.Event()
        self._thread.start()
        while not self._server.started and self._thread.is_alive():
            started.wait(0.01)
        if not self._server.started:
            self._thread.join()
            bound.close()
            microscope.close()
            raise OptionError(
                f"The server did not start at {access.host} port {access.port}"
                f" ({self._failure or 'it ended by itself'}); give another --port, or 0 for any"
                " free one."
            ) from self._failure

    def _run(self, bound: socket.socket) -> None:
        try:
            self._server.run([bound])
        except Exception as error:
            # Of a server that had started, Python prints it as of any other thread.
            if self._server.started:
                raise
            self._failure = error

    def wait(self) -> None:
        """Return when the server has ended; Ctrl-C ends it."""
        try:
            while self._thread.is_alive():
                self._thread.join(0.5)
        except KeyboardInterrupt:
            self.stop()

    def stop(self) -> None:
        """End the server and all its work."""
        self.microscope.close()
        self._server.should_exit = True
        self._server.force_exit = True
        self._thread.join(START_SECONDS)

    def __enter__(self) -> Live:
        return self

    def __exit__(self, *failure: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<Live {self.address}>"

    def _repr_html_(self) -> str:
        address = html.escape(self.address, quote=True)
        return (
            f'<iframe src="{address}" width="100%" height="{FRAME_HEIGHT}" allow="camera"'
            ' style="border:0" title="Convscope live"></iframe>'
        )


def _server(microscope: Microscope, access: Access) -> uvicorn.Server:
    """uvicorn, which says nothing but errors and tells nobody what it is."""
    import uvicorn

    from convscope.web.application import create_app

    return uvicorn.Server(
        uvicorn.Config(
            create_app(microscope, access),
            log_level=logging.ERROR,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            ws="none",
            lifespan="off",
            timeout_keep_alive=30,
            h11_max_incomplete_event_size=32 * 2**10,
        )
    )


def bind(host: str, port: int) -> socket.socket:
    """A socket that listens; the port is known before the address is printed."""
    if not 0 <= port <= 65535:
        raise OptionError(f"port must be 0 to 65535; {port} was given.")
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        # Only where the socket says that it is TCP does asyncio send small answers at once
        # (TCP_NODELAY); else each of them waits 40 ms for the client to confirm its headers.
        bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind((host, port))
            # At once: until a socket listens, another program may be bound to the same port.
            bound.listen()
        except OSError:
            bound.close()
            raise
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OptionError(
            f"Cannot listen on {host} port {port} ({reason}); give another --port, or 0 for any"
            " free one."
        ) from None
    return bound
