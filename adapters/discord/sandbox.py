"""A strict, stateful fake of the part of Discord's API v10 that sends messages."""

import random
import re
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any, ClassVar

import msgspec
from aiohttp import web
from aiohttp.multipart import BodyPartReader

from fingerpost import Sandbox, Seed, json_answer, route_of

NONCE_SECONDS = 180.0
"""For how long a nonce is remembered: "the past few minutes"."""

EPOCH = 1_420_070_400
"""When Discord's ids begin to count, in unix seconds."""

FILE_BYTES, FORM_BYTES = 10 * 2**20, 25 * 2**20

SHARED = {"content", "embeds", "attachments", "allowed_mentions", "flags", "tts"}
FIELDS = {"webhook": SHARED | {"username", "avatar_url"}, "bot": SHARED | {"nonce", "enforce_nonce"}}
EMBED = {"title": 256, "description": 4096, "url": 2048, "color": None}
"""The fields of an embed that are known here, and how long they may be."""


class Refusal(Exception):
    """A call that is answered with an error."""

    def __init__(self, status: int, code: int, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"code": code, "message": message, **more}


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who calls, a `webhook` or a `bot`, and the server and channels that are theirs."""

    way: str
    id: str
    name: str
    token: str
    server: str
    channels: tuple[str, ...]


class DiscordSandbox(Sandbox):
    """Webhooks and bots: `way` says which are seeded. `messages` are (calls, seconds) of a bucket.

    `hide` takes a bot's right to write away, `remove` takes a webhook away.
    """

    platform: ClassVar[str] = "DISCORD"
    shelf: ClassVar[str] = "messages"
    ways: ClassVar[tuple[str, ...]] = ("webhook", "bot")

    def __init__(self, *, way: str = "webhook", messages: tuple[int, float] = (5, 5.0), **options: Any) -> None:
        super().__init__(way=way, **options)
        self._messages: list[dict[str, Any]] = []
        self._callers: dict[str, Caller] = {}
        self._nonces: dict[tuple[str, str], tuple[float, dict[str, Any]]] = {}
        self._allowance = messages
        self._buckets: dict[str, tuple[float, int]] = {}
        self._numbers = count(1)
        # Faults draw from the other one, so that a coin thrown changes no id: users are the same after each start.
        self._drawn = random.Random(self.rng.getrandbits(64))  # noqa: S311 - nothing is secret here

    def routes(self) -> Sequence[web.RouteDef]:
        """Get Webhook, Execute Webhook, Create Message, and what tells of a bot and its channels."""
        return [
            web.route("GET", "/webhooks/{webhook}/{token}", self._guarded(self._show_webhook)),
            web.post("/webhooks/{webhook}/{token}", self._guarded(self._execute_webhook)),
            web.post("/channels/{channel}/messages", self._guarded(self._create_message)),
            web.route("GET", "/users/@me", self._guarded(self._show_bot)),
            web.route("GET", "/users/@me/guilds", self._guarded(self._list_servers)),
            web.route("GET", "/guilds/{guild}/channels", self._guarded(self._list_channels)),
        ]

    def live(self) -> dict[str, Any]:
        """Every message, the oldest first; `text` is its content."""
        return {"messages": self._messages}

    def seed(self) -> Seed:
        """A webhook, or a bot in a server of two channels."""
        id, server, first, second = (str(self._drawn.randrange(10**17, 10**18)) for _ in range(4))
        channels = (first,) if self.way == "webhook" else (first, second)
        secret = f"{self._drawn.getrandbits(240):060x}"
        token = f"{id}/{secret}" if self.way == "webhook" else f"MTk.{secret}"
        name = f"{self.way}-{len(self._callers) + 1}"
        self._callers[token] = Caller(way=self.way, id=id, name=name, token=token, server=server, channels=channels)
        facts = {"way": self.way}
        return Seed(access_token=token, refresh_token=None, external_user=id, channel_id=channels[0], facts=facts)

    def remove(self, token: str) -> None:
        """Take a webhook or a bot away."""
        del self._callers[token]

    def account_of(self, request: web.Request) -> str | None:
        """The id of the webhook or the bot."""
        caller = self._caller(request)
        return caller.id if caller else None

    async def admit(self, request: web.Request) -> web.Response | None:
        """Counts a message in the bucket of its channel or webhook."""
        bucket = self._bucket(request)
        if bucket is None:
            return None
        calls, seconds = self._allowance
        ends, left = self._buckets.get(bucket, (0.0, 0))
        if ends <= self.clock():
            ends, left = self.clock() + seconds, calls
        self._buckets[bucket] = (ends, left - 1)
        if left > 0:
            return None
        wait = round(ends - self.clock(), 3)
        body = {"message": "You are being rate limited.", "retry_after": wait, "global": False, "code": 0}
        return json_answer(429, body, {"Retry-After": str(max(int(wait + 0.999), 1)), "X-RateLimit-Scope": "user"})

    def headers(self, request: web.Request) -> Mapping[str, str]:
        """How the bucket stands."""
        bucket = self._bucket(request)
        if bucket is None or bucket not in self._buckets:
            return {}
        ends, left = self._buckets[bucket]
        return {
            "X-RateLimit-Limit": str(self._allowance[0]),
            "X-RateLimit-Remaining": str(max(left, 0)),
            "X-RateLimit-Reset": f"{ends:.3f}",
            "X-RateLimit-Reset-After": f"{max(ends - self.clock(), 0.0):.3f}",
            "X-RateLimit-Bucket": f"{abs(hash(bucket)):016x}"[:32],
        }

    def error_body(self, status: int) -> object:
        """An error of which only the status is known."""
        words = {400: (50035, "Invalid Form Body"), 401: (0, "401: Unauthorized"), 404: (0, "404: Not Found")}
        code, message = words.get(status, (0, f"{status}: Error"))
        return {"code": code, "message": message}

    def _bucket(self, request: web.Request) -> str | None:
        return request.path if request.method == "POST" and route_of(request) else None

    def _caller(self, request: web.Request) -> Caller | None:
        if request.match_info.get("webhook"):
            return self._callers.get(f"{request.match_info['webhook']}/{request.match_info['token']}")
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        found = self._callers.get(token) if kind == "Bot" else None
        return found if found and found.way == "bot" else None

    def _guarded(self, work: Any) -> Any:
        async def serve(request: web.Request) -> web.Response:
            try:
                caller = self._caller(request)
                if caller is None and "webhook" in request.match_info:
                    raise Refusal(404, 10015, "Unknown Webhook")
                if caller is None:
                    raise Refusal(401, 0, "401: Unauthorized")
                answer: web.Response = await work(caller, request)
                return answer
            except Refusal as refusal:
                return json_answer(refusal.status, refusal.body)

        return serve

    async def _show_webhook(self, caller: Caller, request: web.Request) -> web.Response:
        token = caller.token.partition("/")[2]
        facts = {
            "id": caller.id,
            "name": caller.name,
            "type": 1,
            "token": token,
            "application_id": None,
            "avatar": None,
        }
        return json_answer(200, facts | {"channel_id": caller.channels[0], "guild_id": caller.server})

    async def _show_bot(self, caller: Caller, request: web.Request) -> web.Response:
        return json_answer(200, _user(caller) | {"mfa_enabled": False, "locale": "en-US", "verified": True})

    async def _list_servers(self, caller: Caller, request: web.Request) -> web.Response:
        facts: dict[str, Any] = {"icon": None, "banner": None, "owner": False, "permissions": "2048", "features": []}
        return json_answer(200, [{"id": caller.server, "name": "A server", **facts}])

    async def _list_channels(self, caller: Caller, request: web.Request) -> web.Response:
        if request.match_info["guild"] != caller.server:
            raise Refusal(403, 50001, "Missing Access")
        facts = {"type": 0, "guild_id": caller.server, "flags": 0, "position": 0}
        rows = [{"id": id, "name": f"channel-{n}", **facts} for n, id in enumerate(caller.channels)]
        voice = {"id": self._snowflake(), "name": "voice", **facts, "type": 2}
        return json_answer(200, [*rows, voice])

    async def _execute_webhook(self, caller: Caller, request: web.Request) -> web.Response:
        body, files = await _read(request)
        made = self._make(caller, caller.channels[0], body, files)
        return (
            json_answer(200, _shown(made, caller)) if request.query.get("wait") == "true" else web.Response(status=204)
        )

    async def _create_message(self, caller: Caller, request: web.Request) -> web.Response:
        channel = request.match_info["channel"]
        if channel not in {id for other in self._callers.values() for id in other.channels}:
            raise Refusal(404, 10003, "Unknown Channel")
        if channel not in caller.channels:
            raise Refusal(403, 50001, "Missing Access")
        body, files = await _read(request)
        nonce, now = (caller.id, str(body.get("nonce") or "")), self.clock()
        said, earlier = self._nonces.get(nonce, (0.0, {}))
        if nonce[1] and body.get("enforce_nonce") and now - said < NONCE_SECONDS:
            return json_answer(200, _shown(earlier, caller))
        made = self._make(caller, channel, body, files)
        self._nonces[nonce] = (now, made)
        return json_answer(200, _shown(made, caller) | ({"nonce": nonce[1]} if nonce[1] else {}))

    def _make(self, caller: Caller, channel: str, body: dict[str, Any], files: list[tuple[str, int]]) -> dict[str, Any]:
        _refuse_mistaken(body, files, FIELDS[caller.way])
        made = {
            "id": self._snowflake(),
            "channel_id": channel,
            "author": caller.id,
            "text": (self.kept(body.get("content")) or "").strip(),
            "embeds": body.get("embeds") or [],
            "attachments": [
                {"description": each.get("description"), "filename": name, "size": size}
                for each, (name, size) in zip(body.get("attachments") or [], files, strict=True)
            ],
            "created": self.clock(),
        }
        self._messages.append(made)
        return made

    def _snowflake(self) -> str:
        return str((int((self.clock() - EPOCH) * 1000) << 22) + next(self._numbers))


async def _read(request: web.Request) -> tuple[dict[str, Any], list[tuple[str, int]]]:
    """The message of a request, and name and size of each file."""
    files: list[tuple[str, int]] = []
    text = b""
    if request.content_type == "multipart/form-data":
        async for part in await request.multipart():
            assert isinstance(part, BodyPartReader)
            content = bytes(await part.read())
            if part.name == "payload_json":
                text = content
            elif part.name == f"files[{len(files)}]" and part.filename:
                files.append((part.filename, len(content)))
            else:
                raise Refusal(400, 50035, "Invalid Form Body", errors={str(part.name): "UNKNOWN_PART"})
    else:
        text = await request.read()
    if any(size > FILE_BYTES for _, size in files) or sum(size for _, size in files) > FORM_BYTES:
        raise Refusal(413, 40005, "Request entity too large")
    try:
        return msgspec.json.decode(text, type=dict[str, Any]), files
    except msgspec.DecodeError:
        raise Refusal(400, 50109, "The request body contains invalid JSON.") from None


def _refuse_mistaken(body: dict[str, Any], files: list[tuple[str, int]], fields: set[str]) -> None:
    """Raise Refusal, as Discord does for a form with mistakes, naming them all."""
    wrong = {name: "UNKNOWN_FIELD" for name in body if name not in fields}
    for name, longest in {"content": 2000, "username": 80, "nonce": 25}.items():
        if len(body.get(name) or "") > longest:
            wrong[name] = "BASE_TYPE_MAX_LENGTH"
    if body.get("username") is not None:
        wrong |= _name_faults(body["username"].strip().lower())
    avatar = body.get("avatar_url")
    if avatar is not None and (len(avatar) > 2048 or not re.match(r"https?://\S+$", avatar)):
        wrong["avatar_url"] = "URL_TYPE_INVALID_URL"
    embeds = body.get("embeds") or []
    if len(embeds) > 10 or sum(len(each.get(n) or "") for each in embeds for n in ("title", "description")) > 6000:
        wrong["embeds"] = "MAX_EMBED_SIZE_EXCEEDED"
    for embed in embeds:
        if any(name not in EMBED or len(str(text)) > (EMBED[name] or 20) for name, text in embed.items()):
            wrong["embeds"] = "BASE_TYPE_BAD"
        elif not (embed.get("title") or embed.get("description")):
            wrong["embeds"] = "BASE_TYPE_REQUIRED"
    attachments = body.get("attachments") or []
    if [each.get("id") for each in attachments] != [str(at) for at in range(len(files))] or len(files) > 10:
        wrong["attachments"] = "ATTACHMENT_NOT_FOUND"
    if any(len(each.get("description") or "") > 1024 for each in attachments):
        wrong["attachments"] = "BASE_TYPE_MAX_LENGTH"
    if wrong:
        details = {name: {"_errors": [{"code": code, "message": code}]} for name, code in wrong.items()}
        raise Refusal(400, 50035, "Invalid Form Body", errors=details)
    if not ((body.get("content") or "").strip() or embeds or files):
        raise Refusal(400, 50006, "Cannot send an empty message")


def _name_faults(name: str) -> dict[str, str]:
    """What is wrong with the name that a webhook's message is to bear, by field; "Usernames and Nicknames"."""
    if "clyde" in name or "discord" in name:
        return {"username": "USERNAME_INVALID_CONTAINS"}
    return {"username": "USERNAME_INVALID"} if name in ("", "everyone", "here") else {}


def _user(caller: Caller) -> dict[str, Any]:
    known = {"id": caller.id, "username": caller.name, "avatar": None, "discriminator": "0000", "bot": True}
    return known | {"public_flags": 0, "flags": 0, "global_name": None, "primary_guild": None}


def _shown(made: dict[str, Any], caller: Caller) -> dict[str, Any]:
    """A message as the API answers it."""
    files = [
        {"id": str(at), "url": f"https://cdn.example/{at}", "proxy_url": f"https://cdn.example/{at}", **each}
        for at, each in enumerate(made["attachments"])
    ]
    facts: dict[str, Any] = {
        "type": 0, "mentions": [], "mention_roles": [], "edited_timestamp": None, "flags": 0, "components": [],
        "pinned": False, "mention_everyone": False, "tts": False, "timestamp": "2026-01-01T00:00:00+00:00",
    }  # fmt: skip
    embeds = [{"type": "rich", **each} for each in made["embeds"]]
    named = {"id": made["id"], "channel_id": made["channel_id"], "content": made["text"], "author": _user(caller)}
    return facts | named | {"attachments": files, "embeds": embeds}
