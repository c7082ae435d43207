"""The bodies of requests: read up to a bound, decoded by us, and every fault in them told as a finding."""

from typing import Annotated, Any, TypeVar

import msgspec
from litestar import Request
from litestar.exceptions import InternalServerException
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from msgspec import Meta

from core.convert import convert
from core.errors import InvalidPost
from core.findings import Finding, Report

MAX_BYTES = 1_000_000
"""The largest JSON body that is read."""

MAX_DEPTH = 32
"""How deep objects and lists may lie in each other."""

MAX_VALUES = 10_000
"""How many values a body may hold; a check looks at each, and must not keep everyone else waiting."""

Name = Annotated[str, Meta(min_length=1, max_length=200, description="What people call it.")]
"""A name that a person gives to something."""

S = TypeVar("S", bound=msgspec.Struct)


class InvalidRequest(InvalidPost):
    """The body is not what this endpoint takes; `report` holds every finding. HTTP 400."""

    code = "invalid_request"


async def read_json(request: Request[Any, Any, Any]) -> object:
    """The decoded body, whatever its content type says (RFC 8259). Raises `InvalidRequest` where it is no JSON."""
    return decode(await read_bytes(request))


async def read_struct(request: Request[Any, Any, Any], kind: type[S], *, empty: S | None = None) -> S:
    """The body as `kind`; `empty` is what one without any bytes says. Raises `InvalidRequest` with every fault."""
    raw = await read_bytes(request)
    if not raw and empty is not None:
        return empty
    found, findings = convert(kind, decode(raw))
    if found is None:
        raise InvalidRequest(Report(tuple(findings)))
    return found


async def read_bytes(request: Request[Any, Any, Any]) -> bytes:
    """All bytes of a body, which nearly always comes in one piece; `RequestEntityTooLarge` beyond `MAX_BYTES`."""
    raw, more = b"", True
    while more:
        message = await request.receive()
        if message["type"] != "http.request":
            raise InternalServerException("The client disconnected.")
        raw, more = raw + message["body"] if raw else message["body"], message["more_body"]
        if len(raw) > MAX_BYTES:
            raise RequestEntityTooLarge
    return raw


def decode(raw: bytes) -> object:
    """JSON decoded. Raises `InvalidRequest` for what is malformed, out of range, too deep, too much or empty."""
    if not raw:
        raise _malformed("The body is empty; send a JSON object.")
    try:
        body: object = msgspec.json.decode(raw)
    except RecursionError:
        raise _too_deep() from None
    except UnicodeDecodeError as error:
        raise _malformed(f"The body is not UTF-8: the byte at {error.start} does not fit.") from None
    except (msgspec.DecodeError, ValueError) as error:
        raise _malformed(f"The body cannot be read as JSON: {error}.") from None
    # Counting bytes costs next to nothing and spares most bodies the walk.
    if raw.count(b"[") + raw.count(b"{") > MAX_DEPTH or raw.count(b",") > MAX_VALUES // 2:
        _measure(body)
    return body


def _measure(body: object) -> None:
    """Raise `InvalidRequest` for a body that is too deep or holds too much."""
    depth, count, level = 0, 1, [body]
    while level:
        inner: list[object] = []
        for value in level:
            if isinstance(value, dict):
                inner += value.values()
            elif isinstance(value, list):
                inner += value
        depth, count, level = depth + 1, count + len(inner), inner
        if count > MAX_VALUES:
            raise _malformed(f"The body holds too much; at most {MAX_VALUES} values are read.", code="too_many_values")
        if depth > MAX_DEPTH + 1:
            raise _too_deep()


def _too_deep() -> InvalidRequest:
    return _malformed(f"The body is nested too deeply; at most {MAX_DEPTH} levels are read.")


def _malformed(words: str, *, code: str = "malformed_json") -> InvalidRequest:
    return InvalidRequest(Report((Finding(code=code, path=(), message=words),)))
