"""Examples of what the API takes, for its description: a test sends every one of them."""

from collections.abc import Iterator
from typing import Any

from core.drafting import AnyAdapter
from core.registry import Registry
from server.live_posts import removals

TEAM = "0190b3f0-0000-7000-8000-0000000000a1"
OTHER_TEAM = "0190b3f0-0000-7000-8000-0000000000a2"
ACCOUNT = "0190b3f0-0000-7000-8000-0000000000a3"
POST = "0190b3f0-0000-7000-8000-0000000000a5"
UPLOAD = "0190b3f0-0000-7000-8000-0000000000a4"
CHANNEL = "1234567890"
PICTURE = "https://example.com/picture.png"
DATE = "2030-05-14T10:00:00.000Z"

Examples = dict[str, Any]
"""Bodies by what each shows."""


def examples(registry: Registry) -> dict[str, Examples]:
    """Examples of bodies, by the operation that takes them."""
    posts = {adapter.label: _post(adapter) for _, adapter in sorted(registry.items())}
    lines = [{"post": post, "idempotencyKey": f"spring-{number}"} for number, post in enumerate(posts.values(), 1)]
    return {
        "postCreate": posts | dict(_shared(registry)),
        "postValidate": posts,
        "postCreateBulk": {"A post for each platform": {"items": lines}} if lines else {},
        "postUpdate": {"Another date": {"postDate": DATE}},
        "postApprove": {"With a word": {"note": "Go ahead."}},
        "postReject": {"With a reason": {"note": "The price is wrong."}},
        "deliveryUpdatePublished": {"Other words": {_editable(registry): "Other words."}},
        "deliverySavePublished": {"In another channel": {"channelId": CHANNEL}},
        "deliveryResolve": {
            "It is live": {"resolution": "published", "externalId": "179526140726060032"},
            "It is not, and may be tried again": {"resolution": "retry"},
        },
        **{name: {"By its post": {"teamId": TEAM, "postId": POST}} for name in removals(registry)},
        **_uploads(),
        **_webhooks(),
        **_tenants(),
        **_accounts(registry),
        **{name: {"A name": {"name": "Spring"}} for name in ("channelCreate", "sectionCreate", "sectionUpdate")},
        "channelUpdate": {"Another name": {"name": "Summer"}},
    }


def _post(adapter: AnyAdapter) -> dict[str, Any]:
    return {
        "teamId": TEAM,
        "title": "New arrival",
        "postDate": DATE,
        "status": "SCHEDULED",
        "socialAccountTypes": [adapter.platform],
        "text": "New arrival",
        "data": {adapter.platform: adapter.example(CHANNEL, PICTURE)},
    }


def _editable(registry: Registry) -> str:
    """A field that may be another once a post is live, on the first platform that has one."""
    fields = [
        name for _, adapter in sorted(registry.items()) if adapter.aftercare for name in adapter.aftercare.editable
    ]
    return next(iter(fields), "text")


def _shared(registry: Registry) -> Iterator[tuple[str, Any]]:
    """A post for several platforms, where there are several."""
    adapters = [adapter for _, adapter in sorted(registry.items())]
    if len(adapters) > 1:
        data = {adapter.platform: adapter.example(CHANNEL, PICTURE) for adapter in adapters}
        yield "Every platform at once", {**_post(adapters[0]), "socialAccountTypes": list(data), "data": data}
    if adapters:
        unfinished = {**_post(adapters[0]), "status": "DRAFT", "data": {}}
        yield "A draft, to be finished later", unfinished


def _uploads() -> dict[str, Examples]:
    return {
        "uploadCreateFromUrl": {"A picture": {"teamId": TEAM, "url": PICTURE, "altText": "A pair of shoes."}},
        "uploadInitLargeUpload": {"A film": {"teamId": TEAM, "fileName": "film.mp4", "mimeType": "video/mp4"}},
        "uploadFinalizeLargeUpload": {"What `init` answered": {"teamId": TEAM, "path": f"incoming/{TEAM}/{UPLOAD}"}},
        "uploadDeleteMany": {"One": {"ids": [UPLOAD]}},
    }


def _webhooks() -> dict[str, Examples]:
    return {
        "webhookEndpointCreate": {
            "What becomes of a team's posts": {
                "teamId": TEAM,
                "url": "https://app.example/webhooks",
                "eventTypes": ["post.published", "post.failed"],
            }
        },
        "webhookEndpointUpdate": {"In order": {"description": "For the shop", "ordered": True}},
        "webhookEndpointResend": {"Since a moment": {"since": "2026-05-14T10:00:00Z"}},
    }


def _tenants() -> dict[str, Examples]:
    return {
        "organizationCreate": {"An organization": {"name": "The Shop"}},
        "organizationCreateFirstKey": {"Its first key": {"name": "first"}},
        "teamCreateTeam": {"A team": {"name": "Spring"}},
        "teamUpdateTeam": {"Another name": {"name": "Summer"}},
        "apiKeyCreate": {"For one team": {"name": "poster", "scopes": ["read", "write"], "teamId": TEAM}},
        "appPut": {"What the platform gave": {"clientId": "1234567", "clientSecret": "a-long-secret"}},
    }


def _accounts(registry: Registry) -> dict[str, Examples]:
    """Those that name a platform, by the first that accounts can be connected to."""
    platform = next((name for name, adapter in sorted(registry.items()) if adapter.connect is not None), None)
    if platform is None:
        return {}
    which = {"teamId": TEAM, "type": platform}
    back = {"redirectUrl": "https://app.example/connected"}
    shared = {"fromTeamId": TEAM, "toTeamId": OTHER_TEAM, "socialAccountTypes": [platform]}
    cares = ("ConnectionCheck", "ProfileRefresh", "RefreshChannels", "UnsetChannel", "Disconnect")
    return {
        "socialAccountConnect": {"One account": {**which, **back}},
        "socialAccountCreatePortalLink": {"A page": {"teamId": TEAM, "socialAccountTypes": [platform], **back}},
        "socialAccountSetChannel": {"A channel": {**which, "channelId": CHANNEL}},
        "socialAccountCopy": {"To another team": shared},
        "postReconnectSocialAccount": {"What waits for an account": which},
        **{f"socialAccount{care}": {"The team's account": which} for care in cares},
    }
