"""Who may ask: the Host and Origin of a request, its token, and the headers of every answer."""

from __future__ import annotations

import asyncio
import html
import json
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from convscope.web.limits import LONGEST_QUERY

Scope = MutableMapping[str, Any]
Message = Scope
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LOOPBACK = ("127.0.0.1", "localhost", "::1")

METHODS = ("GET", "HEAD", "POST")

_HTML = "text/html; charset=utf-8"

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:;"
    " connect-src 'self'; media-src 'self' blob:; manifest-src 'none'; base-uri 'none';"
    " form-action 'none'; object-src 'none'; require-trusted-types-for 'script';"
    " trusted-types 'none'; frame-ancestors {frames}"
)

_OPENED = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>Convscope live</title>'
    '<meta http-equiv="refresh" content="0; url={address}">'
    '<p><a href="{address}">Open the microscope</a></p></html>'
)
"""What a browser is sent for the right token: a page, which goes on to the address without it.

The token's cookie is SameSite=Strict. A redirect would still belong to the click on another site's
link (a chat, a mail) that led here, and the browser would leave the cookie out; what this page asks
for is asked by this server's own page.
"""

_REFUSED = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>Convscope live</title>'
    "<p>{sentence}</p>"
    '<p>Opened in this browser before? Then <a href="">go on here</a>.</p></html>'
)
"""The same for an address without a token that another site leads to."""

_NOTEBOOKS = "http://localhost:* http://127.0.0.1:*"
"""Where a notebook that may show the page in a frame is served from."""


@dataclass(frozen=True)
class Access:
    """From where the server may be reached.

    `host` is what it is bound to, `port` where, `token` what an address must hold where `host` is
    not this machine's own, and `framed` whether a notebook on this machine may show the page.
    """

    host: str
    port: int
    token: str | None = None
    framed: bool = False

    @classmethod
    def on(cls, host: str, port: int, *, framed: bool = False) -> Access:
        """Access for a bound host: a fresh token unless it is loopback."""
        token = None if host in LOOPBACK else secrets.token_urlsafe(24)
        return cls(host, port, token, framed)

    @property
    def address(self) -> str:
        """What to open: with the token, where there is one."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/" + (f"?token={self.token}" if self.token else "")

    @property
    def cookie(self) -> str:
        """The name that the token has as a cookie: cookies are shared by the ports of a host."""
        return f"convscope-{self.port}"

    def allows_host(self, header: str) -> bool:
        """Whether a Host header names this server: a name that an attacker points here does not.

        Bound to all addresses, any name will do: there it is the token that keeps others out.
        """
        name, port = _split(header)
        if port != self.port:
            return False
        if self.host in LOOPBACK:
            return name in LOOPBACK
        return self.host in ("0.0.0.0", "::", "") or name == self.host.lower()


class Guard:
    """Refuses what is not from this server's own page, before any route sees it."""

    def __init__(self, app: App, access: Access) -> None:
        self.app = app
        self.access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        headers = _headers(scope)
        refused = self._refusal(scope, headers)
        if refused is not None:
            await self._refuse(scope, send, *refused)
            return
        token = self._token_in(scope)
        if token is not None:
            await self._welcome(scope, send, token)
            return
        await self._pass_on(scope, receive, self._with_headers(send, scope))

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the routes answer. Only a server that is stopped calls a request off: then what was
        begun ends here, and the page finds the connection lost."""
        has_started = False

        async def noted(message: Message) -> None:
            nonlocal has_started
            has_started = has_started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, noted)
        except asyncio.CancelledError:
            if has_started:
                await send({"type": "http.response.body", "body": b""})
            else:
                await self._refuse(scope, send, 503, "The server was stopped.")

    def _refusal(self, scope: Scope, headers: dict[str, list[str]]) -> tuple[int, str] | None:
        hosts = headers.get("host", [])
        if len(hosts) != 1 or not self.access.allows_host(hosts[0]):
            return 403, "This address is not this server's name; open the one that was printed."
        if scope["method"] not in METHODS:
            return 405, f"{scope['method'][:12]} is not a way to ask; use GET or POST."
        if len(scope.get("query_string", b"")) + len(scope.get("raw_path") or b"") > LONGEST_QUERY:
            return 414, f"The address is longer than {LONGEST_QUERY} characters."
        origins = headers.get("origin", [])
        if any(origin != f"http://{hosts[0]}" for origin in origins):
            return 403, "Another site's page may not ask this server."
        site = headers.get("sec-fetch-site", ["none"])[-1]
        navigates = headers.get("sec-fetch-mode", [""])[-1] == "navigate"
        page = scope["method"] == "GET" and not scope["path"].startswith("/api/")
        if site not in ("same-origin", "none") and not (navigates and page):
            return 403, "Another site's page may not ask this server."
        if scope["method"] == "POST" and not origins:
            return 403, "A request that sends something must come from this server's own page."
        if self.access.token is not None and not self._is_known(scope, headers):
            return 401, "Open the whole address that was printed, with its token."
        return None

    def _is_known(self, scope: Scope, headers: dict[str, list[str]]) -> bool:
        tokens = [self._token_in(scope)]
        for header in headers.get("cookie", []):
            try:
                morsel = SimpleCookie(header).get(self.access.cookie)
            except CookieError:
                continue
            tokens.append(morsel.value if morsel is not None else None)
        wanted = (self.access.token or "").encode()
        return any(secrets.compare_digest((token or "").encode(), wanted) for token in tokens)

    def _token_in(self, scope: Scope) -> str | None:
        """The token in the address of a page, or None."""
        if self.access.token is None or scope["path"].startswith("/api/"):
            return None
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
        return query["token"][0] if "token" in query else None

    async def _welcome(self, scope: Scope, send: Send, token: str) -> None:
        """Keep the token as a cookie that scripts cannot read, and take it out of the address."""
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
        rest = urlencode({name: values for name, values in query.items() if name != "token"}, True)
        # One slash: an address that begins with two would lead to another host.
        path = "/" + scope["path"].lstrip("/")
        path = path if path.isascii() and path.isprintable() and "\\" not in path else "/"
        address = quote(path) + (f"?{rest}" if rest else "")
        cookie = f"{self.access.cookie}={token}; HttpOnly; SameSite=Strict; Path=/"
        page = _OPENED.format(address=html.escape(address))
        await self._answer(send, 200, page, {"content-type": _HTML, "set-cookie": cookie})

    async def _refuse(self, scope: Scope, send: Send, status: int, sentence: str) -> None:
        """A refusal as JSON; to a browser that opens a page without the token, as a page."""
        accepted = _headers(scope).get("accept", [])
        is_page = not scope["path"].startswith("/api/") and "text/html" in ",".join(accepted)
        if status == 401 and is_page:
            page = _REFUSED.format(sentence=html.escape(sentence))
            await self._answer(send, status, page, {"content-type": _HTML})
            return
        text = json.dumps({"error": sentence})
        await self._answer(send, status, text, {"content-type": "application/json"})

    async def _answer(self, send: Send, status: int, text: str, more: dict[str, str]) -> None:
        body = text.encode()
        headers = {"content-length": str(len(body))} | self._headers(False) | more
        listed = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": listed})
        await send({"type": "http.response.body", "body": body})

    def _headers(self, kept: bool) -> dict[str, str]:
        frames = _NOTEBOOKS if self.access.framed else "'none'"
        return {
            "content-security-policy": _POLICY.format(frames=frames),
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
            "cross-origin-resource-policy": "same-origin",
            "cross-origin-opener-policy": "same-origin",
            "permissions-policy": "camera=(self), microphone=(), geolocation=()",
            "cache-control": "private, max-age=3600" if kept else "no-store",
        }

    def _with_headers(self, send: Send, scope: Scope) -> Send:
        async def wrapped(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower() for name, _ in message.get("headers", [])}
                more = [
                    (name.encode(), value.encode())
                    for name, value in self._headers(False).items()
                    if name.encode() not in present
                ]
                message["headers"] = [*message.get("headers", []), *more]
            await send(message)

        return wrapped


def _headers(scope: Scope) -> dict[str, list[str]]:
    """Header values by name, all of each."""
    headers: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        headers.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return headers


def _split(header: str) -> tuple[str, int | None]:
    """Host and port of a Host header; None for a port that is none."""
    try:
        parts = urlsplit(f"//{header}")
        name, port = parts.hostname or "", parts.port
    except ValueError:
        return "", None
    if parts.username or parts.path or parts.query or parts.fragment:
        return "", None
    return name.lower(), 80 if port is None else port
