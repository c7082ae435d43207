"""A session's client builds the requests that httpx's own would, and keeps no cookies."""

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.platform_client import PlatformClient

BASES = [
    "https://api.example.com",
    "https://api.example.com/",
    "https://api.example.com/v5",
    "https://api.example.com/v5/",
    "http://127.0.0.1:8080/a%20b",
    "https://example.com/bot{token}",
]


async def nothing(_: object) -> None:
    """No hook."""


def client_of(base: str, transport: httpx.AsyncBaseTransport | None = None) -> PlatformClient:
    transport = transport or httpx.MockTransport(lambda _: httpx.Response(200))
    return PlatformClient(transport, base_url=base, seconds=5.0, on_request=nothing, on_response=nothing)


@given(
    st.sampled_from(BASES),
    st.text("/aZ0-._~%{}?&=#:@ é\u4e2d", max_size=20).map(lambda rest: "/" + rest.lstrip("/")),
    st.none() | st.dictionaries(st.sampled_from(["a", "b c"]), st.text(max_size=3), max_size=2),
)
def test_paths_lead_where_httpx_leads_them(base: str, path: str, params: dict[str, str] | None) -> None:
    theirs = httpx.AsyncClient(base_url=base, trust_env=False)
    expected = theirs.build_request("GET", path, params=params)
    for _ in range(2):  # also when it is remembered
        assert client_of(base).build_request("GET", path, params=params).url == expected.url


@pytest.mark.parametrize("url", ["https://elsewhere.example.com/x", "x/y", "", httpx.URL("/x"), "//host/x"])
def test_other_addresses_are_httpx_s_own_business(url: str | httpx.URL) -> None:
    theirs = httpx.AsyncClient(base_url="https://api.example.com/v5", trust_env=False)
    assert client_of("https://api.example.com/v5").build_request("GET", url).url == theirs.build_request("GET", url).url


async def test_what_an_answer_sets_is_not_sent_back() -> None:
    seen: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("cookie"))
        return httpx.Response(200, headers={"set-cookie": "who=somebody; Path=/"})

    client = client_of("https://api.example.com", httpx.MockTransport(answer))
    await client.get("/")
    await client.get("/")
    assert seen == [None, None]
    with pytest.raises(TypeError):
        client.cookies = {"who": "me"}
