"""Streams: the bodies of requests that are read while they are sent, of known length, and never held whole."""

import base64
import re
import secrets
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any

import msgspec

from core.errors import Unavailable

PIECE = 64 * 1024
"""Bytes that are handed out at a time: they fit into a connection's buffers."""


class MediaFile(AsyncIterable[bytes]):
    """A file of a draft as it is sent: `mime`, its size in `bytes`, and a `name` with the fitting ending.

    Each time it is iterated it is read anew from its start, piece by piece, so that it can be sent again. As it is, it
    is a body: `http.put(url, content=file, headers=file.headers)`; `form_body` and `json_body` carry it otherwise.
    Iterating raises `Unavailable` where the file no longer has the length that was announced.
    """

    def __init__(self, pieces: Callable[[], AsyncGenerator[bytes, None]], *, mime: str, bytes: int, name: str) -> None:
        self._pieces = pieces
        self.mime = mime
        self.bytes = bytes
        self.name = name

    @property
    def headers(self) -> dict[str, str]:
        """What goes with it where the file is the whole body."""
        return {"Content-Type": self.mime, "Content-Length": str(self.bytes)}

    async def __aiter__(self) -> AsyncGenerator[bytes, None]:
        count = 0
        async with aclosing(self._pieces()) as pieces:
            async for piece in pieces:
                count += len(piece)
                if count > self.bytes:
                    break
                for start in range(0, len(piece), PIECE):
                    yield piece[start : start + PIECE]
        if count != self.bytes:
            raise Unavailable("The stored file is not as long as it was.", hint="It is tried again by itself.")


class Body(AsyncIterable[bytes]):
    """A body made of bytes and files, and the `headers` that go with it; it can be iterated again."""

    def __init__(self, mime: str, parts: Sequence["bytes | MediaFile | Base64"]) -> None:
        self._parts = parts
        length = sum(part.bytes if isinstance(part, MediaFile) else len(part) for part in parts)
        self.headers = {"Content-Type": mime, "Content-Length": str(length)}

    async def __aiter__(self) -> AsyncGenerator[bytes, None]:
        for part in self._parts:
            if isinstance(part, bytes):
                yield part
                continue
            async with aclosing(aiter(part)) as pieces:
                async for piece in pieces:
                    yield piece


class Base64(AsyncIterable[bytes]):
    """A file in base64 (RFC 4648 §4), without line breaks."""

    def __init__(self, file: MediaFile) -> None:
        self._file = file

    def __len__(self) -> int:
        return -(-self._file.bytes // 3) * 4

    async def __aiter__(self) -> AsyncGenerator[bytes, None]:
        rest = b""
        async with aclosing(aiter(self._file)) as pieces:
            async for piece in pieces:
                piece = rest + piece
                whole = len(piece) // 3 * 3
                rest = piece[whole:]
                yield base64.b64encode(piece[:whole])
        if rest:
            yield base64.b64encode(rest)


def form_body(fields: Mapping[str, str], file: MediaFile | Mapping[str, MediaFile], *, field: str = "file") -> Body:
    """A form (`multipart/form-data`, RFC 7578) of `fields` in their order, and then the file as `field`.

    Several files are given by their names in the form.
    """
    boundary = secrets.token_hex(16)
    parts: list[bytes | MediaFile | Base64] = []
    for name, value in fields.items():
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{_quoted(name)}"\r\n\r\n'
        parts.append(f"{head}{value}\r\n".encode())
    for name, each in ({field: file} if isinstance(file, MediaFile) else file).items():
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{_quoted(name)}"; '
        parts.append(f'{head}filename="{_quoted(each.name)}"\r\nContent-Type: {each.mime}\r\n\r\n'.encode())
        parts += [each, b"\r\n"]
    return Body(f"multipart/form-data; boundary={boundary}", [*parts, f"--{boundary}--\r\n".encode()])


def json_body(value: Any) -> Body:
    """A JSON document in which every `MediaFile` of `value` stands as text: its bytes in base64."""
    files: list[MediaFile] = []
    mark = secrets.token_hex(16)

    def marked(thing: Any) -> str:
        if not isinstance(thing, MediaFile):
            raise NotImplementedError(type(thing))
        files.append(thing)
        return f"{mark}:{len(files) - 1}:"

    text = re.split(rb"%s:(\d+):" % mark.encode(), msgspec.json.encode(value, enc_hook=marked))
    parts = [Base64(files[int(part)]) if index % 2 else part for index, part in enumerate(text)]
    return Body("application/json", parts)


def _quoted(text: str) -> str:
    """A name in a form as browsers write it (HTML, "multipart/form-data encoding algorithm")."""
    return text.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")
