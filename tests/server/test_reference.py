"""The reference: every call and every code is there to be read, by pages that run nothing and fetch nothing."""

import re
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest

from tests.server.conftest import House
from tests.server.test_openapi import operations


@pytest.fixture
def house(shared_house: House) -> House:
    return shared_house


class Reader(HTMLParser):
    """Gathers ids, links and the tags of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("href", "src"):
                self.links.append(value or "")


def read(house: House, path: str) -> tuple[httpx.Response, Reader]:
    answer = httpx.get(house.url + path)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    return answer, Reader(answer.text)


def test_every_call_and_object_has_its_place_and_every_link_leads_somewhere(house: House) -> None:
    document: dict[str, Any] = httpx.get(house.url + "/schema/openapi.json").json()
    answer, page = read(house, "/reference")
    assert len(page.ids) == len(set(page.ids))
    assert set(operations(document)) <= set(page.ids)
    assert {f"schema-{name}" for name in document["components"]["schemas"]} <= set(page.ids)
    assert not {"script", "img", "iframe"} & page.tags
    assert not re.search(r"https?://[^\"<\s]+\.(js|css)", answer.text)
    for link in page.links:
        if link.startswith("#"):
            assert link[1:] in page.ids, link
        else:
            assert "://" not in link
            assert httpx.get(urljoin(str(answer.url), link)).status_code == 200, link


def test_the_type_of_a_problem_leads_to_what_its_code_means(house: House) -> None:
    refused = httpx.get(house.url + "/api/v1/post/x")
    problem = refused.json()
    _, page = read(house, problem["type"])
    assert (problem["code"], page.links[-1]) == ("not_authenticated", "../errors")
    answer, listed = read(house, "/errors")
    codes = [link for link in listed.links if link.startswith("errors/")]
    assert len(codes) > 100
    assert "pinterest.board" in answer.text
    for link in codes[:3] + codes[-3:]:
        assert httpx.get(urljoin(str(answer.url), link)).status_code == 200
    unknown = httpx.get(house.url + "/errors/nothing")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")


def test_what_platforms_allow_is_told_with_an_example_that_fits_its_schema(house: House) -> None:
    import jsonschema  # type: ignore[import-untyped]  # it has no types

    every = httpx.get(f"{house.url}/api/v1/platforms").json()
    for told in every:
        alone = httpx.get(f"{house.url}/api/v1/platforms/{told['platform'].lower()}").json()
        assert alone == told
        jsonschema.Draft202012Validator.check_schema(told["schema"])
        assert set(told["fields"]) == set(told["schema"]["properties"])
        assert told["abilities"]["media"] == [
            kind for kind in ("image", "video", "document") if told["limits"]["media"][kind]
        ]
    missing = httpx.get(f"{house.url}/api/v1/platforms/PINTREST")
    assert missing.status_code == 404
    assert "did you mean 'PINTEREST'?" in missing.json()["message"]
