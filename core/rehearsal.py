"""The rehearsal: an adapter's own `publish`, run to its end against a recorder that sends nothing to anybody."""

import asyncio
import base64
import email.policy
import json
import mimetypes
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from email.parser import BytesParser
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import parse_qsl

import httpx
import msgspec

from core.adapter import Adapter, Pending
from core.clock import Deadline
from core.credentials import TOKEN_IN_PATH
from core.errors import BrokenAdapter, FingerpostError
from core.ids import new_id
from core.media.formats import EXTENSIONS
from core.post import Draft, Media
from core.session import Session
from core.streams import MediaFile

SECONDS = 10.0
"""How long a rehearsal may take; it waits for nobody."""

MOST_ROUNDS = 20
"""How often an adapter may come back from `Pending`."""

_UNTOLD = frozenset(
    {"accept", "accept-encoding", "authorization", "connection", "content-length", "host", "user-agent"}
)
_LEASE_SECONDS = 3600.0


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """A request as it would be written to the platform, without what authorises it.

    `body` is JSON as it is, a form as an object, and a multipart body as a list of its parts; files of ours stand in
    it by their names in words.
    """

    method: str
    url: str
    headers: dict[str, str]
    body: Any


class Rehearsal(msgspec.Struct, frozen=True, kw_only=True):
    """Every request of a publish. Where it is not `complete`, `note` says what the rest hangs on."""

    requests: tuple[Recorded, ...]
    complete: bool
    note: str | None = None


async def rehearse(adapter: Adapter[Any], draft: Draft[Any], hosts: Mapping[str, str]) -> Rehearsal:
    """What publishing a sound draft would send, from the very code that publishes.

    The platform's part is played by the adapter's `rehearsal`. No token is at hand, no file is read, nothing is
    written down.
    """
    account = draft.account
    assert account is not None
    recorder = _Recorder(adapter.rehearsal, hosts["api"], str(new_id()))
    session = Session(
        adapter,
        account=account,
        token="",
        hosts=hosts,
        key=recorder.key,
        transport=recorder,
        journal=_Unwritten(),
        steps={},
        open_file=recorder.file,
    )
    note = None
    try:
        async with asyncio.timeout(SECONDS):
            await _played(adapter, draft, session)
    except _Unforeseen as stop:
        note = f"What follows hangs on the platform's answer to {stop}, which the adapter does not foresee."
    except FingerpostError as error:
        note = error.message
    except Exception as error:  # noqa: BLE001 - whatever an adapter makes of answers that nobody gave
        note = f"The adapter went no further without the platform ({type(error).__name__})."
    return Rehearsal(requests=tuple(recorder.requests), complete=note is None, note=note)


async def _played(adapter: Adapter[Any], draft: Draft[Any], session: Session) -> None:
    answer = await adapter.publish(draft, session)
    for _ in range(MOST_ROUNDS):
        if not isinstance(answer, Pending):
            return
        answer = await adapter.resume(draft, session, answer.state)
    raise BrokenAdapter("The adapter waits for something that the platform's part in its `rehearsal` never says.")


class _Unforeseen(BaseException):
    """A call that the adapter's `rehearsal` has no answer for. No adapter can mistake it for the platform's."""


class _Unwritten:
    """The journal of a rehearsal: whatever is about to be done is not."""

    async def arm(self, name: str, answers: dict[str, Any]) -> Deadline:
        return Deadline.after(_LEASE_SECONDS)

    async def remember(self, answers: dict[str, Any]) -> None:
        return None

    async def hold(self) -> None:
        return None


class _StandIn(MediaFile):
    """A file that is as long as the real one and says only which it is."""

    async def __aiter__(self) -> AsyncGenerator[bytes, None]:
        async for piece in self._pieces():
            yield piece


class _Recorder(httpx.AsyncBaseTransport):
    """Writes down what would be sent, and answers what was declared."""

    def __init__(self, answers: Mapping[str, Any], api: str, key: str) -> None:
        self.requests: list[Recorded] = []
        self.key = key
        self._answers = answers
        self._api = api.rstrip("/")
        self._files: dict[bytes, str] = {}

    @asynccontextmanager
    async def file(self, media: Media) -> AsyncIterator[MediaFile]:
        """What stands for a file: the adapter sends it as it would send the file itself."""
        content = f"fingerpost:{new_id()}".encode()
        self._files[content] = f"the file {media.upload_id or media.url}"

        async def pieces() -> AsyncGenerator[bytes, None]:
            yield content

        guessed, _ = mimetypes.guess_type((media.url or "").partition("?")[0])
        mime = media.mime or guessed or "application/octet-stream"
        name = f"file.{EXTENSIONS.get(mime, 'bin')}"
        yield _StandIn(pieces, mime=mime, bytes=media.bytes or len(content), name=name)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        content = await request.aread()
        url = str(request.url)
        told = {name: self._worded(value) for name, value in request.headers.items() if name not in _UNTOLD}
        body = self._body(content, request.headers.get("content-type", ""))
        self.requests.append(Recorded(method=request.method, url=self._worded(url), headers=told, body=body))
        path = url.partition("?")[0].removeprefix(self._api).replace(TOKEN_IN_PATH.decode(), "{token}")
        operation = f"{request.method} {path}"
        for pattern, answer in self._answers.items():
            if fnmatchcase(operation, pattern):
                return httpx.Response(200, json=answer, request=request)
        raise _Unforeseen(self._worded(operation))

    def _body(self, content: bytes, kind: str) -> Any:
        main = kind.partition(";")[0].strip().lower()
        if not content:
            return None
        if main.endswith("json"):
            return self._values(json.loads(content))
        if main == "application/x-www-form-urlencoded":
            return {name: self._worded(value) for name, value in parse_qsl(content.decode(), keep_blank_values=True)}
        if main.startswith("multipart/"):
            return self._parts(content, kind)
        return self._text(content)

    def _parts(self, content: bytes, kind: str) -> list[dict[str, Any]]:
        head = f"content-type: {kind}\r\n\r\n".encode()
        message = BytesParser(policy=email.policy.HTTP).parsebytes(head + content)
        return [
            {
                "name": part.get_param("name", header="content-disposition"),
                "fileName": part.get_filename(),
                "contentType": part.get_content_type() if part.get("content-type") else None,
                "value": self._text(part.get_payload(decode=True)),
            }
            for part in message.iter_parts()
        ]

    def _text(self, content: Any) -> str:
        try:
            return self._worded(bytes(content).decode())
        except UnicodeDecodeError:
            return f"<{len(content)} bytes>"

    def _values(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self._values(item) for name, item in value.items()}
        if isinstance(value, list):
            return [self._values(item) for item in value]
        return self._worded(value) if isinstance(value, str) else value

    def _worded(self, text: str) -> str:
        """A text with what is not known yet, and files, in words."""
        text = text.replace(self.key, "<the delivery's id>").replace(TOKEN_IN_PATH.decode(), "<the token>")
        for content, words in self._files.items():
            encoded = base64.b64encode(content).decode()
            text = text.replace(content.decode(), f"<{words}>").replace(encoded, f"<{words}, in base64>")
        return text
