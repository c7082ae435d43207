"""Discord (API v10): what a message may be, and how it is sent through a webhook or by a bot."""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

import fingerpost as fp

NAME = fp.free_of("clyde", "discord", never=("everyone", "here"))
FILE = fp.FileLimits(bytes_max=10 * 2**20)
MEDIA = fp.MediaLimits(count=(0, 10), mix=True, by="bytes", bytes_max=25 * 2**20, image=FILE, video=FILE, document=FILE)
MENTIONS = "Whom mentions in the text may call; roles and users, unless said otherwise."
HOOK, ME, WEBHOOK = "/webhooks/{token}", "/users/@me", re.compile(r"/webhooks/([0-9]+/[\w-]+)")


class Embed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A card below the message."""

    title: Annotated[str, Meta(max_length=256)] | None = None
    description: Annotated[str, Meta(max_length=4096)] | None = None
    url: fp.Url | None = None
    color: Annotated[int, Meta(ge=0, le=0xFFFFFF)] | None = None


class MessageBlock(fp.Block, frozen=True, kw_only=True):
    """One message. The bounds are those of Discord's OpenAPI description, and of its page on webhooks."""

    channel_id: Annotated[fp.Digits, Meta(max_length=20, description="The channel; a webhook has one.")] | None = None
    text: Annotated[str, Meta(max_length=2000, description="What is said, in Discord's Markdown.")] | None = None
    alt_text: Annotated[str, Meta(description="What the first file shows.")] | None = None
    embeds: Annotated[list[Embed], Meta(max_length=10, description="Cards below the message.")] = []
    mentions: Annotated[list[Literal["everyone", "roles", "users"]], Meta(description=MENTIONS)] | None = None
    username: Annotated[str, Meta(min_length=1, max_length=80, description="The author's name."), NAME] | None = None
    avatar_url: Annotated[fp.Url, Meta(description="The author's picture.")] | None = None


Message = fp.Draft[MessageBlock]


class Discord(fp.Adapter[MessageBlock]):
    """A bot's channels may hide their history from it, and then look empty: nothing is ever looked up there."""

    platform, label, certainty, key_seconds = "DISCORD", "Discord", "key", 120
    ways = {"webhook": "none", "bot": "key"}
    hosts = {"api": "https://discord.com/api/v10", "web": "https://discord.com"}
    sandbox = "adapters.discord.sandbox:DiscordSandbox"
    limits = fp.Limits(texts=(fp.TextLimit(field="altText", most=1024),), media=MEDIA)
    quotas = (
        fp.Quota(calls=50, seconds=1, scope="account", category="all"),
        fp.Quota(calls=5, seconds=5, scope="account", category="message"),
    )
    operations = {"POST *": "message", "GET *": "read"}
    rate_headers, authorization = "x-ratelimit", "Bot {token}"
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

    talks = fp.gives_one_of("discord.empty", "Say something: give text, a file or an embed.", "text", "embeds", "media")
    says_where = fp.names_channel("discord.channel", "channelId")

    @fp.rule("discord.embeds", "Each embed needs a title or a description; all hold at most 6000 letters.", at="embeds",
             breaks={"embeds": [{"description": "d" * 3001}] * 2})  # fmt: skip
    def has_sound_embeds(self, draft: Message) -> bool:
        """Discord's own sum; an embed without words it refuses."""
        sizes = [len(embed.title or "") + len(embed.description or "") for embed in draft.block.embeds]
        return all(sizes) and sum(sizes) <= 6000

    names_its_author = fp.only_by("discord.author", "Only a webhook's messages have an author of their own.", "webhook",
                                  {"username": "Somebody", "avatarUrl": "https://example.com/a.png"})  # fmt: skip

    async def publish(self, draft: Message, session: fp.Session) -> fp.Published:
        """Execute Webhook, or Create Message."""
        channel = session.account.channel(draft.block.channel_id)
        path = f"{HOOK}?wait=true" if session.account.way == "webhook" else f"/channels/{channel}/messages"
        async with session.files(draft.media) as files:
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
        webhook = session.account.way == "webhook"
        me = (await session.http.get(HOOK if webhook else ME)).json()
        name, facts = (me["name"], {"server": me["guild_id"]}) if webhook else (me["username"], {})
        return fp.Profile(external_user=me["id"], username=name, display_name=name, facts=facts)

    async def channels(self, session: fp.Session) -> Sequence[fp.Channel]:
        """A webhook's own, or the text and announcement channels of all servers that a bot is in."""
        if session.account.way == "webhook":
            hook = (await session.http.get(HOOK)).json()
            return [fp.Channel(id=hook["channel_id"], name=hook["name"])]
        servers = (await session.http.get(f"{ME}/guilds")).json()
        every = [(await session.http.get(f"/guilds/{server['id']}/channels")).json() for server in servers]
        return [fp.Channel(id=each["id"], name=each["name"]) for row in every for each in row if each["type"] in (0, 5)]

    async def sign_in(self, fields: Mapping[str, str], session: fp.Session) -> fp.Tokens:
        """A webhook is known by the end of its URL, a bot by its token."""
        if webhook := WEBHOOK.search(fields["token"]):
            return fp.Tokens(access_token=webhook[1], way="webhook")
        return fp.Tokens(access_token=fields["token"], way="bot")

    def example(self, channel_id: str, picture_url: str) -> dict[str, Any]:
        """A picture with a text; a webhook needs no channel."""
        return {"channelId": channel_id, "text": "New arrival", "mediaUrls": [picture_url]}


def _message(draft: Message, session: fp.Session, files: Sequence[fp.MediaFile]) -> dict[str, Any]:
    block = draft.block
    body = {
        "content": block.text,
        "embeds": msgspec.to_builtins(block.embeds),
        "attachments": [
            {"id": str(number), "filename": file.name, "description": draft.media[number].alt_text or ""}
            for number, file in enumerate(files)
        ],
        "allowed_mentions": {"parse": ["roles", "users"] if block.mentions is None else block.mentions},
    }
    if session.account.way == "webhook":
        return body | {"username": block.username, "avatar_url": block.avatar_url}
    return body | {"nonce": session.short_key(25), "enforce_nonce": True}


@fp.hookimpl
def fingerpost_adapters() -> list[Discord]:
    """The one platform served here."""
    return [Discord()]
