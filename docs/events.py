"""The page of events and webhooks, from the kinds of event and the shapes of what they say."""

from collections.abc import Iterator
from typing import Any

import msgspec

from core.events.kinds import KINDS, Kind
from core.retry import WEBHOOKS
from core.webhooks import endpoints, outbox
from core.webhooks.signing import Payload
from docs.markdown import code, first_sentence, page, table

HEAD = """\
Everything that happens is an event, written in the transaction of what it tells. It reaches you in two ways: as a
signed request to an endpoint of yours (a webhook), or from the feed, `GET /api/v1/event`, for those who cannot
receive any. The OpenAPI description has a schema for each kind under `webhooks`.
"""

ENVELOPE = """\
## What a webhook says

```json
{
  "id": "01a1fde8-47a1-7c11-9f7e-51c8e1a0a3d5",
  "type": "delivery.published",
  "version": 1,
  "timestamp": "2026-11-21T11:43:27.265113Z",
  "teamId": "01a1fdeb-1ec1-775a-b76b-747bb609a8df",
  "subject": "01a1fdeb-1f62-7ffc-bd91-e3209ce810f7",
  "sequence": 2,
  "previousSequence": 1,
  "data": {"deliveryId": "01a1fdeb-1f62-7930-bdce-379050fdffe1", "state": "published", "postStatus": "POSTED"}
}
```
"""

SEQUENCE = """\
Events come at least once and in no certain order. So keep, for each thing that you follow (a post, each of its
deliveries), the highest `sequence` that told of it: an event that is not above it is late or a repetition, and is
passed over. One whose `previousSequence` has not come yet tells of a gap: what is missing is still on its way, or
stands in the feed. What your filter left out is no gap. `previousSequence` is null at the first event of a subject,
and where the one before is no longer kept.
"""

SIGNATURES = """\
## Signatures

The headers `webhook-id`, `webhook-timestamp` and `webhook-signature` are those of [Standard
Webhooks](https://www.standardwebhooks.com): check them with one of its libraries, on the bytes as they came in.
`x-signature` is bundle.social's: the lowercase hex HMAC-SHA256 of the body, under the secret exactly as it was shown.

`POST /api/v1/webhook-endpoint/{{id}}/rotate-secret` answers a new secret. For {hours} hours `webhook-signature` holds
a signature under each of the two, so a receiver may know either. `x-signature` has room for one and bears the newest:
what a receiver refuses until it has been told is sent again later.
"""

DELIVERY = """\
## How webhooks are delivered

- A 2xx answer takes the event. Anything else, a redirect too, is tried again: {tries} tries over about 27 hours. 410
  switches the endpoint off.
- 429 and 503 with `Retry-After` leave the whole endpoint alone for so long.
- A try takes 15 seconds at most, answer included. Only public addresses are called, unless `FINGERPOST_ALLOW_URLS`
  says otherwise.
- Up to {each} messages are under way to one endpoint at a time. One that is slow or dead holds up no other. After
  {patience} failures in a row it is tried with one message at a time, after waits of up to {longest:.0f} seconds; the
  first that it takes lets all the others go.
- An endpoint that has taken nothing for {days:g} days is switched off: `webhook_endpoint.disabled` tells the
  organization's other endpoints and the feed, and `disabledReason` says why. `POST …/enable` switches it on.
- With `ordered` the events of one subject come one after the other, each when the one before was taken or given up.
- `eventTypes`, `platforms` and `teamIds` narrow down what an endpoint hears. What concerns no platform passes every
  list of platforms.

`GET /api/v1/webhook-endpoint/{{id}}/message` lists what was sent, `GET /api/v1/webhook-message/{{id}}` every try with
status, time and the first kilobyte of the answer. `POST /api/v1/webhook-message/{{id}}/resend` sends one again, under
the same `webhook-id`; `POST /api/v1/webhook-endpoint/{{id}}/resend` with `{{"since": …}}` everything that was given
up since then. What happened while an endpoint was switched off is not sent later: read the feed. Events and the log
are kept for `FINGERPOST_EVENT_DAYS`, and a team may have `FINGERPOST_WEBHOOK_ENDPOINTS` endpoints.
"""

FEED = """\
## The feed

`GET /api/v1/event` answers `items`, `next` and `more`. Ask again with `after` = `next`, at once while there is
`more`; `after=latest` begins with what happens from now on. Nothing is passed over and nothing comes twice: a
transaction is told of when every one that began before it has ended. Events stand in the order of their transactions;
among those of one subject `sequence` decides. `fingerpost listen` prints the feed as it grows, and with `--forward`
posts it, signed, to a program that you are writing.
"""

VENDOR = """\
## In the manner of bundle.social

An endpoint with `"format": "bundle.social"` is sent `{"type", "data"}` with the vendor's names, and `data` is the
whole Post, SocialAccount or Team as the API shows it; a post that failed is `post.published` with `data.status`
`ERROR`, as it is there. `constructEvent` of the package `bundlesocial` checks `x-signature`. `eventTypes` are then
the vendor's names; `comment.published` never comes. What the vendor does not know is not sent to such an endpoint.
"""


def events_page() -> str:
    """The page."""
    bounds = {
        "hours": round(endpoints.OVERLAP_SECONDS / 3600),
        "tries": WEBHOOKS.attempts,
        "each": outbox.PER_ENDPOINT,
        "patience": outbox.PATIENCE,
        "longest": outbox.LONGEST_SECONDS,
        "days": outbox.HOPELESS_DAYS,
    }
    kinds = table(("type", "when", "counted for each", "data", "at bundle.social"), map(_row, KINDS))
    shapes = dict.fromkeys(kind.data for kind in KINDS)
    return page(
        "Events and webhooks",
        HEAD,
        ENVELOPE,
        table(("field", "type", "what it is"), _fields(Payload)),
        SEQUENCE,
        "## Kinds\n",
        kinds,
        "## Data\n",
        *(_shape(shape) for shape in shapes),
        SIGNATURES.format(**bounds),
        DELIVERY.format(**bounds),
        FEED,
        VENDOR,
    )


def _row(kind: Kind) -> list[str]:
    says = kind.says if kind.sent else f"{kind.says} **Not sent yet.**"
    link = f"[{kind.data.__name__}](#{kind.data.__name__.lower()})"
    return [code(kind.type), says, kind.subject, link, code(kind.vendor or "")]


def _shape(shape: type[msgspec.Struct]) -> str:
    rows = table(("field", "type", "what it is"), _fields(shape))
    return f"### {shape.__name__}\n\n{first_sentence(shape.__doc__)}\n\n{rows}"


def _fields(shape: type[msgspec.Struct]) -> Iterator[list[str]]:
    (_,), schemas = msgspec.json.schema_components([shape])
    for name, schema in schemas[shape.__name__]["properties"].items():
        yield [code(name), _type(schema, schemas), _described(schema)]


def _described(schema: dict[str, Any]) -> str:
    if "description" in schema:
        return str(schema["description"])
    return " ".join(filter(None, (_described(each) for each in schema.get("anyOf", ()))))


def _type(schema: dict[str, Any], schemas: dict[str, Any]) -> str:
    """A schema in a few words; the fields of an object within it in brackets."""
    if "anyOf" in schema:
        return " or ".join(_type(each, schemas) for each in schema["anyOf"])
    if "$ref" in schema:
        fields = schemas[schema["$ref"].rpartition("/")[2]]["properties"]
        return f"object ({', '.join(map(code, fields))})"
    if "enum" in schema:
        return ", ".join(code(str(value)) for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'], schemas)}"
    return str(schema.get("format", schema.get("type", "anything")))
