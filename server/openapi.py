"""The OpenAPI 3.1 document: Litestar's, completed by what we decode ourselves and by what may go wrong."""

from collections.abc import Mapping
from typing import Any

import msgspec
from litestar import Litestar, Request, Response, Router
from litestar.datastructures import State
from litestar.exceptions import NotFoundException
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import (
    Components,
    Example,
    OpenAPI,
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

from core.describe import bound
from core.http import user_agent
from core.post import PostRequest
from core.posts.filters import PostQuery
from core.registry import Registry
from core.uploads.filters import UploadQuery
from server.analytics_views import AccountAnalyticsQuery, BulkAnalyticsQuery, PostAnalyticsQuery
from server.apps import AppRequest
from server.auth import ACCESS, HEADERS, OPEN, Access
from server.bulk import BulkItemRequest, BulkQuery, BulkRequest, BulkResult
from server.channels import ChannelChange, ChannelCreate, ChannelQuery, SectionRequest
from server.connecting import ConnectRequest, PortalLinkRequest
from server.deliveries import ResolveRequest
from server.events import EventQuery
from server.examples import Examples, examples
from server.keys import FirstKeyRequest, KeyRequest
from server.lines import NDJSON
from server.live_posts import LiveRequest, removals
from server.not_offered import REASON
from server.openapi_files import FAILURES, describe_file
from server.organization import OrganizationRequest
from server.problems import MEDIA_TYPE, Problem
from server.published import SaveRequest
from server.reconnecting import CandidateQuery, ReconnectRequest
from server.reviews import ReviewRequest
from server.social_account_views import AccountQuery, AccountRequest, ByTypeQuery, ChannelRequest, CopyRequest
from server.teams import TeamChangeRequest, TeamQuery, TeamRequest
from server.uploads import UploadFinalize, UploadFromUrl, UploadIds, UploadInit
from server.usage import DailyQuery, ImportsQuery
from server.webhook_description import describe_webhooks
from server.webhook_endpoints import EndpointChange, EndpointRequest
from server.webhook_messages import MessageQuery, ResendRequest

_REFERENCE = "#/components/schemas/{name}"
_BEARER = "bearer"

Bodies = Mapping[str, type[msgspec.Struct]]

_BODIES: Bodies = {
    "postCreate": PostRequest,
    "postValidate": PostRequest,
    "postCreateBulk": BulkRequest,
    "postApprove": ReviewRequest,
    "postReject": ReviewRequest,
    "deliveryResolve": ResolveRequest,
    "deliverySavePublished": SaveRequest,
    "uploadCreateFromUrl": UploadFromUrl,
    "uploadInitLargeUpload": UploadInit,
    "uploadFinalizeLargeUpload": UploadFinalize,
    "uploadDeleteMany": UploadIds,
    "webhookEndpointCreate": EndpointRequest,
    "webhookEndpointUpdate": EndpointChange,
    "webhookEndpointResend": ResendRequest,
    "organizationCreate": OrganizationRequest,
    "organizationCreateFirstKey": FirstKeyRequest,
    "teamCreateTeam": TeamRequest,
    "teamUpdateTeam": TeamChangeRequest,
    "apiKeyCreate": KeyRequest,
    "socialAccountConnect": ConnectRequest,
    "socialAccountCreatePortalLink": PortalLinkRequest,
    "socialAccountDisconnect": AccountRequest,
    "socialAccountConnectionCheck": AccountRequest,
    "socialAccountProfileRefresh": AccountRequest,
    "socialAccountRefreshChannels": AccountRequest,
    "socialAccountSetChannel": ChannelRequest,
    "socialAccountUnsetChannel": AccountRequest,
    "socialAccountCopy": CopyRequest,
    "channelCreate": ChannelCreate,
    "channelUpdate": ChannelChange,
    "sectionCreate": SectionRequest,
    "sectionUpdate": SectionRequest,
    "postReconnectSocialAccount": ReconnectRequest,
    "appPut": AppRequest,
}
_QUERIES: dict[str, type[msgspec.Struct]] = {
    "postGetList": PostQuery,
    "organizationGetDailyLimitsUsage": DailyQuery,
    "organizationGetImportsUsage": ImportsQuery,
    "postCreateBulk": BulkQuery,
    "teamGetList": TeamQuery,
    "socialAccountGetList": AccountQuery,
    "socialAccountGetByType": ByTypeQuery,
    "channelGetList": ChannelQuery,
    "analyticsGetPostAnalytics": PostAnalyticsQuery,
    "analyticsGetBulkPostAnalytics": BulkAnalyticsQuery,
    "analyticsGetSocialAccountAnalytics": AccountAnalyticsQuery,
    "postGetReconnectSocialAccountCandidates": CandidateQuery,
    "uploadGetList": UploadQuery,
    "eventGetList": EventQuery,
    "webhookEndpointGetMessages": MessageQuery,
}
_LINES: dict[str, tuple[type[msgspec.Struct], type[msgspec.Struct]]] = {"postCreateBulk": (BulkItemRequest, BulkResult)}
"""What takes lines as well, and answers them by lines: of what each is."""
_FORMS: dict[str, dict[str, Any]] = {
    "uploadCreate": {
        "type": "object",
        "required": ["file"],
        "properties": {
            "teamId": {"type": "string", "description": "May be left out where the organization has one team."},
            "file": {"type": "string", "contentMediaType": "application/octet-stream"},
            "altText": {"type": "string", "description": "What it shows, for those who cannot see it."},
        },
    }
}
_CHANGES = {"postUpdate": (PostRequest, "PostChange")}
"""What takes some fields of another body: whose, and under which name."""
_OPTIONAL = {"postApprove", "postReject"}
"""Bodies that may be left out."""

_PARTS: dict[str, dict[str, Any]] = {
    "deliveryUpdatePublished": {
        "type": "object",
        "minProperties": 1,
        "description": "Fields of the platform's block that are to be another; `editable` of its abilities lists them.",
    }
}
"""Bodies that are a part of some platform's block."""

_OUTWARD = (
    "channel",
    "section",
    "deliveryGetP",
    "deliveryUpdate",
    "deliveryDelete",
    "deliverySave",
    "analyticsGet",
    "misc",
)
"""How the operations begin that call a platform while the client waits."""

_OF_PLATFORMS = {
    "409": "The account is not let in by its platform, or something that is there already stands against it.",
    "422": "The platform said no; `hint` says what to do.",
    "429": "The platform's quota is used up; come back after `Retry-After` seconds.",
    "501": "The platform does not offer this.",
    "502": "Nobody knows what became of it.",
    "503": "The platform, or a server that we need, is away for the moment; nothing was changed.",
}
_PROBLEMS = {
    "400": "The request is at fault; every fault is in `issues`.",
    "401": "There is no usable API key in the request.",
    "403": "The API key is not allowed this; the message says what it lacks.",
    "404": "There is no such thing, or it is a stranger's.",
    "409": "Something that is there, or is not yet, stands against it.",
    "413": "The body is too large.",
    "422": "The idempotency key came before with another request, or the platform refuses it.",
    "429": "The key has made all the calls that it may in a minute, or the platform takes no more for now.",
    "501": "It is not offered here, or by this platform; the message says why.",
    "502": "The platform gave no answer that could be understood.",
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
            "/schema",
            route_handlers=[],
            include_in_schema=False,
            opt={OPEN: True},
            before_request=_describe,
            after_request=_no_page,
        ),
    )


def described(app: Litestar) -> OpenAPI:
    """The document of an application that has started, made when it is first asked for: no start waits for it."""
    document = app.openapi_schema
    # They are what comes last.
    if not document.webhooks:
        _complete_document(document, app, app.state.registry)
    return document


async def _describe(request: Request[Any, Any, State]) -> None:
    """Have the document complete before Litestar writes it down and keeps what it wrote."""
    described(request.app)


def _complete_document(document: OpenAPI, app: Litestar, registry: Registry) -> None:
    """Add to a document: bodies, queries, error answers, and a schema for every block."""
    removing: Bodies = dict.fromkeys(removals(registry), LiveRequest)
    bodies = {**_BODIES, **removing}
    schemas = _schemas(registry, bodies)
    document.components.schemas = {**document.components.schemas, **schemas}
    asked, refused, shown = _asked(app), _refused(app), examples(registry)
    for path_item in (document.paths or {}).values():
        for operation in _operations(path_item):
            _complete(operation, schemas, bodies)
            describe_file(operation)
            _show(operation, shown.get(operation.operation_id or "", {}))
            scope = asked[operation.operation_id or ""]
            # OpenAPI 3.1: what stands in the list is what the key has to be allowed.
            operation.security = [{name: [scope]} for name in (*HEADERS, _BEARER)] if scope else []
            read = operation is path_item.get
            operation.responses = _with_problems(operation, read=read) if scope else _with_absence(operation)
            if operation.operation_id in refused:
                operation.responses = {**_without_success(operation), "501": _problem(refused[operation.operation_id])}
    describe_webhooks(document)


def _no_page(response: Response[Any]) -> Response[Any]:
    """Litestar answers an unknown address under `/schema` with a page; ours are problems."""
    if response.status_code == 404:
        raise NotFoundException
    return response


def _schemas(registry: Registry, bodies: Bodies) -> dict[str, Any]:
    """By name: the bodies of requests, the problem, and the block of every platform."""
    blocks = {platform: adapter.block for platform, adapter in registry.items()}
    lined = [kind for both in _LINES.values() for kind in both]
    kinds = [*dict.fromkeys(bodies.values()), *_QUERIES.values(), *lined, Problem, *dict.fromkeys(blocks.values())]
    references, schemas = msgspec.json.schema_components(kinds, ref_template=_REFERENCE)
    named = dict(zip(kinds, references, strict=True))
    for adapter in registry.values():
        bound(adapter, schemas[adapter.block.__name__])
    data = _properties(named[PostRequest], schemas)["data"]
    data["properties"] = {
        platform: {"anyOf": [named[block], {"type": "array", "items": named[block]}, {"type": "null"}]}
        for platform, block in blocks.items()
    }
    data["additionalProperties"] = False
    platforms = _properties(named[PostRequest], schemas)["socialAccountTypes"]
    platforms["items"] = {"enum": sorted(blocks)}
    for kind in (*bodies.values(), *blocks.values()):
        schemas[kind.__name__]["additionalProperties"] = False
    for whole, name in _CHANGES.values():
        schemas[name] = {**schemas[whole.__name__], "title": name, "description": "The fields that change."}
        del schemas[name]["required"]
    return schemas


def _properties(reference: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    properties: dict[str, Any] = schemas[reference["$ref"].rpartition("/")[2]]["properties"]
    return properties


def _operations(path_item: PathItem) -> list[Operation]:
    found = (path_item.get, path_item.post, path_item.put, path_item.patch, path_item.delete, path_item.head)
    return [operation for operation in found if operation is not None]


def _complete(operation: Operation, schemas: dict[str, Any], bodies: Bodies) -> None:
    name = operation.operation_id or ""
    if name in bodies or name in _CHANGES:
        body = _CHANGES[name][1] if name in _CHANGES else bodies[name].__name__
        reference = Reference(ref=_REFERENCE.format(name=body))
        operation.request_body = _body("application/json", reference, required=name not in _OPTIONAL)
    elif name in _PARTS:
        operation.request_body = _body("application/json", _PARTS[name])
    elif name in _FORMS:
        operation.request_body = _body("multipart/form-data", _FORMS[name])
    if name in _LINES:
        _take_lines(operation, *_LINES[name])
    if name in _QUERIES:
        operation.parameters = [*(operation.parameters or []), *_parameters(schemas[_QUERIES[name].__name__])]


def _show(operation: Operation, bodies: Examples) -> None:
    """Put examples on what an operation takes."""
    if bodies:
        assert isinstance(operation.request_body, RequestBody)
        content = operation.request_body.content
        content["application/json"].examples = _numbered(bodies)
        if NDJSON in content:
            items = [item for body in bodies.values() for item in body["items"]]
            content[NDJSON].examples = _numbered({f"Line {n}": item for n, item in enumerate(items, 1)})


def _numbered(bodies: Examples) -> dict[str, Example | Reference]:
    return {
        f"example-{number}": Example(summary=summary, value=value)
        for number, (summary, value) in enumerate(bodies.items(), 1)
    }


def _take_lines(operation: Operation, taken: type[msgspec.Struct], answered: type[msgspec.Struct]) -> None:
    bodies, answer = operation.request_body, (operation.responses or {})["200"]
    assert isinstance(bodies, RequestBody)
    assert isinstance(answer, OpenAPIResponse)
    for content, kind in ((bodies.content, taken), (answer.content, answered)):
        assert content is not None
        content[NDJSON] = OpenAPIMediaType(schema=Reference(ref=_REFERENCE.format(name=kind.__name__)))


def _asked(app: Litestar) -> dict[object, str]:
    """The scope that each operation asks for, by the operation's id; nothing where it needs no key."""
    handlers = [handler for route in app.routes if isinstance(route, HTTPRoute) for handler in route.route_handlers]
    return {handler.operation_id: _scope(handler.opt.get(ACCESS)) for handler in handlers}


def _refused(app: Litestar) -> dict[object, str]:
    """Why an operation always answers 501, for those that do."""
    handlers = [handler for route in app.routes if isinstance(route, HTTPRoute) for handler in route.route_handlers]
    return {handler.operation_id: handler.opt[REASON] for handler in handlers if REASON in handler.opt}


def _without_success(operation: Operation) -> dict[str, OpenAPIResponse | Reference]:
    return {status: found for status, found in (operation.responses or {}).items() if not status.startswith("2")}


def _scope(asked: Access | None) -> str:
    return asked.scope if asked else ""


def _with_problems(operation: Operation, *, read: bool) -> dict[str, OpenAPIResponse | Reference]:
    """The answers of an operation, its failures among them; ours take the place of Litestar's own."""
    answers = {status: found for status, found in (operation.responses or {}).items() if status != "400"}
    for status, words in _PROBLEMS.items():
        if status != "413" or operation.request_body:
            answers[status] = _problem(words)
    if operation.operation_id in _CHANGES:
        answers["412"] = _problem("It is no longer as `If-Match` has it.")
    if read:
        answers["304"] = OpenAPIResponse(description="It is still as `If-None-Match` has it.")
    if (operation.operation_id or "").startswith(_OUTWARD):
        answers |= {status: _problem(words) for status, words in _OF_PLATFORMS.items()}
    return answers


def _with_absence(operation: Operation) -> dict[str, OpenAPIResponse | Reference]:
    """The answers of an operation that needs no key; ours take the place of Litestar's own."""
    answers = {status: found for status, found in (operation.responses or {}).items() if status != "400"}
    named = [each for each in operation.parameters or [] if isinstance(each, Parameter) and each.param_in == "path"]
    failures = FAILURES.get(operation.operation_id or "", {}) | ({"404": _PROBLEMS["404"]} if named else {})
    return answers | {status: _problem(words) for status, words in failures.items()}


def _body(media_type: str, schema: Any, *, required: bool = True) -> RequestBody:
    return RequestBody(content={media_type: OpenAPIMediaType(schema=schema)}, required=required)


def _problem(words: str) -> OpenAPIResponse:
    schema = Reference(ref=_REFERENCE.format(name=Problem.__name__))
    return OpenAPIResponse(description=words, content={MEDIA_TYPE: OpenAPIMediaType(schema=schema)})


def _parameters(schema: dict[str, Any]) -> list[Parameter]:
    """The fields of a query, each a parameter of its own; lists are sent as repeated names."""
    return [
        Parameter(
            name=name,
            param_in="query",
            required=name in schema.get("required", ()),
            description=field.get("description"),
            schema=field,
        )
        for name, field in schema["properties"].items()
    ]
