"""The part `webhooks` of the OpenAPI document: what endpoints are sent, with a schema for each kind of event."""

from typing import Any

import msgspec
from litestar.openapi.spec import (
    OpenAPI,
    OpenAPIMediaType,
    OpenAPIResponse,
    Operation,
    Parameter,
    PathItem,
    Reference,
    RequestBody,
)

from core.events.kinds import KINDS, Kind
from core.webhooks.signing import Payload

_REFERENCE = "#/components/schemas/{name}"

_HEADERS = {
    "webhook-id": "The event's id, the same at every try: who has seen it may pass it over (Standard Webhooks).",
    "webhook-timestamp": "When this try was made, in seconds since 1970; one that is old is to be refused.",
    "webhook-signature": "`v1,` and a signature, several with spaces between them while a secret is rotated.",
    "x-signature": "bundle.social's: the lowercase hex HMAC-SHA256 of the body under the newest secret.",
}


def describe_webhooks(document: OpenAPI) -> None:
    """Add every kind of event to a document."""
    _, schemas = msgspec.json.schema_components(
        [Payload, *dict.fromkeys(kind.data for kind in KINDS)], ref_template=_REFERENCE
    )
    envelope = schemas.pop(Payload.__name__)
    schemas |= {schema_name(kind): _schema(kind, envelope) for kind in KINDS}
    document.components.schemas = {**document.components.schemas, **schemas}
    document.webhooks = {kind.type: PathItem(post=_operation(kind)) for kind in KINDS}


def schema_name(kind: Kind) -> str:
    """What the schema of a kind's message is called: `DeliveryPublishedEvent`."""
    words = kind.type.replace(".", "_").split("_")
    return "".join(word.capitalize() for word in words) + "Event"


def _schema(kind: Kind, envelope: dict[str, Any]) -> dict[str, Any]:
    own = {
        "type": {"const": kind.type},
        "version": {"const": kind.version},
        "data": {"$ref": _REFERENCE.format(name=kind.data.__name__)},
    }
    return {**envelope, "title": schema_name(kind), "properties": {**envelope["properties"], **own}}


def _operation(kind: Kind) -> Operation:
    reference = Reference(ref=_REFERENCE.format(name=schema_name(kind)))
    headers: list[Parameter | Reference] = [
        Parameter(name=name, param_in="header", required=True, description=words, schema={"type": "string"})  # type: ignore[arg-type]  # litestar writes a mapping as it is
        for name, words in _HEADERS.items()
    ]
    return Operation(
        summary=kind.type,
        description=kind.says if kind.sent else f"{kind.says} Not sent yet.",
        parameters=headers,
        security=[],
        request_body=RequestBody(content={"application/json": OpenAPIMediaType(schema=reference)}, required=True),
        responses={
            "2XX": OpenAPIResponse(description="The endpoint has taken it."),
            "410": OpenAPIResponse(description="The endpoint wants nothing more, and is switched off."),
            "default": OpenAPIResponse(description="It is tried again, after `Retry-After` where that is given."),
        },
    )
