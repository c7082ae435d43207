"""The webhook messages of the API: what was sent, what came back, and sending it again."""

from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Meta

from core.convert import convert
from core.dates import parse_date
from core.errors import InvalidPost, NotFound
from core.findings import Finding, Report
from core.ids import parse_id
from core.posts.filters import InvalidQuery
from core.posts.views import timestamp
from core.tenants.callers import Caller
from core.webhooks.endpoints import Endpoints
from core.webhooks.log import MessageState, SentMessage, Try, WebhookLog
from server.auth import access
from server.bodies import read_struct
from server.webhook_endpoints import known


class MessageQuery(msgspec.Struct, frozen=True, kw_only=True):
    """The query of `GET /api/v1/webhook-endpoint/{id}/message`."""

    state: Annotated[MessageState, Meta(description="Only messages in this state.")] | None = None
    before: Annotated[str, Meta(description="Only messages that are older than the one with this id.")] | None = None
    limit: Annotated[int, Meta(ge=1, le=200, description="How many are answered.")] = 50


class ResendRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `POST /api/v1/webhook-endpoint/{id}/resend`."""

    since: Annotated[str, Meta(description="Everything that was given up and is as new as this; ISO 8601.")]


class MessageView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One event for one endpoint; `eventId` is its `webhook-id`. `dueAt` is when it is tried next, if it is.

    `state` is `waiting`, `behind` (another of its subject goes first), `delivered` or `failed`.
    """

    id: str
    endpoint_id: str
    event_id: str
    type: str
    subject: str
    sequence: int
    state: str
    attempts: int
    http_status: int | None
    error: str | None
    due_at: str | None
    created_at: str
    delivered_at: str | None


class TryView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One try. `answer` is the first kilobyte of what the endpoint said.

    A number that is missing is a try that was cut off before anything could be written down of it.
    """

    number: int
    started_at: str
    seconds: float
    http_status: int | None
    error: str | None
    answer: str | None


class TriedMessageView(MessageView, frozen=True, kw_only=True, rename="camel"):
    """A message with every try to send it."""

    tries: list[TryView]


class MessagePage(msgspec.Struct, frozen=True, kw_only=True):
    """A part of an endpoint's messages, the newest first; for the rest ask `before` the last."""

    items: list[MessageView]


class ResentView(msgspec.Struct, frozen=True, kw_only=True):
    """How many messages are sent once more."""

    resent: int


Asked = Request[Caller, None, State]


class MessageController(Controller):
    """What became of webhooks, ours: the vendor has no such calls."""

    path = "/api/v1"
    tags = ("Webhooks",)

    @get(
        "/webhook-endpoint/{id:str}/message",
        operation_id="webhookEndpointGetMessages",
        summary="List the messages of a webhook endpoint",
        opt=access("read", "team", id="webhook_endpoint"),
    )
    async def page(
        self,
        request: Asked,
        endpoints: NamedDependency[Endpoints],
        webhook_log: NamedDependency[WebhookLog],
        id: FromPath[str],
    ) -> MessagePage:
        """What was sent to an endpoint, or waits to be, the newest first."""
        query = _query(dict(request.query_params.multi_items()))
        endpoint = await endpoints.get(request.user.organization_id, known(id))
        before = parse_id(query.before) if query.before is not None else None
        if query.before is not None and before is None:
            return MessagePage(items=[])
        found = await webhook_log.page(
            request.user.organization_id, endpoint.id, state=query.state, before=before, limit=query.limit
        )
        return MessagePage(items=[MessageView(**_fields(message)) for message in found])

    @post(
        "/webhook-endpoint/{id:str}/resend",
        status_code=200,
        operation_id="webhookEndpointResend",
        summary="Send again what a webhook endpoint did not get",
        opt=access("write", "team", id="webhook_endpoint"),
    )
    async def resend_failed(
        self, request: Asked, webhook_log: NamedDependency[WebhookLog], id: FromPath[str]
    ) -> ResentView:
        """Send once more what was given up since a moment, with the same ids. 409 where the endpoint is off."""
        body = await read_struct(request, ResendRequest)
        since = parse_date(body.since, ("since",))
        if isinstance(since, Finding):
            raise InvalidPost(Report((since,)))
        return ResentView(resent=await webhook_log.resend_failed(request.user.organization_id, known(id), since))

    @get(
        "/webhook-message/{id:str}",
        operation_id="webhookMessageGet",
        summary="Get a webhook message and its tries",
        opt=access("read", "team", id="webhook_message"),
    )
    async def read(
        self, request: Asked, webhook_log: NamedDependency[WebhookLog], id: FromPath[str]
    ) -> TriedMessageView:
        """One message, with every try: its status, how long it took, and the first of the answer."""
        message_id = parse_id(id)
        if message_id is None:
            raise NotFound("There is no such webhook message.")
        message, tries = await webhook_log.get(request.user.organization_id, message_id)
        return TriedMessageView(**_fields(message), tries=[_try(one) for one in tries])

    @post(
        "/webhook-message/{id:str}/resend",
        status_code=200,
        operation_id="webhookMessageResend",
        summary="Send a webhook message again",
        opt=access("write", "team", id="webhook_message"),
    )
    async def resend(self, request: Asked, webhook_log: NamedDependency[WebhookLog], id: FromPath[str]) -> MessageView:
        """Send a message once more, with the same id, whatever has become of it. 409 where the endpoint is off."""
        message_id = parse_id(id)
        if message_id is None:
            raise NotFound("There is no such webhook message.")
        return MessageView(**_fields(await webhook_log.resend(request.user.organization_id, message_id)))


def _query(values: dict[str, Any]) -> MessageQuery:
    text = values.get("limit", "")
    if text.isascii() and text.isdigit() and len(text) < 10:
        values["limit"] = int(text)
    query, faults = convert(MessageQuery, values, ("query",))
    if query is None:
        raise InvalidQuery(Report(tuple(faults)))
    return query


def _fields(message: SentMessage) -> dict[str, Any]:
    return {
        "id": str(message.id),
        "endpoint_id": str(message.endpoint_id),
        "event_id": str(message.event_id),
        "type": message.type,
        "subject": str(message.subject),
        "sequence": message.sequence,
        "state": message.state,
        "attempts": message.attempts,
        "http_status": message.http_status,
        "error": message.error,
        "due_at": timestamp(message.due_at) if message.due_at else None,
        "created_at": timestamp(message.created_at),
        "delivered_at": timestamp(message.delivered_at) if message.delivered_at else None,
    }


def _try(one: Try) -> TryView:
    return TryView(
        number=one.number,
        started_at=timestamp(one.started_at),
        seconds=round(one.seconds, 3),
        http_status=one.http_status,
        error=one.error,
        answer=one.answer,
    )
