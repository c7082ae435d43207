"""What a refusal means: by its row, else by its status, and never as an outcome where the platform itself failed."""

import base64
import json
from datetime import timedelta
from typing import Any

import httpx
import pytest

from core.answers import quota_left
from core.connect import Field, jwt_seconds, own_hosts
from core.errors import NotAuthorized, RateLimited, Rejected
from core.refusals import Refusal, refused, told_by

ROWS = (
    Refusal(400, ("Expired",), "", NotAuthorized, "token_refused", "Connect again."),
    Refusal(400, (), "(?i)too long", Rejected, "text_too_long", "Shorten it."),
)


def answer(status: int, body: object = None, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx.Response(status, content=content, headers=headers)


@pytest.mark.parametrize(
    ("status", "code", "words", "kind", "ours"),
    [
        (400, "Expired", "x", NotAuthorized, "token_refused"),
        (400, None, "It is TOO LONG.", Rejected, "text_too_long"),
        (400, "Other", "Something else", Rejected, "rejected"),
        (401, None, "", NotAuthorized, "not_authorized"),
        (429, None, "Slow down", RateLimited, "rate_limited"),
        (500, None, "Sorry", type(None), ""),
        (408, "Expired", "Sorry", type(None), ""),
    ],
)
def test_a_refusal_is_what_its_row_says_or_else_its_status(
    status: int, code: str | None, words: str, kind: type[Exception], ours: str
) -> None:
    error = refused(ROWS, answer(status), code, words)
    assert type(error) is kind
    if error is not None:
        assert (error.code, error.platform_code, error.http_status) == (ours, code, status)
        assert error.message == (words or f"The platform answered {status}.")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"error": "Name", "message": "Words"}, ("Name", "Words")),
        ({"error": 7, "message": None}, (7, "")),
        ({"error": {"deep": 1}, "message": ["x"]}, (None, "")),
        ([1], (None, "")),
        (b"<html>", (None, "")),
        (b"\xff", (None, "")),
    ],
)
def test_the_platform_s_own_words_are_read_where_there_are_any(body: Any, told: tuple[Any, str]) -> None:
    assert told_by(answer(400, body), "error", "message") == told


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "5", "RateLimit-Reset": "9"}, 5),
        ({"RateLimit-Reset": "9"}, 9),
        ({"X-RateLimit-Reset": "12, 12;w=60"}, 12),
        ({}, 60),
    ],
)
def test_a_quota_opens_when_the_platform_says(headers: dict[str, str], seconds: int) -> None:
    error = refused((), answer(429, **headers), None, "")
    assert isinstance(error, RateLimited)
    assert error.after == timedelta(seconds=seconds)


def test_what_is_left_needs_both_numbers() -> None:
    assert quota_left(answer(200, **{"RateLimit-Remaining": "7", "RateLimit-Reset": "30"}), "ratelimit") == (7, 30.0)
    assert quota_left(answer(200, **{"RateLimit-Remaining": "7"}), "ratelimit") is None
    assert quota_left(answer(200, **{"RateLimit-Remaining": "-1", "RateLimit-Reset": "30"}), "ratelimit") is None


@pytest.mark.parametrize(
    ("claims", "seconds"),
    [
        ({"iat": 100, "exp": 7300}, 7200.0),
        ({"exp": 7300}, None),
        ([], None),
        ("x", None),
        ({"iat": "a", "exp": 1}, None),
    ],
)
def test_a_token_tells_its_own_life(claims: object, seconds: float | None) -> None:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    assert jwt_seconds(f"head.{body}.sign") == seconds


@pytest.mark.parametrize("token", ["", "opaque", "a.%.c", "a.YQ.c"])
def test_a_token_that_is_no_jwt_tells_nothing(token: str) -> None:
    assert jwt_seconds(token) is None


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("server.example", "https://server.example"),
        (" https://Server.Example/ ", "https://server.example"),
        ("http://127.0.0.1:3000", "http://127.0.0.1:3000"),
        ("", None),
        ("https://a.example/x", ValueError),
        ("https://a.example?x", ValueError),
        ("https://u:p@a.example", ValueError),
        ("ftp://a.example", ValueError),
        ("https://", ValueError),
        ("https://[::1", ValueError),
        ("https://a.example:99999", ValueError),
    ],
)
def test_a_server_is_named_by_its_address_alone(text: str, url: str | type[Exception] | None) -> None:
    fields = (Field(name="server", label="Server", host="api"), Field(name="token", label="Token"))
    if isinstance(url, type):
        with pytest.raises(url, match="Server has to be the address"):
            own_hosts(fields, {"server": text})
        return
    assert own_hosts(fields, {"server": text, "token": "t"}) == ({"api": url} if url else {})
