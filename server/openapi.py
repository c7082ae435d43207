"""The OpenAPI 3.1 document: Litestar's, completed by what we decode ourselves and by what may go wrong."""

from typing import Any

import msgspec
from litestar import Litestar, Response, Router
from litestar.exceptions import NotFoundException
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import (
    Components,
    OpenAPIMediaType,
    OpenAPIResponse,
    Operation,
    Parameter,
    PathItem,
    Reference,
    RequestBody,
    SecurityScheme,
)
from litestar.routes import HTTPRoute

from core.http import user_agent
from core.post import PostRequest
from core.posts.filters import PostQuery
from core.registry import Registry
from server.auth import HEADERS, OPEN
from server.deliveries import ResolveRequest
from server.posts import PostChange
from server.problems import MEDIA_TYPE, Problem
from server.uploads import UploadFromUrl
from server.webhook_endpoints import EndpointRequest

_REFERENCE = "#/components/schemas/{name}"
_BEARER = "bearer"

_BODIES: dict[str, type[msgspec.Struct]] = {
    "postCreate": PostRequest,
    "postUpdate": PostChange,
    "deliveryResolve": ResolveRequest,
    "uploadCreateFromUrl": UploadFromUrl,
    "webhookEndpointCreate": EndpointRequest,
}
_QUERIES: dict[str, type[msgspec.Struct]] = {"postGetList": PostQuery}
_FORMS: dict[str, dict[str, Any]] = {
    "uploadCreate": {
        "type": "object",
        "required": ["file"],
        "properties": {
            "teamId": {"type": "string", "description": "May be left out where the organization has one team."},
            "file": {"type": "string", "contentMediaType": "application/octet-stream"},
        },
    }
}
_PROBLEMS = {
    "400": "The request is at fault; every fault is in `issues`.",
    "401": "There is no usable API key in the request.",
    "404": "There is no such thing, or it is a stranger's.",
    "409": "Something that is there already stands against it.",
    "413": "The body is too large.",
    "422": "The idempotency key came before with another request.",
    "503": "A server that we need is away for the moment.",
}


def config() -> OpenAPIConfig:
    """What Litestar is told of the document."""
    keys = {
        name: SecurityScheme(type="apiKey", name=name, security_scheme_in="header", description="An API key.")
        for name in HEADERS
    }
    bearer = SecurityScheme(type="http", scheme="bearer", description="An API key as a bearer token.")
    return OpenAPIConfig(
        title="Fingerpost",
        version=user_agent().partition("/")[2],
        description="One post, every platform. The shapes are those of bundle.social's API.",
        components=Components(security_schemes={**keys, _BEARER: bearer}),
        security=[{name: []} for name in (*HEADERS, _BEARER)],
        use_handler_docstrings=True,
        render_plugins=[JsonRenderPlugin()],
        openapi_router=Router(
            "/schema", route_handlers=[], include_in_schema=False, opt={OPEN: True}, after_request=_no_page
        ),
    )


def complete(app: Litestar, registry: Registry) -> None:
    """Add to the document of an application: bodies, queries, error answers, and a schema for every block."""
    document = app.openapi_schema
    schemas = _schemas(registry)
    document.components.schemas = {**document.components.schemas, **schemas}
    unlocked = _unlocked(app)
    for path_item in (document.paths or {}).values():
        for operation in _operations(path_item):
            _complete(operation, schemas)
            if operation.operation_id in unlocked:
                operation.security = []
            else:
                operation.responses = _with_problems(operation)


def _no_page(response: Response[Any]) -> Response[Any]:
    """Litestar answers an unknown address under `/schema` with a page; ours are problems."""
    if response.status_code == 404:
        raise NotFoundException
    return response


def _schemas(registry: Registry) -> dict[str, Any]:
    """By name: the bodies of requests, the problem, and the block of every platform."""
    blocks = {platform: adapter.block for platform, adapter in registry.items()}
    kinds = [*_BODIES.values(), *_QUERIES.values(), Problem, *dict.fromkeys(blocks.values())]
    references, schemas = msgspec.json.schema_components(kinds, ref_template=_REFERENCE)
    named = dict(zip(kinds, references, strict=True))
    data = _properties(named[PostRequest], schemas)["data"]
    data["properties"] = {
        platform: {"anyOf": [named[block], {"type": "array", "items": named[block]}, {"type": "null"}]}
        for platform, block in blocks.items()
    }
    data["additionalProperties"] = False
    platforms = _properties(named[PostRequest], schemas)["socialAccountTypes"]
    platforms["items"] = {"enum": sorted(blocks)}
    for kind in (*_BODIES.values(), *blocks.values()):
        schemas[kind.__name__]["additionalProperties"] = False
    return schemas


def _properties(reference: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    properties: dict[str, Any] = schemas[reference["$ref"].rpartition("/")[2]]["properties"]
    return properties


def _operations(path_item: PathItem) -> list[Operation]:
    found = (path_item.get, path_item.post, path_item.put, path_item.patch, path_item.delete)
    return [operation for operation in found if operation is not None]


def _complete(operation: Operation, schemas: dict[str, Any]) -> None:
    name = operation.operation_id or ""
    if name in _BODIES:
        reference = Reference(ref=_REFERENCE.format(name=_BODIES[name].__name__))
        operation.request_body = _body("application/json", reference)
    elif name in _FORMS:
        operation.request_body = _body("multipart/form-data", _FORMS[name])
    if name in _QUERIES:
        operation.parameters = [*(operation.parameters or []), *_parameters(schemas[_QUERIES[name].__name__])]


def _unlocked(app: Litestar) -> set[object]:
    """The ids of the operations that need no key."""
    handlers = [handler for route in app.routes if isinstance(route, HTTPRoute) for handler in route.route_handlers]
    return {handler.operation_id for handler in handlers if handler.opt.get(OPEN)}


def _with_problems(operation: Operation) -> dict[str, OpenAPIResponse | Reference]:
    """The answers of an operation, its failures among them; ours take the place of Litestar's own."""
    answers = {status: found for status, found in (operation.responses or {}).items() if status != "400"}
    for status, words in _PROBLEMS.items():
        if status not in ("409", "413", "422") or operation.request_body:
            answers[status] = _problem(words)
    return answers


def _body(media_type: str, schema: Any) -> RequestBody:
    return RequestBody(content={media_type: OpenAPIMediaType(schema=schema)}, required=True)


def _problem(words: str) -> OpenAPIResponse:
    schema = Reference(ref=_REFERENCE.format(name=Problem.__name__))
    return OpenAPIResponse(description=words, content={MEDIA_TYPE: OpenAPIMediaType(schema=schema)})


def _parameters(schema: dict[str, Any]) -> list[Parameter]:
    """The fields of a query, each a parameter of its own; lists are sent as repeated names."""
    return [
        Parameter(
            name=name,
            param_in="query",
            required=name in schema["required"],
            description=field.get("description"),
            schema=field,
        )
        for name, field in schema["properties"].items()
    ]
