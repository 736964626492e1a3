"""Takes the addresses of other places out of the page: the framework names its makers' sites in it, for no use here."""

from __future__ import annotations

import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_PAGES = {"/", "/config", "/config/", "/gradio_api/info", "/gradio_api/info/"}
_ADDRESS = rb"https?://(?!%s[/\"'\\<\s?#]|%s$)[A-Za-z0-9.-]+\.[A-Za-z][^\s\"'\\<>)]*"


class Inside:
    """An ASGI application around another one, whose pages name no other place."""

    def __init__(self, app: ASGIApp) -> None:
        """`app` is what lies within."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; read what comes back, if it is a page."""
        if scope["type"] != "http" or scope["path"] not in _PAGES:
            await self._app(scope, receive, send)
            return
        host = Headers(scope=scope).get("host", "").encode()
        plain = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
        kept = _Kept(send, host)
        await self._app({**scope, "headers": plain}, receive, kept)


class _Kept:
    """Holds an answer back until it is whole."""

    def __init__(self, send: Send, host: bytes) -> None:
        self._send = send
        self._host = re.escape(host)
        self._start: Message = {}
        self._parts: list[bytes] = []

    async def __call__(self, message: Message) -> None:
        """Take a part of the answer."""
        if message["type"] == "http.response.start":
            self._start = message
            return
        self._parts.append(message.get("body", b""))
        if not message.get("more_body"):
            body = re.sub(_ADDRESS % (self._host, self._host), b"", b"".join(self._parts))
            headers = MutableHeaders(raw=list(self._start["headers"]))
            if body:  # the answer to HEAD has none, and keeps its length
                headers["content-length"] = str(len(body))
            await self._send({**self._start, "headers": headers.raw})
            await self._send({"type": "http.response.body", "body": body})
