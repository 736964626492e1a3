"""Files that come and go: uploads into the visitor's folder, counted as they come; downloads of his own only."""

from __future__ import annotations

import asyncio
import json
import mimetypes
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from urllib.parse import unquote

import python_multipart
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse

from demo.door import refused, visitor_of
from demo.options import Limits
from demo.rooms import House, Refused, Visitor

# What a browser may show in place; everything else is only saved, so that no upload ever becomes a page of ours.
_SHOWN = {"video/mp4", "image/jpeg", "image/png", "image/webp"}
_CALM = {"content-security-policy": "default-src 'none'; sandbox"}
_PACE = 0.1  # seconds between two words about the progress of an upload


def too_large(limits: Limits) -> str:
    """The sentence for a file over the limit."""
    return f"This file is too large: the limit of this page is {limits.upload >> 20} MB a file."


@dataclass(slots=True)
class Files:
    """Takes uploads in, and gives files out.

    Attributes:
        house: where the disk is looked at.
        limits: how large a file, and how many at once.
        running: bytes so far of uploads that asked to be followed, and the name of the file.
    """

    house: House
    limits: Limits
    running: dict[tuple[str, str], tuple[str, int]] = field(default_factory=dict)

    async def upload(self, request: Request) -> Response:
        """Take files in; the answer lists their paths, in order. One that is broken off leaves nothing."""
        visitor = visitor_of(request)
        taking = _Taking(visitor, self.limits)
        key = (visitor.token, request.query_params.get("upload_id", ""))
        self.running[key] = ("", 0)
        try:
            await self._take(request, taking, key)
        except (Refused, FormParserError, ClientDisconnect, OSError, KeyError) as error:
            taking.forget()
            return _upload_refused(error)
        except BaseException:
            taking.forget()
            raise
        finally:
            taking.close()
            self.running.pop(key, None)
        return JSONResponse([str(path) for path in taking.done])

    async def _take(self, request: Request, taking: _Taking, key: tuple[str, str]) -> None:
        length = int(request.headers.get("content-length", "0") or 0)
        if length > self.limits.upload * self.limits.pictures:
            raise Refused(too_large(self.limits))
        self.house.check_space(length)
        parser = taking.parser(request.headers.get("content-type", ""))
        async for chunk in request.stream():
            parser.write(chunk)
            self.running[key] = (taking.name, taking.total)
        parser.finalize()
        if taking.is_open or not taking.done:
            raise Refused("The upload was broken off.")

    async def progress(self, request: Request) -> Response:
        """Follow an upload, as the page's framework wants to be told."""
        key = (visitor_of(request).token, request.query_params.get("upload_id", ""))
        if key not in self.running:
            await asyncio.sleep(_PACE)  # it may be about to begin, or have ended already
        return StreamingResponse(self._words(key), media_type="text/event-stream")

    async def _words(self, key: tuple[str, str]) -> AsyncIterator[str]:
        told = 0
        while key in self.running:
            name, total = self.running[key]
            if total > told:
                yield _event({"msg": "update", "orig_name": name, "chunk_size": total - told})
                told = total
            await asyncio.sleep(_PACE)
        yield _event({"msg": "done"})

    async def give(self, request: Request) -> Response:
        """Give a file out to whose it is."""
        visitor, asked = visitor_of(request), request.path_params["path"]
        path = next((path for path in (asked, unquote(asked)) if visitor.owns(path)), None)
        if path is None or not Path(path).is_file():
            return refused("There is no such file of yours here.", 404)
        kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
        is_shown = kind in _SHOWN and "download" not in request.query_params
        return FileResponse(
            path,
            media_type=kind if kind in _SHOWN else "application/octet-stream",
            filename=visitor.files[path],
            content_disposition_type="inline" if is_shown else "attachment",
            headers=_CALM | {"cache-control": "private, max-age=3600"},
        )


class _Taking:
    """The files of one upload, as they come in."""

    def __init__(self, visitor: Visitor, limits: Limits) -> None:
        self._visitor = visitor
        self._limits = limits
        self._header = b""
        self._headers: dict[bytes, bytes] = {}
        self._value = b""
        self._file: IO[bytes] | None = None
        self._size = 0
        self.name = ""
        self.total = 0
        self.done: list[Path] = []

    @property
    def is_open(self) -> bool:
        """Whether a file has begun and not ended."""
        return self._file is not None

    def parser(self, content_type: str) -> python_multipart.MultipartParser:
        """A parser that calls back here; raises Refused for what is no upload."""
        kind, options = parse_options_header(content_type)
        if kind != b"multipart/form-data" or b"boundary" not in options:
            raise Refused("This is no upload of files.")
        return python_multipart.MultipartParser(
            options[b"boundary"],
            {
                "on_part_begin": self._begin,
                "on_header_field": self._field,
                "on_header_value": self._add_value,
                "on_header_end": self._end_header,
                "on_headers_finished": self._open,
                "on_part_data": self._data,
                "on_part_end": self._end,
            },
        )

    def _begin(self) -> None:
        self._headers, self._header, self._value = {}, b"", b""

    def _field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _add_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        self._headers[self._header.lower()] = self._value
        self._header, self._value = b"", b""

    def _open(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        if b"filename" not in options:
            return
        if len(self.done) >= self._limits.pictures:
            raise Refused(f"At most {self._limits.pictures} files at once.")
        self.name = options[b"filename"].decode("utf-8", "replace")
        path = self._visitor.new_path(self.name)
        self.done.append(path)
        self._file, self._size = path.open("xb"), 0

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._file is None:
            return
        self._size += end - start
        self.total += end - start
        if self._size > self._limits.upload:
            raise Refused(too_large(self._limits))
        self._file.write(data[start:end])

    def _end(self) -> None:
        self.close()

    def close(self) -> None:
        """Close what is open."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            self._file = None

    def forget(self) -> None:
        """Delete what came in."""
        self.close()
        for path in self.done:
            self._visitor.drop(str(path))


def _upload_refused(error: Exception) -> Response:
    if isinstance(error, Refused):
        return PlainTextResponse(str(error), 413 if "too large" in str(error) else 400)
    if isinstance(error, OSError):
        return PlainTextResponse("The disk of this machine is full.", 507)
    return PlainTextResponse("The upload was broken off.", 400)


def _event(values: dict[str, object]) -> str:
    return f"data: {json.dumps(values)}\n\n"
