"""Discord: the two ways of being connected, and what a message becomes."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from adapters.discord import Discord
from adapters.discord.sandbox import NONCE_SECONDS, DiscordSandbox
from core.conformance.subject import Subject
from core.conformance.trial import Delivery, Ending, Trial, trial
from fingerpost import NotAuthorized, Published, Rejected


@pytest.fixture
async def webhook() -> AsyncIterator[Trial]:
    async with trial(Subject(adapter=Discord(), sandbox=DiscordSandbox, way="webhook")) as started:
        yield started


@pytest.fixture
async def bot() -> AsyncIterator[Trial]:
    async with trial(Subject(adapter=Discord(), sandbox=DiscordSandbox, way="bot")) as started:
        yield started


async def publish(here: Trial, key: str = "key", **block: Any) -> Ending:
    return await Delivery(here, here.draft({"channelId": here.seed.channel_id, **block}), key).to_the_end()


def live(here: Trial) -> list[dict[str, Any]]:
    return here.shelf()


async def test_a_webhook_is_known_by_the_end_of_its_url_and_a_bot_by_its_token(webhook: Trial) -> None:
    session = webhook.session(Delivery(webhook, webhook.draft({"text": "x"}), "").notebook, {}, token="")
    for typed, token in {
        "https://discord.com/api/webhooks/12/ab-c_D": ("12/ab-c_D", "webhook"),
        "https://ptb.discord.com/api/v10/webhooks/12/abc?wait=true": ("12/abc", "webhook"),
        "MTk.abc.def": ("MTk.abc.def", "bot"),
    }.items():
        tokens = await Discord().sign_in({"token": typed}, session)
        assert (tokens.access_token, tokens.way) == token


async def test_a_webhook_needs_no_channel_and_tells_where_its_message_is(webhook: Trial) -> None:
    ending = await publish(webhook, channelId=None, text="Hello", username="Somebody")
    (message,) = live(webhook)
    assert isinstance(ending.published, Published)
    server, channel = webhook.account.facts["server"], webhook.account.channels[0].id
    assert ending.published.permalink == f"{webhook.url}/channels/{server}/{channel}/{message['id']}"


@pytest.mark.parametrize(
    ("name", "sound"),
    [
        ("Somebody", True),
        ("Everyone's friend", True),
        ("x" * 80, True),
        ("groundsphere", True),
        ("user@host#1:`", True),
        ("Clyde", False),
        ("my DISCORD bot", False),
        ("here", False),
        (" Everyone ", False),
        ("   ", False),
        ("", False),
        ("x" * 81, False),
    ],
)
async def test_a_name_that_discord_refuses_is_refused_before(webhook: Trial, name: str, sound: bool) -> None:
    made = webhook.subject.drafted({"text": "Hello", "username": name})
    assert [each.path[-1] for each in made.findings if each.severity == "error"] == ([] if sound else ["username"])
    async with httpx.AsyncClient(base_url=webhook.url) as client:
        said = {"content": "Hello", "username": name}
        answer = await client.post(f"/webhooks/{webhook.seed.access_token}?wait=true", json=said)
    assert answer.status_code == (200 if sound else 400), answer.text


async def test_a_bot_has_to_be_told_one_of_its_channels(bot: Trial) -> None:
    made = bot.subject.drafted({"text": "Hello"})
    (finding,) = (each for each in made.findings if each.severity == "error")
    assert finding.code == "discord.channel"
    assert all(channel.id in finding.message for channel in bot.account.channels)
    assert [channel.name for channel in bot.account.channels] == ["channel-0", "channel-1"], "no voice channels"


async def test_a_nonce_leads_to_one_message_while_it_is_remembered(bot: Trial) -> None:
    first, second = [(await publish(bot, text="Hello")).published for _ in range(2)]
    assert first == second
    bot.clock.ahead += NONCE_SECONDS
    third = (await publish(bot, text="Hello")).published
    assert third != first
    assert len(live(bot)) == 2
    assert Discord.key_seconds is not None
    assert Discord.key_seconds < NONCE_SECONDS


async def test_texts_files_and_what_they_show_arrive(bot: Trial) -> None:
    draft = bot.draft(
        {"channelId": bot.seed.channel_id, "text": "Hello", "uploadIds": ["image", "image-2", "document"]}
    )
    await Delivery(bot, draft, "key").to_the_end()
    (message,) = live(bot)
    assert message["text"] == "Hello"
    assert [each["description"] for each in message["attachments"]] == ["What the picture shows", "", ""]
    assert [each["filename"].rpartition(".")[2] for each in message["attachments"]] == ["png", "png", "pdf"]


async def test_a_webhook_that_was_taken_away_needs_to_be_connected_again(webhook: Trial) -> None:
    draft = webhook.draft({"text": "Hello"})
    assert isinstance(webhook.sandbox, DiscordSandbox)
    webhook.sandbox.remove(webhook.seed.access_token)
    ending = await Delivery(webhook, draft, "key").to_the_end()
    assert isinstance(ending.error, NotAuthorized)
    assert ending.error.code == "webhook_gone"


async def test_what_discord_refuses_is_told_in_its_words(bot: Trial) -> None:
    bot.fault("error", status=403, body={"code": 50013, "message": "Missing Permissions"})
    ending = await publish(bot, text="Hello")
    assert isinstance(ending.error, Rejected)
    assert (ending.error.code, ending.error.message) == ("not_permitted", "Missing Permissions")
    assert ending.error.platform_code == "50013"


async def test_the_bucket_is_read_from_the_headers(bot: Trial) -> None:
    path, headers = f"/channels/{bot.seed.channel_id}/messages", {"Authorization": f"Bot {bot.seed.access_token}"}
    async with httpx.AsyncClient(base_url=bot.url, headers=headers) as client:
        answers = [await client.post(path, json={"content": "Hello"}) for _ in range(6)]
        read = await client.get("/users/@me")
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    told = [each for answer in answers[:5] for each in Discord().remaining(answer)]
    assert [each.calls for each in told] == [4, 3, 2, 1, 0]
    assert all((each.category, each.seconds) == ("message", 5) and 0 < each.reset <= 5 for each in told)
    assert Discord().remaining(read) == ()
