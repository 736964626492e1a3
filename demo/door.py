"""The door: who may come in, by which addresses, with which files; every request passes here before the page sees it.

The page's framework keeps all uploads in one place and gives out any of them to anybody who knows a path. So nothing
of that is reached: addresses are held to a list, paths in requests must be the visitor's own, files are taken in and
given out by `demo.files`, and what a visitor calls or listens to must have been begun by him.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from demo.login import Login, cookies
from demo.options import Place
from demo.rooms import House, Refused, Visitor

API = "/gradio_api"
LARGEST_CALL = 4 << 20  # bytes of a call without its files: a picture of a camera is the largest thing in one

# Nothing from elsewhere, nothing framed. The framework's scripts stand partly in the page, and build their templates.
_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "media-src 'self' blob:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "frame-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "content-security-policy": _POLICY,
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",  # with none at all, browsers hide where a form came from, and logging in fails
    "permissions-policy": "camera=(self), microphone=(), geolocation=(), payment=(), usb=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "server": "vidcolor",
}

_STATIC = re.compile(
    r"/(?:assets|svelte|static)/[\w./-]+|/favicon\.ico|/theme\.css|/gradio_api/theme\.css|/robots\.txt"
)
_PAGES = re.compile(r"/|/config/?|/healthz|/gradio_api/(?:info/?|startup-events|app_id/?)")
_FILES = re.compile(r"/gradio_api/(?:file=.*|upload|upload_progress)", re.DOTALL)
_CALLS = re.compile(r"/gradio_api/(?:queue/join|cancel|reset/?|call/[\w/]+|run/\w+/?|api/\w+/?)")
_LISTENERS = re.compile(r"/gradio_api/(?:queue/data|call/(?:v2/)?\w+/(?P<event>\w+)|heartbeat/(?P<page>[\w-]{1,64}))")
_PAGE_NAME = re.compile(r"[\w-]{1,64}")

Leave = Callable[[Visitor, str], None]


@dataclass(slots=True)
class Door:
    """An ASGI application around another one.

    Attributes:
        app: what lies behind.
        house: the rooms.
        place: where this is served, and for whom.
        leave: is told when the last connection of a visitor's page closes.
        port: really listened on, where the place left the choice to the machine.
    """

    app: ASGIApp
    house: House
    place: Place
    leave: Leave
    port: int
    login: Login = field(init=False)

    def __post_init__(self) -> None:
        self.login = Login(self.place.lock, f"vidcolor-login-{self.port}")

    @property
    def cookie(self) -> str:
        """The visitor's cookie. Cookies do not tell ports apart, so its name must: two pages may run on one machine."""
        return f"vidcolor-visitor-{self.port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Judge a request, and pass it on or answer it."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            await self._request(scope, receive, _dressed(send, scope, self.cookie))
        elif scope["type"] == "websocket":  # nothing here speaks it
            await send({"type": "websocket.close", "code": 1008})

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            answer = self._host_refused(request) or await self.login.answer(request)
            if answer is None:
                answer = await self._inside(request, scope, receive, send)
        except Refused as refusal:
            answer = refused(str(refusal))
        if answer is not None:
            await answer(scope, receive, send)

    def _host_refused(self, request: Request) -> Response | None:
        """Refuse other names for this machine (a foreign page may have pointed its own name here), other origins."""
        host = _host_of(request.headers.get("host", ""))
        if self.place.is_private and not _is_loopback(host):
            return refused("This page is served to this machine only.", 421)
        origin = request.headers.get("origin")
        if request.method != "GET" and origin and origin.partition("://")[2] != request.headers.get("host"):
            return refused("This request comes from another site.")
        return None

    async def _inside(self, request: Request, scope: Scope, receive: Receive, send: Send) -> Response | None:
        path, method = scope["path"], request.method
        if method in ("GET", "HEAD") and _STATIC.fullmatch(path) and ".." not in path:
            await self.app(scope, receive, send)
            return None
        visitor = self._visitor(request)
        scope["state"] = {**scope.get("state", {}), "visitor": visitor}
        if method in ("GET", "HEAD") and _PAGES.fullmatch(path):
            scope["state"]["visitor"] = visitor or (None if path == "/healthz" else self._new(scope))
            scope["query_string"] = b""  # links into the framework's own memory are not followed
            await self.app(scope, receive, send)
            return None
        if visitor is None:
            return refused("Open the page first: GET / (or /config) gives the cookie that your files belong to.", 401)
        return await self._known(visitor, request, scope, receive, send)

    async def _known(
        self, visitor: Visitor, request: Request, scope: Scope, receive: Receive, send: Send
    ) -> Response | None:
        path, method = scope["path"], request.method
        if _FILES.fullmatch(path):
            await self.app(scope, receive, send)
        elif method == "POST" and _CALLS.fullmatch(path):
            await self._call(visitor, request, scope, send)
        elif method == "GET" and (found := _LISTENERS.fullmatch(path)):
            await self._listen(visitor, request, found, receive, send)
        else:
            return refused("There is nothing at this address.", 404)
        return None

    def _visitor(self, request: Request) -> Visitor | None:
        for token in cookies(request.headers, self.cookie):
            if (visitor := self.house.find(token)) is not None:
                return visitor
        return None

    def _new(self, scope: Scope) -> Visitor:
        visitor = self.house.welcome()
        scope["state"]["welcome"] = visitor.token
        return visitor

    async def _call(self, visitor: Visitor, request: Request, scope: Scope, send: Send) -> None:
        body = await _body(request)
        try:
            call = json.loads(body or b"{}")
        except (ValueError, RecursionError):
            raise Refused("This call is not JSON.") from None
        self._check_call(visitor, call)
        sent = False

        async def again() -> Message:
            nonlocal sent
            if sent:
                return await request.receive()
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self.app(scope, again, _noting(send, visitor))

    def _check_call(self, visitor: Visitor, call: object) -> None:
        if not isinstance(call, dict):
            raise Refused("This call is no object.")
        page, event = call.get("session_hash"), call.get("event_id")
        if page is not None:
            self._own_page(visitor, page)
        if event is not None and event not in visitor.events:
            raise Refused("This is no call of yours.")
        for path in paths_in(call):
            if not visitor.owns(path):
                raise Refused("There is no such file of yours here: upload it (again) first.")

    def _own_page(self, visitor: Visitor, page: object) -> None:
        """Bind a page's name to who uses it first: names are chosen by browsers, and could be guessed."""
        if not isinstance(page, str) or not _PAGE_NAME.fullmatch(page):
            raise Refused("This is no page of yours.")
        if page not in visitor.pages:
            if self.house.owner_of_page(page) is not None or len(visitor.pages) > 1000:
                raise Refused("This is no page of yours.")
            visitor.pages[page] = 0

    async def _listen(
        self, visitor: Visitor, request: Request, found: re.Match[str], receive: Receive, send: Send
    ) -> None:
        event, page = found["event"], found["page"]
        if event is not None and event not in visitor.events:
            raise Refused("This is no call of yours.")
        if event is None:
            self._own_page(visitor, page or request.query_params.get("session_hash"))
        if page is None:
            await self.app(request.scope, receive, send)
        else:
            await self._heartbeat(visitor, page, request.scope, receive, send)

    async def _heartbeat(self, visitor: Visitor, page: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Count a page as open for as long as it holds this connection."""
        visitor.pages[page] += 1
        visitor.has_page = True
        try:
            await self.app(scope, receive, send)
        finally:
            visitor.pages[page] -= 1
            self.house.find(visitor.token)  # the visit may end only some time from now
            if not visitor.pages[page]:
                self.leave(visitor, page)


def refused(sentence: str, status: int = 403) -> Response:
    """An answer of one sentence."""
    return JSONResponse({"detail": sentence}, status)


def visitor_of(request: Any) -> Visitor:  # noqa: ANN401 - the framework's request passes attributes through
    """Who asks; for what lies behind the door."""
    inner = request if isinstance(request, Request) else request.request  # the framework wraps it
    visitor = inner.scope.get("state", {}).get("visitor")
    if not isinstance(visitor, Visitor):
        raise Refused("Open the page first.")
    return visitor


def paths_in(value: object, depth: int = 0) -> Iterator[object]:
    """Every `path` in a call, however deep; and addresses to be fetched, which are nobody's files."""
    if depth > 40:
        raise Refused("This call is too deep.")
    if isinstance(value, dict):
        if value.get("path") is not None:
            yield value["path"]
        for inner in value.values():
            yield from paths_in(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            yield from paths_in(inner, depth + 1)


async def _body(request: Request) -> bytes:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > LARGEST_CALL:
            raise Refused(f"A call may have {LARGEST_CALL >> 20} MB: upload files, and name them.")
        parts.append(part)
    return b"".join(parts)


def _noting(send: Send, visitor: Visitor) -> Send:
    """Note the number that the framework gives to a call, so that only its caller can listen to it."""
    parts: list[bytes] = []

    async def noting(message: Message) -> None:
        if message["type"] == "http.response.body" and sum(map(len, parts)) < 4096:
            parts.append(message.get("body", b""))
            _note(b"".join(parts), visitor)
        await send(message)

    return noting


def _note(body: bytes, visitor: Visitor) -> None:
    try:
        answer = json.loads(body)
    except ValueError:
        return
    if isinstance(answer, dict) and isinstance(answer.get("event_id"), str):
        visitor.events.add(answer["event_id"])


def _dressed(send: Send, scope: Scope, cookie: str) -> Send:
    """Every answer wears the headers; the first one brings the cookie."""

    async def dressed(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
            headers.setdefault("cache-control", "no-store")
            if token := scope.get("state", {}).get("welcome"):
                headers.append("set-cookie", f"{cookie}={token}; Path=/; HttpOnly; SameSite=Strict")
        await send(message)

    return dressed


def _host_of(header: str) -> str:
    return header.partition("]")[0].removeprefix("[") if header.startswith("[") else header.partition(":")[0]


def _is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
