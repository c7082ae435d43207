"""The OAuth client: addresses as RFC 6749 and 7636 have them, answers read with care, and nothing secret told."""

import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from aiohttp import web

from core.connect import OAuth, Tokens
from core.errors import FingerpostError, NotAuthorized, OutcomeUnknown, RateLimited, Rejected, Unavailable
from core.http import open_client, open_transport
from core.oauth.app import App
from core.oauth.authorization import authorization_url, challenge
from core.oauth.tokens import TokenEndpoint

APP = App(name="default", client_id="id & co", client_secret="s3cret")
SPEC = OAuth(authorize_url="{web}/oauth/", token_url="{api}/token", scopes=("a", "b"))


def test_the_challenge_is_that_of_the_rfc() -> None:
    """RFC 7636, appendix B."""
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert challenge(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_the_address_holds_what_the_page_needs() -> None:
    url = authorization_url(
        SPEC, APP, {"web": "https://p.example"}, redirect_uri="https://me/cb?x=1", state="st", verifier="v" * 43
    )
    assert url.startswith("https://p.example/oauth/?")
    assert parse_qs(urlsplit(url).query) == {
        "response_type": ["code"], "client_id": ["id & co"], "redirect_uri": ["https://me/cb?x=1"], "scope": ["a b"],
        "state": ["st"], "code_challenge": [challenge("v" * 43)], "code_challenge_method": ["S256"],
    }  # fmt: skip
    assert "v" * 43 not in url
    assert "s3cret" not in url


def test_nothing_secret_is_shown() -> None:
    tokens = Tokens(access_token="acc", refresh_token="ref")
    assert "acc" not in repr(tokens)
    assert "ref" not in repr(tokens)
    assert "s3cret" not in repr(APP)


class Endpoint:
    """A token endpoint that answers as it is told."""

    def __init__(self) -> None:
        self.status = 200
        self.body: object = {}
        self.headers: dict[str, str] = {}
        self.forms: list[dict[str, str]] = []
        self.auth: list[str] = []
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        self.forms.append({name: str(value) for name, value in (await request.post()).items()})
        self.auth.append(request.headers.get("Authorization", ""))
        if isinstance(self.body, bytes):
            return web.Response(status=self.status, body=self.body, headers=self.headers)
        return web.json_response(self.body, status=self.status, headers=self.headers)


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    made = Endpoint()
    app = web.Application()
    app.router.add_post("/token", made.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with open_client(open_transport(guard=None), timeout=5) as made:
        yield made


def ask(endpoint: Endpoint, client: httpx.AsyncClient, spec: OAuth = SPEC) -> TokenEndpoint:
    return TokenEndpoint(spec, APP, {"api": endpoint.url}, client, lambda response: None)


async def test_an_answer_is_read_whatever_its_numbers_look_like(endpoint: Endpoint, client: httpx.AsyncClient) -> None:
    endpoint.body = {
        "access_token": "a", "token_type": "bearer", "expires_in": "3600", "refresh_token": "r",
        "refresh_token_expires_in": 5184000, "scope": "x y,z", "more": [1],
    }  # fmt: skip
    tokens = await ask(endpoint, client).exchange("c", redirect_uri="https://me/cb", verifier="v" * 43)
    assert (tokens.access_token, tokens.refresh_token) == ("a", "r")
    assert (tokens.expires_in, tokens.refresh_expires_in, tokens.scopes) == (3600, 5184000, ("x", "y", "z"))
    assert endpoint.forms == [
        {"grant_type": "authorization_code", "code": "c", "redirect_uri": "https://me/cb", "code_verifier": "v" * 43}
    ]
    assert endpoint.auth[0].startswith("Basic ")


async def test_the_end_of_a_refresh_token_is_as_good_as_its_life(endpoint: Endpoint, client: httpx.AsyncClient) -> None:
    endpoint.body = {"access_token": "a", "refresh_token": "r", "refresh_token_expires_at": time.time() + 5_184_000}
    tokens = await ask(endpoint, client).refresh("r")
    assert tokens.refresh_expires_in is not None
    assert abs(tokens.refresh_expires_in - 5_184_000) < 600
    for odd in (0, -1, "soon", None, 1e300, True):
        endpoint.body["refresh_token_expires_at"] = odd
        assert (await ask(endpoint, client).refresh("r")).refresh_expires_in is None


@pytest.mark.parametrize(
    "odd", [*({"expires_in": odd} for odd in (0, -1, "soon", None, [1])), {"refresh_token": ""}, {"refresh_token": 1}]
)
async def test_what_says_nothing_counts_as_not_said(
    endpoint: Endpoint, client: httpx.AsyncClient, odd: dict[str, Any]
) -> None:
    endpoint.body = {"access_token": "a", **odd}
    tokens = await ask(endpoint, client).refresh("r")
    assert (tokens.expires_in, tokens.refresh_token, tokens.scopes) == (None, None, None)


async def test_credentials_go_into_the_form_where_the_platform_wants_them_there(
    endpoint: Endpoint, client: httpx.AsyncClient
) -> None:
    endpoint.body = {"access_token": "a"}
    spec = OAuth(authorize_url="", token_url="{api}/token", scopes=(), basic_auth=False, pkce=False)
    await ask(endpoint, client, spec).refresh("r")
    assert endpoint.auth == [""]
    assert endpoint.forms[0] == {
        "grant_type": "refresh_token", "refresh_token": "r", "client_id": "id & co", "client_secret": "s3cret",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"error": "invalid_grant"}, NotAuthorized),
        (401, {"error": "invalid_grant"}, NotAuthorized),
        (401, {"error": "invalid_client"}, Rejected),
        (400, {"error": "invalid_request"}, Rejected),
        (400, {"error": ["invalid_grant"]}, Rejected),
        (403, b"<html>", Rejected),
        (404, b"", Rejected),
        (429, {}, RateLimited),
        (500, {"error": "server_error"}, OutcomeUnknown),
        (503, b"", OutcomeUnknown),
        (302, b"", OutcomeUnknown),
        (200, b"", OutcomeUnknown),
        (200, b"[1]", OutcomeUnknown),
        (200, b"[" * 20_000, OutcomeUnknown),
        (200, {"access_token": 7}, OutcomeUnknown),
        (200, {"access_token": "a b"}, OutcomeUnknown),
        (200, {"access_token": ""}, OutcomeUnknown),
        (200, b" " * 100_000, OutcomeUnknown),
    ],
)
async def test_each_refusal_says_what_it_means(
    endpoint: Endpoint, client: httpx.AsyncClient, status: int, body: object, kind: type[FingerpostError]
) -> None:
    endpoint.status, endpoint.body = status, body
    with pytest.raises(kind) as raised:
        await ask(endpoint, client).refresh("the-refresh-token")
    assert type(raised.value) is kind


async def test_a_refusal_never_repeats_a_secret(endpoint: Endpoint, client: httpx.AsyncClient) -> None:
    endpoint.status = 400
    endpoint.body = {"error": "invalid_grant", "error_description": "no: the-refresh-token of s3cret " + "x" * 900}
    with pytest.raises(NotAuthorized) as raised:
        await ask(endpoint, client).refresh("the-refresh-token")
    assert "the-refresh-token" not in raised.value.message
    assert "s3cret" not in raised.value.message
    assert len(raised.value.message) <= 300


async def test_what_was_never_sent_is_no_loss(client: httpx.AsyncClient) -> None:
    endpoint = TokenEndpoint(SPEC, APP, {"api": "http://127.0.0.1:1"}, client, lambda response: None)
    with pytest.raises(Unavailable):
        await endpoint.refresh("r")
