"""Bluesky: what a post may be, and how it is put under a key of its own."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any
from uuid import UUID

import httpx

from adapters.bluesky.block import BlueskyBlock
from adapters.bluesky.facets import facets, mentioned
from adapters.bluesky.refusals import REFUSALS
from fingerpost import (
    Adapter,
    Draft,
    Field,
    FileLimits,
    Fill,
    Form,
    Limits,
    Media,
    MediaLimits,
    Profile,
    Published,
    Quota,
    Rejected,
    Remaining,
    Session,
    TextLimit,
    Tokens,
    gives_one_of,
    jwt_seconds,
    quota_left,
    rule,
)

PostDraft = Draft[BlueskyBlock]

XRPC, POST = "/xrpc/com.atproto", "app.bsky.feed.post"
SORTABLE = "234567abcdefghijklmnopqrstuvwxyz"
PICTURE = FileLimits(mimes=("image/jpeg", "image/png", "image/webp"), bytes_max=1_000_000)
POINTS = {5000: 3, 35_000: 3}
"""Limits that count points, and how many a create costs (Bluesky's page "Rate limits")."""


def tid(key: str, number: int) -> str:
    """A TID (53 bits of microseconds, 10 of a clock's id) that a delivery's key decides, with a UUIDv7's own time."""
    digest = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big")
    try:
        moment = (UUID(key).int >> 80) * 1000 + digest % 1000
    except ValueError:
        moment = digest >> 12
    value = ((moment + number) % 2**53) << 10 | digest >> 54
    return "".join(SORTABLE[value >> shift & 31] for shift in range(60, -1, -5))


class Bluesky(Adapter[BlueskyBlock]):
    """Bluesky, or any AT Protocol server: a post is put where its delivery decides; again, that changes nothing."""

    platform, label, certainty = "BLUESKY", "Bluesky", "key"
    hosts = {"api": "https://bsky.social", "web": "https://bsky.app"}
    sandbox = "adapters.bluesky.sandbox:BlueskySandbox"
    refusals, refusal_fields = REFUSALS, ("error", "message")
    limits = Limits(
        texts=(
            *(TextLimit(field=field, most=300, counter="graphemes") for field in ("text", "thread")),
            *(TextLimit(field=field, most=3000, counter="bytes") for field in ("text", "thread")),
            TextLimit(field="tags", most=64, counter="graphemes"),
            TextLimit(field="tags", most=640, counter="bytes"),
        ),
        media=MediaLimits(count=(0, 4), by="bytes", image=PICTURE),
    )
    quotas = (
        Quota(calls=1666, seconds=3600, scope="account", category="write"),
        Quota(calls=11_666, seconds=86_400, scope="account", category="write"),
        Quota(calls=1000, seconds=86_400, scope="account", category="blob"),
        Quota(calls=30, seconds=300, scope="account", category="session"),
    )
    operations = {
        f"POST {XRPC}.repo.putRecord": "write",
        f"POST {XRPC}.repo.uploadBlob": "blob",
        f"POST {XRPC}.server.createSession": "session",
        f"POST {XRPC}.server.refreshSession": "session",
        "GET /xrpc/*": "read",
    }
    rehearsal = {
        f"POST {XRPC}.repo.uploadBlob": {"blob": {"$type": "blob", "ref": {"$link": "<the picture>"}}},
        f"POST {XRPC}.repo.putRecord": {"uri": f"at://<the account>/{POST}/<key>", "cid": "<the post's hash>"},
        f"GET {XRPC}.identity.resolveHandle": {"did": "<who is mentioned>"},
        f"GET {XRPC}.repo.getRecord": {"uri": "<the post>", "cid": "<its hash>", "value": {}},
    }
    connect = Form(
        help="Make an app password in Bluesky: Settings, Privacy and security, App passwords.",
        fields=(
            Field(name="handle", label="Handle", help="Such as anna.bsky.social, or the e-mail address."),
            Field(name="password", label="App password", secret=True),
            Field(name="server", label="Server", host="api", optional=True, help="Where it is not bsky.social."),
        ),
    )
    fills = (
        Fill(field="text", source="text"),
        Fill(field="externalUrl", source="link"),
        Fill(field="altText", source="alt_text"),
    )

    says_something = gives_one_of(
        "bluesky.content", "Say something: give text, a picture, a link or a quote.",
        "text", "externalUrl", "quoteUri", "media",
    )  # fmt: skip

    @rule(
        "bluesky.card",
        "A post with pictures has no link card; put the link into the text.",
        at="externalUrl",
        severity="warning",
        breaks={"externalUrl": "https://example.com/", "text": "Look", "uploadIds": ["image"], "mediaUrls": None},
    )
    def shows_its_link(self, draft: PostDraft) -> bool:
        """Pictures and a card are each the one embed of a post."""
        return not draft.media or (draft.block.external_url or "") in (draft.block.text or "")

    async def publish(self, draft: PostDraft, session: Session) -> Published:
        """`com.atproto.repo.putRecord`, once for each text of the thread."""
        block, repo = draft.block, session.account.external_user
        made_at = session.fixed("made-at", session.now().isoformat().replace("+00:00", "Z"))
        head = {"$type": POST, "createdAt": made_at, **({"langs": block.languages} if block.languages else {})}
        first = {**head, **await _text(session, block.text or ""), **await _beside(draft, session)}
        reply = await _thread_of(session, block.reply_to) if block.reply_to else None
        made: list[str] = []
        for number, text in enumerate(("", *block.thread)):
            record = {**head, **await _text(session, text)} if number else first
            body = {"repo": repo, "collection": POST, "rkey": tid(session.key, number), "record": record}
            call = partial(_put, session, body if reply is None else {**body, "record": {**record, "reply": reply}})
            put = await session.once(f"post-{number}", call)
            reply = {"root": reply["root"] if reply else put, "parent": put}
            made.append(put["uri"])
        did, _, rkey = made[0].removeprefix("at://").split("/")
        return Published(external_id=made[0], permalink=f"{session.hosts['web']}/profile/{did}/post/{rkey}")

    async def profile(self, session: Session) -> Profile:
        """`com.atproto.server.getSession`."""
        owner = (await session.http.get(f"{XRPC}.server.getSession")).json()
        return Profile(external_user=owner["did"], username=owner["handle"], display_name=owner["handle"])

    async def sign_in(self, fields: Mapping[str, str], session: Session) -> Tokens:
        """`com.atproto.server.createSession`."""
        body = {"identifier": fields["handle"].removeprefix("@"), "password": fields["password"]}
        return await _session(session, "createSession", json=body)

    async def renew(self, refresh_token: str, session: Session) -> Tokens:
        """`com.atproto.server.refreshSession`."""
        return await _session(session, "refreshSession", headers={"Authorization": f"Bearer {refresh_token}"})

    def example(self, channel_id: str, picture_url: str) -> dict[str, Any]:
        """A post with a picture, a link and a tag."""
        words = "New arrival: https://example.com/products/new-arrival #design"
        return {"text": words, "altText": "The new arrival on white", "mediaUrls": [picture_url]}

    def calls(self, draft: PostDraft) -> Mapping[str, int]:
        """A put for each text, an upload for each picture."""
        return {"write": 1 + len(draft.block.thread), **({"blob": len(draft.media)} if draft.media else {})}

    def remaining(self, response: httpx.Response) -> Sequence[Remaining]:
        """From `RateLimit-*`; `RateLimit-Policy: 1000;w=86400` says of which window."""
        policy = re.fullmatch(r"(\d{1,9});w=(\d{1,9})", response.headers.get("ratelimit-policy", ""))
        told = quota_left(response, "ratelimit")
        category = self.operations.get(f"{response.request.method} {response.request.url.path}")
        if policy is None or told is None or category is None:
            return ()
        calls = told[0] // POINTS.get(int(policy[1]), 1)
        return (Remaining(category=category, seconds=int(policy[2]), calls=calls, reset=told[1]),)


async def _session(session: Session, method: str, **how: Any) -> Tokens:
    async def call() -> Any:
        return (await session.http.post(f"{XRPC}.server.{method}", **how)).json()

    answer = await session.step(method, call, safe_to_repeat=True)
    access, refresh = answer["accessJwt"], answer["refreshJwt"]
    lives = jwt_seconds(access), jwt_seconds(refresh)
    return Tokens(access_token=access, refresh_token=refresh, expires_in=lives[0], refresh_expires_in=lives[1])


async def _put(session: Session, body: dict[str, Any]) -> dict[str, str]:
    answer = (await session.http.post(f"{XRPC}.repo.putRecord", json=body)).json()
    return {"uri": answer["uri"], "cid": answer["cid"]}


async def _text(session: Session, text: str) -> dict[str, Any]:
    """A record's text and its facets; mentions of nobody stay plain."""
    dids: dict[str, str] = {}
    for handle in mentioned(text):
        with suppress(Rejected):
            answer = await session.http.get(f"{XRPC}.identity.resolveHandle", params={"handle": handle})
            dids[handle] = answer.json()["did"]
    active = facets(text, dids)
    return {"text": text, **({"facets": active} if active else {})}


async def _beside(draft: PostDraft, session: Session) -> dict[str, Any]:
    """What stands beside the text of the first post: tags, labels, and its one embed."""
    block = draft.block
    embed = await _pictures(draft, session) or _card(block)
    if block.quote_uri:
        found = await _thread_of(session, block.quote_uri)
        quoted = {"$type": "app.bsky.embed.record", "record": found["parent"]}
        both = {"$type": "app.bsky.embed.recordWithMedia", "record": quoted, "media": embed}
        embed = both if embed else quoted
    labels = {"$type": "com.atproto.label.defs#selfLabels", "values": [{"val": label} for label in block.labels]}
    told = {"tags": block.tags, "labels": labels if block.labels else None, "embed": embed}
    return {name: value for name, value in told.items() if value}


async def _pictures(draft: PostDraft, session: Session) -> dict[str, Any] | None:
    images = []
    for number, media in enumerate(draft.media):

        async def upload(media: Media = media) -> Any:
            async with session.file(media) as file:
                sent = await session.http.post(f"{XRPC}.repo.uploadBlob", content=file, headers=file.headers)
            return sent.json()["blob"]

        blob = await session.step(f"blob-{number}", upload, safe_to_repeat=True)
        alt = media.alt_text or ""
        size = {"aspectRatio": {"width": media.width, "height": media.height}} if media.width and media.height else {}
        images.append({"image": blob, "alt": alt, **size})
    return {"$type": "app.bsky.embed.images", "images": images} if images else None


def _card(block: BlueskyBlock) -> dict[str, Any] | None:
    url, words = block.external_url, block.external_description or ""
    card = {"uri": url, "title": block.external_title or url, "description": words}
    return {"$type": "app.bsky.embed.external", "external": card} if url else None


async def _thread_of(session: Session, uri: str) -> dict[str, Any]:
    """`com.atproto.repo.getRecord`: strong references to a post, `parent`, and to the root of its thread."""
    names = zip(("repo", "collection", "rkey"), uri.removeprefix("at://").split("/"), strict=True)
    found = (await session.http.get(f"{XRPC}.repo.getRecord", params=dict(names))).json()
    own = {"uri": found["uri"], "cid": found["cid"]}
    return {"parent": own, "root": found["value"].get("reply", {}).get("root", own)}
