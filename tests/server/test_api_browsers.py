"""What callers are told beside the answer: whose pages may call, how much is left, and under which id it is logged."""

from collections.abc import Iterator

import httpx
import msgspec
import pytest

from core.errors import Misconfigured
from core.registry import Registry
from server.app import create_app
from tests.server.conftest import House, running

ORIGIN = "https://app.example"


@pytest.fixture(scope="module")
def open_house(shared_house: House) -> Iterator[str]:
    """A second server over the same database, which lets a page of another origin call it, and each key twice."""
    settings = msgspec.structs.replace(shared_house.settings, cors_origins=f"{ORIGIN}, https://b.example", api_calls=2)
    with running(create_app(settings, Registry.installed())) as url:
        yield url


def test_pages_of_an_origin_that_is_named_may_call_and_read_what_is_told(open_house: str, shared_house: House) -> None:
    asked = {"origin": ORIGIN, "access-control-request-method": "POST", "access-control-request-headers": "x-api-key"}
    allowed = httpx.options(f"{open_house}/api/v1/post/", headers=asked)
    assert allowed.is_success
    assert allowed.headers["access-control-allow-origin"] == ORIGIN
    assert "x-api-key" in allowed.headers["access-control-allow-headers"].lower()
    answer = httpx.get(f"{open_house}/api/v1/platforms", headers={"origin": ORIGIN})
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert "ratelimit" in answer.headers["access-control-expose-headers"].lower()
    for url, origin in ((open_house, "https://evil.example"), (shared_house.url, ORIGIN)):
        silent = httpx.get(f"{url}/api/v1/platforms", headers={"origin": origin})
        assert "access-control-allow-origin" not in silent.headers


@pytest.mark.parametrize("origins", ["app.example", "https://app.example/path", "ftp://x"])
def test_a_setting_that_is_no_origin_is_refused(shared_house: House, origins: str) -> None:
    settings = msgspec.structs.replace(shared_house.settings, cors_origins=origins)
    with pytest.raises(Misconfigured, match="FINGERPOST_CORS_ORIGINS"):
        create_app(settings, Registry())


def test_a_caller_is_told_how_much_is_left_even_where_it_is_nothing(open_house: str, shared_house: House) -> None:
    with httpx.Client(base_url=open_house, headers={"x-api-key": shared_house.owner.secret}) as client:
        first = client.get("/api/v1/organization")
        assert first.headers["ratelimit"].startswith('"key";r=1;')
        client.get("/api/v1/organization")
        refused = client.get("/api/v1/organization")
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_requests")
    assert refused.headers["ratelimit"].startswith('"key";r=0;')
    assert refused.headers["ratelimit-policy"] == '"key";q=2;w=60'
    assert int(refused.headers["retry-after"]) > 0


def test_a_request_has_an_id_in_its_answer_and_in_its_problem(shared_house: House) -> None:
    answer = httpx.get(f"{shared_house.url}/api/v1/post/x", headers={"x-request-id": "mine-1"})
    assert answer.headers["x-request-id"] == answer.json()["requestId"] == "mine-1"
    made = httpx.get(f"{shared_house.url}/nowhere")
    assert made.headers["x-request-id"] == made.json()["requestId"]


def test_large_answers_are_compressed_where_the_client_takes_that(shared_house: House) -> None:
    with httpx.Client(base_url=shared_house.url) as client:
        small = client.get("/health")
        large = client.get("/api/v1/platforms")
        plain = client.get("/api/v1/platforms", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in small.headers
    assert large.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert large.json() == plain.json()
