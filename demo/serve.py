"""The server: a port of this machine, the page behind its door, rooms kept clean, and an end that leaves nothing."""

from __future__ import annotations

import asyncio
import importlib
import os
import socket
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from demo.options import Place
from demo.rooms import House, new_root
from streams.errors import OutputError
from vidcolor import __version__
from vidcolor.brake import Brake

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import ASGIApp

    from demo.desk import Desk
    from demo.rooms import Visitor

_ROUND = 2.0  # seconds between two looks at who has left
_RELOAD = 3.0  # seconds that a page may be away before its work is cancelled
# The framework asks the outside for news of itself, keeps what visitors did, and has more pages, unless it is told.
_SILENCE = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "GRADIO_RUN_HISTORY": "False",
    "GRADIO_SSR_MODE": "False",
    "GRADIO_MCP_SERVER": "False",
    "GRADIO_SHARE": "False",
    "GRADIO_HEARTBEAT_INTERVAL": "5",  # seconds until it is known that a client library has gone
    "GRADIO_ALLOWED_PATHS": "",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}


def listen(place: Place) -> socket.socket:
    """Take the port; raises OutputError where it is taken, or not ours to take."""
    family = socket.AF_INET6 if ":" in place.host else socket.AF_INET
    taken = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":  # elsewhere this lets two programmes have one port
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind((place.host, place.port))
        taken.listen(128)
    except OSError as error:
        taken.close()
        reason = error.strerror or str(error)
        raise OutputError(f"port {place.port} of {place.host} cannot be used: {reason}") from error
    return taken


def serve(place: Place, announce: Callable[[str], None], brake: Brake) -> None:
    """Serve the page until the brake is pulled; `announce` is told its address when it is there.

    Raises:
        OutputError: the port is taken, or there is no room for files.
        Interrupted: the brake was pulled.
    """
    with listen(place) as taken:
        root = new_root()
        _load(root)
        brake.check()
        from demo.desk import Desk

        house, desk = House(place.limits.keep, root=root), Desk(place.limits)
        building = threading.Lock()

        def clear() -> None:
            with building:  # the framework would make the folder anew
                house.close()

        try:
            with brake.guarding(clear):
                with building:
                    brake.check()
                    app = build_app(place, house, desk, int(taken.getsockname()[1]))
                brake.check()
                _run(app, desk, taken, lambda port: announce(_address(place.host, port)), brake)
            brake.check()
        finally:
            house.close()


def _load(root: Path) -> None:
    """Import what takes seconds and reads its settings then, before there is anything that would have to be cleared."""
    os.environ.update(_SILENCE, GRADIO_TEMP_DIR=str(root))
    for name in ("uvicorn", "gradio", "demo.app", "demo.door", "demo.files", "demo.look", "demo.outside"):
        importlib.import_module(name)


def _run(app: ASGIApp, desk: Desk, taken: socket.socket, tell: Callable[[int], None], brake: Brake) -> None:
    from uvicorn import Config, Server

    quiet = {"log_level": "warning", "access_log": False, "server_header": False, "ws": "none"}
    server = Server(Config(app, timeout_graceful_shutdown=1, timeout_keep_alive=30, **quiet))  # type: ignore[arg-type]

    def stop() -> None:
        server.should_exit = True
        desk.close()

    port = int(taken.getsockname()[1])
    threading.Thread(target=_when_started, args=(server, lambda: tell(port)), daemon=True).start()
    with brake.guarding(stop):
        try:
            server.run(sockets=[taken])
        finally:
            stop()


def _address(host: str, port: int) -> str:
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def _when_started(server: object, tell: Callable[[], None]) -> None:
    pause = threading.Event()
    while not getattr(server, "started", False):
        if getattr(server, "should_exit", False):
            return
        pause.wait(0.05)
    tell()


def build_app(place: Place, house: House, desk: Desk, port: int) -> ASGIApp:
    """The page, its files and its health, behind the door."""
    import gradio as gr
    from fastapi import FastAPI

    from demo.app import build
    from demo.door import API, Door
    from demo.files import Files
    from demo.look import head, theme
    from demo.outside import Inside
    from demo.studio import Studio

    limits = place.limits
    page = build(Studio(limits, house, desk), has_login=place.lock is not None)
    page.queue(max_size=400, default_concurrency_limit=None, api_open=False)
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=_lifespan(house, desk))
    files = Files(house, limits)
    app.add_api_route("/healthz", _health(desk), methods=["GET"])
    app.add_route(f"{API}/upload", files.upload, methods=["POST"])
    app.add_route(f"{API}/upload_progress", files.progress, methods=["GET"])
    app.add_route(f"{API}/file={{path:path}}", files.give, methods=["GET", "HEAD"])
    gr.mount_gradio_app(
        app,
        page,
        "/",
        footer_links=[],
        run_history=False,
        show_error=False,
        max_file_size=limits.upload,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        theme=theme(),
        head=head(),
    )
    return Door(Inside(app), house, place, _leave(desk), port)


def _health(desk: Desk) -> Callable[[], dict[str, object]]:
    def health() -> dict[str, object]:
        return {"status": "ok", "version": __version__, **desk.counts()}

    return health


def _leave(desk: Desk) -> Callable[[Visitor, str], None]:
    """Cancel a page's work when the page is gone, unless it was only loaded again."""

    def leave(visitor: Visitor, page: str) -> None:
        def settle() -> None:
            if not visitor.pages.get(page):
                visitor.notes.pop(page, None)
                desk.leave(visitor, page)

        with suppress(RuntimeError):  # the server ends
            asyncio.get_running_loop().call_later(_RELOAD, settle)

    return leave


def _lifespan(house: House, desk: Desk) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        desk.open()
        rounds = asyncio.create_task(_keep_clean(house, desk))
        try:
            yield
        finally:
            rounds.cancel()
            desk.close()
            house.close()

    return lifespan


async def _keep_clean(house: House, desk: Desk) -> None:
    """Look again and again for visits that are over."""
    while True:
        await asyncio.sleep(_ROUND)
        for visitor in house.leaving(lambda visitor: bool(desk.jobs_of(visitor))):
            desk.leave(visitor)
            await asyncio.to_thread(house.farewell, visitor)
