"""The bodies of requests: read up to a bound, decoded by us, and every fault in them told as a finding."""

from typing import Any, TypeVar

import msgspec
from litestar import Request

from core.convert import convert
from core.errors import InvalidPost
from core.findings import Finding, Report

MAX_BYTES = 1_000_000
"""The largest JSON body that is read."""

MAX_DEPTH = 32
"""How deep objects and lists may lie in each other."""

S = TypeVar("S", bound=msgspec.Struct)


class InvalidRequest(InvalidPost):
    """The body is not what this endpoint takes; `report` holds every finding. HTTP 400."""

    code = "invalid_request"


async def read_json(request: Request[Any, Any, Any]) -> object:
    """The decoded body, whatever its content type says (RFC 8259). Raises `InvalidRequest` where it is no JSON."""
    return decode(await request.body())


async def read_struct(request: Request[Any, Any, Any], kind: type[S]) -> S:
    """The body as `kind`. Raises `InvalidRequest` with every fault."""
    found, findings = convert(kind, await read_json(request))
    if found is None:
        raise InvalidRequest(Report(tuple(findings)))
    return found


def decode(raw: bytes) -> object:
    """JSON decoded. Raises `InvalidRequest` for what is malformed, out of range, nested too deeply or empty."""
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
    # Counting brackets costs next to nothing and spares most bodies the walk.
    if raw.count(b"[") + raw.count(b"{") > MAX_DEPTH and _depth(body) > MAX_DEPTH:
        raise _too_deep()
    return body


def _depth(body: object) -> int:
    """How deep the deepest value lies; stops counting beyond the bound."""
    depth, level = 0, [body]
    while level and depth <= MAX_DEPTH:
        inner: list[object] = []
        for value in level:
            if isinstance(value, dict):
                inner += value.values()
            elif isinstance(value, list):
                inner += value
        depth, level = depth + 1, [value for value in inner if isinstance(value, dict | list)]
    return depth


def _too_deep() -> InvalidRequest:
    return _malformed(f"The body is nested too deeply; at most {MAX_DEPTH} levels are read.")


def _malformed(words: str) -> InvalidRequest:
    return InvalidRequest(Report((Finding(code="malformed_json", path=(), message=words),)))
