"""Discord (API v10): what a message may be, and how it is sent through a webhook or by a bot."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Annotated, Any, Literal

import httpx
import msgspec
from msgspec import Meta

import fingerpost as fp

Snowflake = Annotated[str, Meta(max_length=20, pattern=r"^[0-9]+$", extra={"expects": "an id of digits"})]
FILE = fp.FileLimits(bytes_max=10 * 2**20)
MEDIA = fp.MediaLimits(count=(0, 10), mix=True, by="bytes", bytes_max=25 * 2**20, image=FILE, video=FILE, document=FILE)
MENTIONS = "Whom mentions in the text may call; roles and users, unless said otherwise."
WEBHOOK = re.compile(r"/webhooks/([0-9]+/[\w-]+)")


class Embed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A card below the message."""

    title: Annotated[str, Meta(max_length=256)] | None = None
    description: Annotated[str, Meta(max_length=4096)] | None = None
    url: fp.Url | None = None
    color: Annotated[int, Meta(ge=0, le=0xFFFFFF)] | None = None


class MessageBlock(fp.Block, frozen=True, kw_only=True):
    """One message. The bounds are those of Discord's OpenAPI description."""

    channel_id: Annotated[Snowflake, Meta(description="The channel, by its id; a webhook has but one.")] | None = None
    text: Annotated[str, Meta(max_length=2000, description="What is said, in Discord's Markdown.")] | None = None
    alt_text: Annotated[str, Meta(max_length=1024, description="What the first file shows.")] | None = None
    embeds: Annotated[list[Embed], Meta(max_length=10, description="Cards below the message.")] = []
    mentions: Annotated[list[Literal["everyone", "roles", "users"]], Meta(description=MENTIONS)] | None = None
    username: Annotated[str, Meta(min_length=1, max_length=80, description="The author's name.")] | None = None
    avatar_url: Annotated[fp.Url, Meta(description="The author's picture.")] | None = None


Message = fp.Draft[MessageBlock]


class Discord(fp.Adapter[MessageBlock]):
    """A bot's channels may hide their history from it, and then look empty: nothing is ever looked up there."""

    platform, label, certainty, key_seconds = "DISCORD", "Discord", "key", 120
    hosts = {"api": "https://discord.com/api/v10", "web": "https://discord.com"}
    sandbox = "adapters.discord.sandbox:DiscordSandbox"
    limits = fp.Limits(media=MEDIA)
    quotas = (
        fp.Quota(calls=50, seconds=1, scope="account", category="all"),
        fp.Quota(calls=5, seconds=5, scope="account", category="message"),
    )
    operations = {"POST *": "message", "GET *": "read"}
    rehearsal = {"POST *": {"id": "<the message's id>", "channel_id": "<the channel's id>"}}
    connect = fp.Form(fields=(fp.Field(name="token", label="Webhook URL or bot token", secret=True),))
    fills = (
        fp.Fill(field="text", source="text"),
        fp.Fill(field="text", source="link", below=True),
        fp.Fill(field="altText", source="alt_text", if_it_fits=True),
    )
    refusals = (
        fp.Refusal(401, (), "", fp.NotAuthorized, "token_refused", "Connect it again.", "401: Unauthorized"),
        fp.Refusal(404, (10015,), "", fp.NotAuthorized, "webhook_gone", "Connect a new webhook.", "Unknown Webhook"),
        fp.Refusal(404, (10003,), "", fp.Rejected, "channel_gone", "Choose another channel.", "Unknown Channel"),
        fp.Refusal(403, (50001, 50013), "", fp.Rejected, "not_permitted", "Let the bot write there.", "Missing Access"),
        fp.Refusal(403, (200000,), "", fp.Rejected, "moderated", "The server's moderation forbids it.", "Blocked"),
        fp.Refusal(413, (), "", fp.Rejected, "too_large", "Send smaller files.", "Request entity too large"),
        fp.Refusal(400, (), "", fp.Rejected, "rejected", "Change it as Discord says.", "Invalid Form Body"),
    )

    @fp.rule("discord.empty", "Say something: give text, a file or an embed.", at="text",
             breaks={"text": " ", "embeds": None, "mediaUrls": None, "uploadIds": None})  # fmt: skip
    def has_content(self, draft: Message) -> bool:
        """Discord refuses an empty message."""
        return bool((draft.block.text or "").strip() or draft.media or draft.block.embeds)

    @fp.rule("discord.channel", "Say where it goes: give channelId.", at="channelId", breaks={"channelId": "1"})
    def names_a_channel(self, draft: Message) -> bool | str:
        """There is never a silent choice among several."""
        there = [f"{channel.id} ({channel.name})" for channel in draft.account.channels] if draft.account else []
        return draft.account is None or _channel(draft) is not None or f"Give channelId: {', '.join(there[:20])}."

    @fp.rule("discord.embeds", "All embeds together hold at most 6000 characters.", at="embeds",
             breaks={"embeds": [{"description": "d" * 3001}] * 2})  # fmt: skip
    def has_short_embeds(self, draft: Message) -> bool:
        """Discord's own sum."""
        return sum(len(embed.title or "") + len(embed.description or "") for embed in draft.block.embeds) <= 6000

    @fp.rule("discord.author", "Only a webhook's messages have a username and a picture of their own.", at="username",
             severity="warning", breaks={"username": "Somebody"})  # fmt: skip
    def may_name_the_author(self, draft: Message) -> bool:
        """A bot is who it is."""
        named = draft.block.username or draft.block.avatar_url
        return not named or draft.account is None or _is_webhook(draft.account)

    def certainty_of(self, account: fp.Account) -> fp.Certainty:
        """`key` for a bot, whose nonce Discord remembers for some minutes; `none` for a webhook, which has no such."""
        return "none" if _is_webhook(account) else "key"

    async def publish(self, draft: Message, session: fp.Session) -> fp.Published:
        """Execute Webhook, or Create Message."""
        webhook = _is_webhook(session.account)
        path = "/webhooks/@me?wait=true" if webhook else f"/channels/{_channel(draft)}/messages"
        async with AsyncExitStack() as stack:
            files = [await stack.enter_async_context(session.file(media)) for media in draft.media]
            message = {"payload_json": msgspec.json.encode(_message(draft, session, files)).decode()}
            form = fp.form_body(message, {f"files[{number}]": file for number, file in enumerate(files)})

            async def send() -> dict[str, str]:
                made = (await session.http.post(path, content=form, headers=form.headers)).json()
                return {"id": made["id"], "channel": made["channel_id"]}

            sent = await session.once("send", send)
        server = session.account.facts.get("server")
        link = f"{session.hosts['web']}/channels/{server}/{sent['channel']}/{sent['id']}" if server else None
        return fp.Published(external_id=sent["id"], permalink=link)

    async def profile(self, session: fp.Session) -> fp.Profile:
        """Get Webhook, or Get Current User."""
        me = (await session.http.get("/users/@me")).json()
        name = me.get("name") or me["username"]
        facts = {"way": "webhook", "server": me["guild_id"]} if "channel_id" in me else {"way": "bot"}
        return fp.Profile(external_user=me["id"], username=name, display_name=name, facts=facts)

    async def channels(self, session: fp.Session) -> Sequence[fp.Channel]:
        """A webhook's own, or the text and announcement channels of all servers that a bot is in."""
        me = (await session.http.get("/users/@me")).json()
        if "channel_id" in me:
            return [fp.Channel(id=me["channel_id"], name=me["name"])]
        servers = (await session.http.get("/users/@me/guilds")).json()
        every = [(await session.http.get(f"/guilds/{server['id']}/channels")).json() for server in servers]
        return [fp.Channel(id=each["id"], name=each["name"]) for row in every for each in row if each["type"] in (0, 5)]

    async def sign_in(self, fields: Mapping[str, str], session: fp.Session) -> fp.Tokens:
        """A webhook is known by the end of its URL, a bot by its token."""
        webhook = WEBHOOK.search(fields["token"])
        return fp.Tokens(access_token=webhook[1] if webhook else fields["token"])

    def authorize(self, request: httpx.Request, token: str) -> None:
        """A bot's token is a header; a webhook's stands in the address."""
        if "/" in token:
            path = re.sub("/(users|webhooks)/@me$", f"/webhooks/{token}", request.url.path)
            request.url = request.url.copy_with(path=path)
        else:
            request.headers["Authorization"] = f"Bot {token}"

    def remaining(self, response: httpx.Response) -> Sequence[fp.Remaining]:
        """Of the bucket of the channel or webhook, from `X-RateLimit-*`."""
        reset, left = (
            fp.reset_in(response, "x-ratelimit-reset-after"),
            response.headers.get("x-ratelimit-remaining", ""),
        )
        if response.request.method != "POST" or reset is None or not left.isdecimal():
            return ()
        return (fp.Remaining(category="message", seconds=5, calls=int(left), reset=reset),)

    def example(self, channel_id: str, picture_url: str) -> dict[str, Any]:
        """A picture with a text; a webhook needs no channel."""
        return {"channelId": channel_id, "text": "New arrival", "mediaUrls": [picture_url]}


def _is_webhook(account: fp.Account) -> bool:
    return account.facts.get("way") == "webhook"


def _channel(draft: Message) -> str | None:
    """The channel that a message names, or the only one that there is."""
    there = [channel.id for channel in draft.account.channels] if draft.account else []
    named = draft.block.channel_id or (there[0] if len(there) == 1 else None)
    return named if named in there else None


def _message(draft: Message, session: fp.Session, files: Sequence[fp.MediaFile]) -> dict[str, Any]:
    block, shown = draft.block, [(media.alt_text or "")[:1024] for media in draft.media]
    shown[:1] = [block.alt_text or text for text in shown[:1]]
    body = {
        "content": block.text,
        "embeds": msgspec.to_builtins(block.embeds),
        "attachments": [
            {"id": str(at), "filename": file.name, "description": shown[at]} for at, file in enumerate(files)
        ],
        "allowed_mentions": {"parse": ["roles", "users"] if block.mentions is None else block.mentions},
    }
    if _is_webhook(session.account):
        return body | {"username": block.username, "avatar_url": block.avatar_url}
    return body | {"nonce": hashlib.sha256(session.key.encode()).hexdigest()[:25], "enforce_nonce": True}


@fp.hookimpl
def fingerpost_adapters() -> list[Discord]:
    """The one platform served here."""
    return [Discord()]
