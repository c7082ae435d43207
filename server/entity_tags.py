"""Entity tags (RFC 9110 §8.8.3): who has an answer already is told so, and a change may hang on what was read."""

import hashlib
from typing import Any, TypeVar

import msgspec
from litestar import Request, Response
from litestar.response.base import ASGIResponse

T = TypeVar("T")


def tag_of(view: msgspec.Struct) -> str:
    """The tag of an answer: another one, another tag."""
    return _tag(msgspec.json.encode(view))


def names(header: str | None, tag: str) -> bool:
    """Whether a list of tags has this one; that it was made weak on its way, as by what compresses, does not count."""
    listed = [each.strip() for each in (header or "").split(",")]
    return "*" in listed or any(each.removeprefix("W/") == tag for each in listed)


class Tagged(Response[T]):
    """How data are answered: what is read has its tag, and is 304 without a body for who names that already."""

    def to_asgi_response(self, app: Any, request: Request[Any, Any, Any], **more: Any) -> ASGIResponse:
        """The answer as it is sent."""
        answer = super().to_asgi_response(app, request, **more)
        if request.method != "GET" or answer.status_code != 200 or isinstance(self.content, bytes):
            return answer
        tag = _tag(answer.body)
        headers = {"etag": tag, "cache-control": "private, no-cache"}
        if names(request.headers.get("if-none-match"), tag):
            return ASGIResponse(status_code=304, headers=headers)
        for name, value in headers.items():
            answer.headers.setdefault(name, value)
        return answer


def _tag(body: bytes) -> str:
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'
