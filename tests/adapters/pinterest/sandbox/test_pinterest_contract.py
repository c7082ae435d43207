"""The sandbox's answers fit Pinterest's own OpenAPI description; its file is named by PINTEREST_OPENAPI."""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from openapi_schema_validator import OAS30ReadValidator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

DESCRIPTION = os.environ.get("PINTEREST_OPENAPI", "")

pytestmark = pytest.mark.skipif(not DESCRIPTION, reason="PINTEREST_OPENAPI names no description of the API")


class Description:
    """The OpenAPI description, as a judge of answers."""

    def __init__(self, path: Path) -> None:
        document: Any = json.loads(path.read_text())
        self._paths = document["paths"]
        self._registry: Any = Registry().with_resource("urn:api", DRAFT202012.create_resource(document))

    def mistakes(self, method: str, template: str, status: int, body: object) -> list[str]:
        """What is wrong with an answer; a status that is not declared is judged as `default`."""
        responses = self._paths[template][method.lower()]["responses"]
        declared = str(status) if str(status) in responses else "default"
        if "content" not in responses[declared]:
            return [] if body is None else ["there must be no body"]
        steps = ("paths", template, method.lower(), "responses", declared, "content", "application/json", "schema")
        pointer = "/".join(step.replace("~", "~0").replace("/", "~1") for step in steps)
        schema = {"$ref": f"urn:api#/{pointer}"}
        return _words(OAS30ReadValidator(schema, registry=self._registry).iter_errors(body))


def _words(errors: Iterable[Any]) -> list[str]:
    return [f"{list(error.absolute_path)}: {error.message}" for error in errors]


@pytest.fixture(scope="module")
def description() -> Description:
    return Description(Path(DESCRIPTION))


async def test_every_answer_fits_the_description(ann: Any, account: Any, pictures: str, description: Any) -> None:
    async def call(method: str, template: str, status: int, **options: Any) -> Any:
        path = template.format(**options.pop("at", {}))
        answered, body, _ = await ann.call(method, f"/v5{path}", **options)
        assert answered == status, body
        assert description.mistakes(method, template, status, body) == []
        return body

    source = {"source_type": "image_url", "url": f"{pictures}/PNG/300/300"}
    carousel = {"source_type": "multiple_image_urls", "items": [{"url": source["url"]}] * 2}
    board = {"board_id": ann.board}
    await call("GET", "/user_account", 200)
    made = await call("POST", "/boards", 201, json={"name": "New", "description": None})
    await call("POST", "/boards", 400, json={"name": "New"})
    await call("PATCH", "/boards/{board_id}", 200, at={"board_id": made["id"]}, json={"privacy": "PUBLIC"})
    section = await call("POST", "/boards/{board_id}/sections", 201, at=board, json={"name": "S"})
    await call("POST", "/boards/{board_id}/sections", 400, at=board, json={})
    await call("GET", "/boards/{board_id}/sections", 200, at=board)
    full = {**board, "media_source": source, "title": "t", "link": "https://a.example", "note": "n"}
    pin = await call("POST", "/pins", 201, json={**full, "board_section_id": section["id"]})
    await call("POST", "/pins", 201, json={**board, "media_source": carousel})
    await call("POST", "/pins", 400, json={})
    await call("POST", "/pins", 403, json={**full, "media_source": {**source, "url": f"{pictures}/garbage"}})
    await call("POST", "/pins", 404, json={**full, "board_id": "1"})
    await call("POST", "/pins", 429, json={**full, "link": "https://spam.example"})
    await call("GET", "/pins", 200, params={"page_size": "1"})
    await call("GET", "/pins/{pin_id}", 200, at={"pin_id": pin["id"]})
    await call("GET", "/pins/{pin_id}", 404, at={"pin_id": "1"})
    await call("GET", "/boards", 200, params={"page_size": "1"})
    await call("GET", "/boards/{board_id}", 200, at=board)
    await call("GET", "/boards/{board_id}", 404, at={"board_id": "1"})
    await call("GET", "/boards/{board_id}/pins", 200, at=board)
    await call("DELETE", "/pins/{pin_id}", 204, at={"pin_id": pin["id"]})
    await call("DELETE", "/boards/{board_id}", 204, at={"board_id": made["id"]})
    ann.token = "pina_dead"
    await call("GET", "/pins", 401)


async def test_the_description_finds_faults(description: Any) -> None:
    assert description.mistakes("GET", "/pins/{pin_id}", 200, {"id": "abc"}) != []
    assert description.mistakes("GET", "/pins", 200, {"items": [{"id": "1", "media": {"media_type": "x"}}]}) != []
    assert description.mistakes("POST", "/pins", 400, {"message": "no code"}) != []
    assert description.mistakes("DELETE", "/pins/{pin_id}", 204, {}) != []
