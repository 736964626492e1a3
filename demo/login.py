"""The lock of the page: a login page for people, HTTP Basic for programmes; nothing is open without it."""

from __future__ import annotations

import asyncio
import base64
import binascii
import secrets
import time
from collections.abc import Iterator
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from demo.look import login_page
from demo.options import Lock

_VALID = 12 * 3600.0  # seconds that a login lasts
_MOST_LOGINS = 1000
_DELAY = 1.0  # seconds that a wrong password costs who tries it
_LARGEST_FORM = 4096


class Login:
    """Judges who has logged in. Without a lock everybody has."""

    def __init__(self, lock: Lock | None, cookie: str) -> None:
        """`cookie` is the name of the cookie that a login gives."""
        self._lock = lock
        self._cookie = cookie
        self._valid: dict[str, float] = {}
        self._queue = asyncio.Lock()

    async def answer(self, request: Request) -> Response | None:
        """The answer to who may not come in, or logs in or out; None lets a request pass."""
        if self._lock is None:
            return None
        path = request.url.path
        if path in ("/login", "/login/"):
            return await self._login(request) if request.method == "POST" else _ask(request, False)
        if path in ("/logout", "/logout/"):
            return self._logout(request)
        return None if await self._is_in(request, self._lock) else _ask(request, False)

    async def _is_in(self, request: Request, lock: Lock) -> bool:
        now = time.monotonic()
        if any(self._valid.get(token, 0) > now for token in cookies(request.headers, self._cookie)):
            return True
        given = basic_login(request.headers)
        return given is not None and await self._tried(lock, *given)

    async def _tried(self, lock: Lock, user: str, password: str) -> bool:
        """Compare; wrong tries wait for one another, so that many at once find nothing sooner."""
        if lock.opens_for(user, password):
            return True
        async with self._queue:
            await asyncio.sleep(_DELAY)
        return False

    async def _login(self, request: Request) -> Response:
        assert self._lock is not None
        user, password = await _form(request)
        if not await self._tried(self._lock, user, password):
            return _ask(request, True)
        response: Response
        response = RedirectResponse("/", 303) if _is_person(request) else JSONResponse({"success": True})
        token = secrets.token_urlsafe(32)
        while len(self._valid) >= _MOST_LOGINS:
            self._valid.pop(min(self._valid, key=lambda old: self._valid[old]))
        self._valid[token] = time.monotonic() + _VALID
        response.set_cookie(self._cookie, token, httponly=True, samesite="strict")
        return response

    def _logout(self, request: Request) -> Response:
        for token in cookies(request.headers, self._cookie):
            self._valid.pop(token, None)
        response = RedirectResponse("/", 303)
        response.delete_cookie(self._cookie)
        return response


def cookies(headers: Headers, name: str) -> Iterator[str]:
    """All values of a cookie, in all headers that hold it."""
    for line in headers.getlist("cookie"):
        try:
            jar = SimpleCookie(line)
        except CookieError:
            continue
        if name in jar:
            yield jar[name].value


def basic_login(headers: Headers) -> tuple[str, str] | None:
    """User and password of an `Authorization: Basic` header."""
    kind, _, coded = headers.get("authorization", "").partition(" ")
    if kind.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(coded, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return None
    return (user, password) if colon else None


async def _form(request: Request) -> tuple[str, str]:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _LARGEST_FORM:
            return "", ""
    fields = parse_qs(body.decode("utf-8", "replace"))
    return fields.get("username", [""])[0], fields.get("password", [""])[0]


def _is_person(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")


def _ask(request: Request, was_wrong: bool) -> Response:
    if _is_person(request):
        return HTMLResponse(login_page(was_wrong), 401)
    return JSONResponse({"detail": "Log in first: POST /login, or HTTP Basic."}, 401)
