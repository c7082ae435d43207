"""Mastodon: what a status may be on the account's own server, and how it is made and found again."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import httpx

from adapters.mastodon.block import MastodonBlock
from adapters.mastodon.instance import counts_its_way, facts_of, honours_keys, limits_by
from adapters.mastodon.words import likeness, plain, read, status_text, warning_counted
from fingerpost import (
    Account,
    Adapter,
    Certainty,
    Draft,
    Field,
    Fill,
    Form,
    Limits,
    Media,
    NotAuthorized,
    OAuth,
    Pending,
    Profile,
    Published,
    Quota,
    Refusal,
    Registration,
    Rejected,
    ServerOAuth,
    Session,
    form_body,
    gives_one_of,
)

StatusDraft = Draft[MastodonBlock]

WORDS = "The server's own words say why; mend the post."
REFUSALS = (
    Refusal(401, (), "", NotAuthorized, "token_refused", "Connect the account again.", "The access token is invalid"),
    Refusal(403, (), "", Rejected, "not_permitted",
            "Connect the account again, and give all that is asked for.", "Forbidden"),
    Refusal(404, (), "", Rejected, "not_there", "The server may take no media: leave them out.", "Record not found"),
    Refusal(413, (), "", Rejected, "file_too_large", "Send a smaller file.", "Too large"),
    Refusal(422, (), "", Rejected, "status_refused", WORDS, "Validation failed"),
)  # fmt: skip
"""By the status alone: the words are in the language of the account."""

SCOPES = ("read:accounts", "read:statuses", "write:media", "write:statuses")
AUTHORIZE, TOKEN = "{api}/oauth/authorize", "{api}/oauth/token"
POLL = timedelta(seconds=5)


class Mastodon(Adapter[MastodonBlock]):
    """The client API of Mastodon, as its servers and those of other programs speak it."""

    platform, label, certainty, key_seconds = "MASTODON", "Mastodon", "key", 3600.0
    hosts = {"api": "https://mastodon.social"}
    sandbox, limits = "adapters.mastodon.sandbox:MastodonSandbox", limits_by({})
    refusals, refusal_fields = REFUSALS, ("code", "error")
    quotas = (
        Quota(calls=300, seconds=300, scope="account", category="all"),
        Quota(calls=300, seconds=10_800, scope="account", category="status"),
        Quota(calls=30, seconds=1800, scope="account", category="media"),
    )
    operations = {"POST /api/v1/statuses": "status", "POST /api/v2/media": "media", "* /*": "all"}
    rate_headers = "x-ratelimit"
    rehearsal = {
        "POST /api/v2/media": {"id": "<the file>", "url": "<its address>"},
        "POST /api/v1/statuses": {"id": "<the status>", "url": "<its address>"},
    }
    connect = ServerOAuth(
        form=Form(fields=(Field(name="server", label="Server", host="api", help="Such as mastodon.social."),)),
        oauth=OAuth(authorize_url=AUTHORIZE, token_url=TOKEN, scopes=SCOPES, basic_auth=False),
    )
    fills = (
        Fill(field="text", source="text"),
        Fill(field="link", source="link"),
        Fill(field="altText", source="alt_text"),
    )

    says_something = gives_one_of(
        "mastodon.content", "Say something: give text, a link, or media.", "text", "link", "media"
    )

    def limits_of(self, account: Account | None) -> Limits:
        """Each server says what it allows when an account is connected, and again when its profile is refreshed."""
        return limits_by(account.facts) if account and account.facts else self.limits

    def certainty_of(self, account: Account) -> Certainty:
        """A server that is not Mastodon, such as GoToSocial, may take a key and publish twice: it is `read-back`."""
        return "key" if honours_keys(account.facts.get("version", "")) else "read-back"

    def text_of(self, draft: StatusDraft, field: str) -> str | None:
        """The warning and the link count with the text; in the warning every character of a URL counts."""
        if field != "text":
            return super().text_of(draft, field)
        own = draft.account is None or counts_its_way(draft.account.facts)
        return warning_counted(draft.block.spoiler or "", own) + status_text(draft.block)

    async def publish(self, draft: StatusDraft, session: Session) -> Published | Pending:
        """`POST /api/v1/statuses`, once all media are ready."""
        block, media = draft.block, []
        for number, item in enumerate(draft.media):
            file = await session.step(f"media-{number}", partial(_upload, session, item), safe_to_repeat=True)
            if not file["ready"] and not await _is_ready(session, file["id"]):
                return Pending(state={"media": file["id"]}, after=POLL)
            media.append(file["id"])
        body = {
            "status": status_text(block),
            "media_ids": media,
            "sensitive": block.sensitive or None,
            "spoiler_text": block.spoiler,
            "visibility": block.privacy.lower() if block.privacy else None,
            "language": block.language,
        }

        async def post() -> dict[str, Any]:
            sent = {name: value for name, value in body.items() if value}
            headers = {"Idempotency-Key": session.key}
            answer = (await session.http.post("/api/v1/statuses", json=sent, headers=headers)).json()
            return {"id": answer["id"], "url": answer.get("url")}

        made = await session.once("post", post)
        return Published(external_id=made["id"], permalink=made["url"])

    async def resume(self, draft: StatusDraft, session: Session, state: dict[str, Any]) -> Published | Pending:
        """What was uploaded is remembered; what was not ready is looked at again."""
        return await self.publish(draft, session)

    async def find(self, draft: StatusDraft, session: Session, since: datetime) -> Sequence[Published]:
        """`GET /api/v1/accounts/{id}/statuses`, until a page in order, the newest first, begins before `since`."""
        sent, found = plain(status_text(draft.block)), []
        async for page in _pages(session, f"/api/v1/accounts/{session.account.facts['id']}/statuses"):
            moments = [datetime.fromisoformat(status["created_at"]) for status in page]
            for status, moment in zip(page, moments, strict=True):
                exact = likeness(sent, read(status["content"]))
                same = (status.get("spoiler_text") or "") == (draft.block.spoiler or "")
                if exact is not None and moment >= since and len(status["media_attachments"]) == len(draft.media):
                    found.append((moment, status, exact and same))
            if moments == sorted(moments, reverse=True) and moments and moments[0] < since:
                break
        found.sort(key=lambda each: (not each[2], each[0]))
        return [Published(external_id=one["id"], permalink=one.get("url"), exact=exact) for _, one, exact in found]

    async def profile(self, session: Session) -> Profile:
        """`GET /api/v1/accounts/verify_credentials` and what the server tells of itself."""
        owner = (await session.http.get("/api/v1/accounts/verify_credentials")).json()
        instance = await _instance(session)
        server = urlsplit(session.hosts["api"]).netloc
        return Profile(
            # Ids are unique on their server alone.
            external_user=f"{owner['id']}@{server}",
            username=f"{owner['username']}@{instance.get('domain') or server}",
            display_name=owner.get("display_name") or owner["username"],
            avatar_url=owner.get("avatar"),
            facts={"id": owner["id"], **facts_of(instance)},
        )

    async def register(self, name: str, redirect_uri: str, session: Session) -> Registration:
        """`POST /api/v1/apps`."""
        asked = {"client_name": name, "redirect_uris": redirect_uri, "scopes": " ".join(SCOPES)}

        async def call() -> dict[str, str]:
            answer = (await session.http.post("/api/v1/apps", data=asked)).json()
            return {"client_id": answer["client_id"], "client_secret": answer["client_secret"]}

        return Registration(**await session.step("register", call, safe_to_repeat=True))

    def example(self, channel_id: str, picture_url: str) -> dict[str, Any]:
        """A status with a picture."""
        words = "New arrival: https://example.com/products/new-arrival"
        return {"text": words, "altText": "The new arrival on white", "mediaUrls": [picture_url]}

    def calls(self, draft: StatusDraft) -> Mapping[str, int]:
        """A create, and an upload for each file."""
        return {"status": 1, **({"media": len(draft.media)} if draft.media else {})}


async def _instance(session: Session) -> dict[str, Any]:
    """`GET /api/v2/instance`, or `GET /api/v1/instance` of a server that has no other."""
    try:
        return dict((await session.http.get("/api/v2/instance")).json())
    except Rejected:
        return dict((await session.http.get("/api/v1/instance")).json())


async def _upload(session: Session, media: Media) -> dict[str, Any]:
    """`POST /api/v2/media`: 202 where the server is still at work on it."""
    async with session.file(media) as file:
        body = form_body({"description": media.alt_text} if media.alt_text else {}, file=file)
        answer = await session.http.post("/api/v2/media", content=body, headers=body.headers)
    return {"id": answer.json()["id"], "ready": answer.status_code != httpx.codes.ACCEPTED}


async def _is_ready(session: Session, media_id: str) -> bool:
    """`GET /api/v1/media/{id}`: 206 until the server has done its work."""
    return (await session.http.get(f"/api/v1/media/{media_id}")).status_code != httpx.codes.PARTIAL_CONTENT


async def _pages(session: Session, path: str) -> AsyncIterator[list[dict[str, Any]]]:
    """Page after page of a list, by the server's link or behind the last of this one; some give all of it each time."""
    params = {"limit": "40", "exclude_reblogs": "true"}
    while page := (answer := await session.http.get(path, params=params)).json():
        if page[-1]["id"] == params.get("max_id"):
            return
        yield page
        following = answer.links.get("next", {}).get("url")
        params |= httpx.URL(following).params if following else {"max_id": page[-1]["id"]}
