"""Forms with a file: read as they arrive, so that no file is ever held, or written twice."""

from collections.abc import AsyncGenerator
from typing import Any

from litestar import Request
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from multipart import (
    MultipartSegment,
    ParserError,
    PushMultipartParser,
    parse_options_header,
)

from core.findings import Finding, Report
from server.bodies import InvalidRequest

MULTIPART = "multipart/form-data"
MOST_PARTS = 100
MOST_BESIDE = 64 * 1024
"""How many bytes of fields there may be beside the file."""

NO_FILE = "There is no file; send multipart/form-data with the field `file`, which needs a file name."


class FileForm:
    """A form with one file in the field `file`. Read `chunks` to its end; then `fields` and `file_name` are there."""

    def __init__(self, request: Request[Any, Any, Any]) -> None:
        self._request = request
        self.fields: dict[str, str] = {}
        self.file_name: str | None = None

    async def chunks(self) -> AsyncGenerator[bytes]:
        """The file's content as it comes in.

        Raises `InvalidRequest` for what is no such form, as soon as it shows or at the end.
        """
        parser = self._parser()
        if parser is not None:
            try:
                async for piece in self._parsed(parser):
                    yield piece
            except ParserError:
                raise unreadable("The form cannot be read; send multipart/form-data.") from None
        if self.file_name is None:
            raise fault("missing_field", ("file",), NO_FILE)

    def _parser(self) -> PushMultipartParser | None:
        kind, options = parse_options_header(self._request.headers.get("content-type", ""))
        if kind.lower() != MULTIPART:
            return None
        if not options.get("boundary"):
            raise unreadable("The form cannot be read: its content type names no boundary.")
        return PushMultipartParser(options["boundary"], max_segment_count=MOST_PARTS)

    async def _parsed(self, parser: PushMultipartParser) -> AsyncGenerator[bytes]:
        part: MultipartSegment | None = None
        is_file, beside = False, bytearray()
        empty = True
        with parser:
            async for chunk in self._request.stream():
                if not chunk:
                    continue
                empty = False
                for event in parser.parse(chunk):
                    if isinstance(event, MultipartSegment):
                        part = event
                        is_file = self._begins_file(part)
                    elif event and is_file:
                        yield bytes(event)
                    elif event:
                        beside += event
                    elif part is not None:
                        self._end(part, beside)
                        part, beside = None, bytearray()
                    if len(beside) > MOST_BESIDE:
                        raise RequestEntityTooLarge
            if empty:
                raise fault("missing_field", ("file",), NO_FILE)

    def _begins_file(self, part: MultipartSegment) -> bool:
        """Whether the part is the file; of several the first counts."""
        if part.name != "file" or not part.filename or self.file_name is not None:
            return False
        self.file_name = part.filename
        return True

    def _end(self, part: MultipartSegment, content: bytearray) -> None:
        if part.filename or part.name is None:
            return
        try:
            self.fields[part.name] = content.decode(part.charset or "utf-8")
        except (UnicodeDecodeError, LookupError):
            raise unreadable("A field of the form is not text in the character set it names.") from None


def unreadable(words: str) -> InvalidRequest:
    """The form cannot be read."""
    return fault("malformed_form", (), words)


def fault(code: str, path: tuple[str, ...], words: str) -> InvalidRequest:
    """One finding on a request."""
    return InvalidRequest(Report((Finding(code=code, path=path, message=words),)))
