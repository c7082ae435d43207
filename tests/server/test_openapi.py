"""The OpenAPI document: valid, and true of what the server answers."""

from collections.abc import Callable
from typing import Any

import httpx
import jsonschema  # type: ignore[import-untyped]  # it has no types
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from core.events.kinds import KINDS
from core.registry import Registry
from tests.server.conftest import House, picture

OPEN = {"health", "appGetHealth", "platforms", "platformGet", "uploadPut", "mediaRead", "mediaReadHead"}
TAKES = (
    *("postApprove", "postReject"),
    *("Create", "Bulk", "Validate", "FromUrl", "Update", "Resolve", "FirstKey", "CreateTeam", "UpdateTeam"),
    *("Connect", "Disconnect", "Link", "Check", "Refresh", "Channels", "Channel", "Copy", "ReconnectSocialAccount"),
    *(
        "appPut",
        "uploadPut",
        "uploadInitLargeUpload",
        "FinalizeLargeUpload",
        "DeleteMany",
        "DeletePin",
        "EndpointResend",
        "UpdatePublished",
        "SavePublished",
    ),
)


@pytest.fixture
def house(shared_house: House) -> House:
    return shared_house


@pytest.fixture
def document(house: House) -> dict[str, Any]:
    answer = httpx.get(house.url + "/schema/openapi.json")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def operations(document: dict[str, Any]) -> dict[str, Any]:
    return {found["operationId"]: found for item in document["paths"].values() for found in item.values()}


def check(document: dict[str, Any], name: str, value: Any) -> None:
    """Validate a value against a schema of the document's components."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
    jsonschema.Draft202012Validator(schema).validate(value)


def test_the_document_is_valid(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(document).validate()


def test_every_operation_says_what_it_takes_and_how_it_fails(document: dict[str, Any]) -> None:
    for name, operation in operations(document).items():
        assert operation["summary"]
        assert operation["description"]
        if name in OPEN:
            assert operation["security"] == []
            continue
        for status in ("400", "401", "404", "503"):
            (media_type,) = operation["responses"][status]["content"].items()
            assert media_type == (
                "application/problem+json",
                {"schema": {"$ref": "#/components/schemas/Problem"}},
            ), (name, status)
    assert set(document["components"]["securitySchemes"]) == {"x-api-key", "x-access-key", "bearer"}
    assert [set(way) for way in document["security"]] == [{"x-api-key"}, {"x-access-key"}, {"bearer"}]


def test_every_body_is_described(document: dict[str, Any]) -> None:
    for name, operation in operations(document).items():
        takes = name.endswith(TAKES) and operation["summary"][:3] != "Not"
        assert ("requestBody" in operation) == takes, name
    body = operations(document)["postCreate"]["requestBody"]
    assert body["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/PostRequest"}
    assert "multipart/form-data" in operations(document)["uploadCreate"]["requestBody"]["content"]


def test_every_block_is_a_schema_of_its_own(document: dict[str, Any]) -> None:
    data = document["components"]["schemas"]["PostRequest"]["properties"]["data"]["properties"]
    for platform, adapter in Registry.installed().items():
        reference = {"$ref": f"#/components/schemas/{adapter.block.__name__}"}
        assert reference in data[platform]["anyOf"]
        fields = document["components"]["schemas"][adapter.block.__name__]["properties"]
        assert set(fields) == set(adapter.block.__struct_encode_fields__)


def test_a_sound_request_fits_and_unknown_fields_do_not(
    document: dict[str, Any], pin: Callable[..., dict[str, Any]]
) -> None:
    check(document, "PostRequest", pin())
    for wrong in (pin({"colour": "red"}), pin(colour="red"), pin(data={"NOWHERE": {}}), pin(status="NOW")):
        with pytest.raises(jsonschema.ValidationError):
            check(document, "PostRequest", wrong)


def test_answers_are_what_the_document_says(
    house: House, client: httpx.Client, document: dict[str, Any], pin: Callable[..., dict[str, Any]]
) -> None:
    team = {"teamId": str(house.owner.team_id)}
    upload = client.post("/api/v1/upload", files={"file": ("p.png", picture(), "image/png")}).json()
    check(document, "UploadView", upload)
    created = client.post("/api/v1/post", json=pin({"mediaUrls": None, "uploadIds": [upload["id"]]})).json()
    check(document, "NewPostView", created)
    check(document, "FullPostView", client.get(f"/api/v1/post/{created['id']}").json())
    check(document, "Page", client.get("/api/v1/post", params=team).json())
    check(document, "Problem", client.post("/api/v1/post", json={}).json())
    check(document, "Health", client.get("/health").json())
    check(document, "ApiHealth", client.get("/api/v1/").json())
    check(
        document, "NewEndpointView", client.post("/api/v1/webhook-endpoint", json={"url": "http://127.0.0.1:9"}).json()
    )
    check(document, "EndpointPage", client.get("/api/v1/webhook-endpoint").json())


def test_the_query_of_the_list_is_described(document: dict[str, Any]) -> None:
    parameters = {found["name"]: found for found in operations(document)["postGetList"]["parameters"]}
    assert set(parameters) == {
        "teamId", "status", "orderBy", "order", "q", "platforms", "postDateFrom", "postDateTo", "offset", "limit",
        "after",
    }  # fmt: skip
    assert [name for name, found in parameters.items() if found["required"]] == ["teamId"]
    assert parameters["limit"]["schema"]["maximum"] == 100


def test_every_kind_of_event_is_described_under_webhooks(document: dict[str, Any]) -> None:
    assert list(document["webhooks"]) == [kind.type for kind in KINDS]
    for kind in KINDS:
        operation = document["webhooks"][kind.type]["post"]
        reference = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        assert {header["name"] for header in operation["parameters"]} >= {"webhook-id", "webhook-signature"}
        assert ("Not sent yet" in operation["description"]) != kind.sent
        schema = document["components"]["schemas"][reference.rpartition("/")[2]]
        assert schema["properties"]["type"] == {"const": kind.type}
        assert schema["properties"]["data"] == {"$ref": f"#/components/schemas/{kind.data.__name__}"}


def test_answers_about_webhooks_are_what_the_document_says(
    house: House, client: httpx.Client, document: dict[str, Any]
) -> None:
    endpoint = client.post("/api/v1/webhook-endpoint", json={"url": "http://127.0.0.1:9"}).json()
    place = f"/api/v1/webhook-endpoint/{endpoint['id']}"
    test = client.post(f"{place}/test").json()
    check(document, "TestView", test)
    check(document, "EndpointView", client.get(place).json())
    check(document, "MessagePage", client.get(f"{place}/message").json())
    check(document, "TriedMessageView", client.get(f"/api/v1/webhook-message/{test['messageId']}").json())
    check(document, "ResentView", client.post(f"{place}/resend", json={"since": "2030-01-01T00:00:00Z"}).json())
    check(document, "EventPage", client.get("/api/v1/event").json())
    client.delete(place)
