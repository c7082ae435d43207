"""`fingerpost listen`: events as they happen, on the terminal and at an address of one's own."""

import asyncio
import json
import math
import os
from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import click
import httpx
import msgspec
from rich.console import Console
from rich.text import Text
from standardwebhooks.webhooks import EmptyWebhookSecretError

from core.answers import retry_after
from core.embedded.state import default_state
from core.errors import FingerpostError, Misconfigured
from core.settings import API_KEY
from core.webhooks.event_types import EVENT_TYPES
from core.webhooks.signing import Payload, Signed, new_secret, sign
from server.cli.options import STATE

POLL_SECONDS = 0.5
"""How often is asked whether something has happened."""

FORWARD_SECONDS = 15.0
"""How long the address that events are forwarded to may take; as long as a webhook endpoint."""

_COLOURS = {
    "published": "green",
    "connected": "green",
    "completed": "green",
    "failed": "red",
    "needs_reauth": "red",
    "disabled": "red",
    "needs_review": "magenta",
    "unconfirmed": "magenta",
}


class NotListening(FingerpostError):
    """The API does not let us listen."""

    code = "not_listening"


@click.command()
@click.option("--api", default="http://127.0.0.1:8080", show_default=True, metavar="URL", help="Where the API is.")
@click.option(
    "--key", envvar=API_KEY, show_envvar=True, help="An API key that may read. [default: that of `fingerpost up`]"
)
@STATE
@click.option("--type", "types", multiple=True, metavar="TYPE", help="Only these events; may be repeated.")
@click.option("--platform", "platforms", multiple=True, help="Only events of these platforms; may be repeated.")
@click.option("--team", "team_id", metavar="ID", help="Only events of this team.")
@click.option("--from-start", is_flag=True, help="Begin with the oldest event that is kept, not with the next one.")
@click.option("--forward", metavar="URL", help="Post every event there, signed as a webhook is.")
@click.option("--secret", metavar="WHSEC", help="What forwarded events are signed with. [default: a new one, printed]")
@click.option("--json", "as_json", is_flag=True, help="Print each event as a line of JSON, and nothing else.")
@click.option("--count", type=click.IntRange(1), help="End after so many events; left out: when interrupted.")
def listen(
    api: str,
    key: str | None,
    state: Path | None,
    types: tuple[str, ...],
    platforms: tuple[str, ...],
    team_id: str | None,
    from_start: bool,
    forward: str | None,
    secret: str | None,
    as_json: bool,
    count: int | None,
) -> None:
    """Print events as they happen, for development.

    No endpoint is needed: what is shown comes from the feed, GET /api/v1/event. Beside `fingerpost up` it needs no
    option at all.

    \b
      fingerpost listen --type post.published --type post.failed
      fingerpost listen --forward http://127.0.0.1:3000/webhooks

    What is forwarded has the body and the headers of a webhook, so that the code which is to receive webhooks can be
    tried as it is. Each event is forwarded once, whatever the answer is.
    """
    for name in types:
        if name not in EVENT_TYPES:
            raise click.BadParameter(f"{name} is none of {', '.join(EVENT_TYPES)}.", param_hint="--type")
    query: dict[str, Any] = {"types": list(types), "platforms": list(platforms)}
    if team_id is not None:
        query["teamId"] = team_id
    found = key or _key_of_up(state, os.environ)
    listener = Listener(Console(highlight=False), as_json, Forward(forward, _checked(secret)) if forward else None)
    try:
        asyncio.run(
            listener.run(api, found, query, "" if from_start else "latest", math.inf if count is None else count)
        )
    except KeyboardInterrupt:
        return


class Forward:
    """Where events are sent on to, and the secret with which they are signed."""

    def __init__(self, url: str, secret: str) -> None:
        self.url = url
        self.secret = secret
        self._client = httpx.AsyncClient(timeout=FORWARD_SECONDS, trust_env=False)

    async def send(self, event: dict[str, Any]) -> str:
        """Post an event; how that went, in a word or two."""
        signed = signed_again(event, self.secret, datetime.now(UTC))
        try:
            answer = await self._client.post(self.url, content=signed.body, headers=signed.headers)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol):
            raise NotListening(f"{self.url} is no address to forward to; give one with http:// or https://.") from None
        except httpx.HTTPError as error:
            return type(error).__name__
        return str(answer.status_code)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()


class Listener:
    """Reads the feed and shows it."""

    def __init__(self, console: Console, as_json: bool, forward: Forward | None) -> None:
        self._console = console
        self._as_json = as_json
        self._forward = forward

    async def run(self, api: str, key: str, query: Mapping[str, Any], after: str, count: float) -> None:
        """Show what happens, until `count` events were shown. Raises `NotListening` where the API says no."""
        async with AsyncExitStack() as stack:
            options: dict[str, Any] = {"base_url": api, "headers": {"x-api-key": key}, "trust_env": False}
            client = await stack.enter_async_context(httpx.AsyncClient(**options))
            if self._forward is not None:
                stack.push_async_callback(self._forward.aclose)
            self._greet(api)
            while True:
                page = await self._page(client, {**query, "after": after})
                for event in page["items"]:
                    await self._show(event)
                    count -= 1
                    if count <= 0:
                        return
                after = page["next"]
                if not page["more"]:
                    await asyncio.sleep(POLL_SECONDS)

    async def _page(self, client: httpx.AsyncClient, query: Mapping[str, Any]) -> dict[str, Any]:
        """The next page; an API that is away or busy is waited for."""
        away = False
        while True:
            try:
                answer = await client.get("/api/v1/event", params=query)
            except httpx.TransportError:
                answer = None
            if answer is not None and answer.is_success:
                page: dict[str, Any] = answer.json()
                return page
            if answer is not None and answer.status_code not in (429, 502, 503, 504):
                raise NotListening(_words(answer))
            if not away:
                self._say("the API does not answer at present; waiting for it")
            away = True
            await asyncio.sleep(1.0 if answer is None else retry_after(answer, timedelta(seconds=1)).total_seconds())

    async def _show(self, event: dict[str, Any]) -> None:
        forwarded = await self._forward.send(event) if self._forward is not None else None
        if self._as_json:
            click.echo(json.dumps(event))
            return
        self._console.print(_line(event, forwarded), soft_wrap=True)

    def _greet(self, api: str) -> None:
        self._say(f"listening to {api}; stop with Ctrl-C")
        if self._forward is not None:
            self._say(f"forwarding to {self._forward.url}, signed with {self._forward.secret}")

    def _say(self, words: str) -> None:
        click.echo(f"… {words}", err=True)


def signed_again(event: dict[str, Any], secret: str, at: datetime) -> Signed:
    """An event of the feed as a webhook would bring it."""
    payload = msgspec.convert(event, Payload)
    return sign(payload, secrets=[secret], message_id=str(UUID(event["id"])), at=at)


def _line(event: dict[str, Any], forwarded: str | None) -> Text:
    """One event on one line: when, what, of which platform, and what there is to say of it."""
    data, word = event["data"], event["type"].rpartition(".")[2]
    line = Text()
    line.append(f"{datetime.fromisoformat(event['timestamp']).astimezone():%H:%M:%S}  ", style="dim")
    line.append(f"{event['type']:<24}", style=_COLOURS.get(word, "yellow"))
    line.append(f" {data.get('platform') or '':<12} {event['subject']} #{event['sequence']}")
    if words := data.get("permalink") or (data.get("error") or {}).get("message") or data.get("message") or "":
        line.append(f"  {words}", style="dim")
    if forwarded is not None:
        line.append(f"  → {forwarded}", style="green" if forwarded.startswith("2") else "red")
    return line


def _words(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["message"])
    except (ValueError, KeyError, TypeError):
        return f"The API answered {answer.status_code}; is it Fingerpost's?"


def _key_of_up(state: Path | None, environ: Mapping[str, str]) -> str:
    """The key that `fingerpost up` keeps in its state. Raises `Misconfigured` where there is none."""
    path = (state or default_state(environ, uid=os.getuid())) / "api.key"
    try:
        return path.read_text().strip()
    except OSError:
        raise Misconfigured(f"There is no key at {path}; give one by --key or {API_KEY}.") from None


def _checked(secret: str | None) -> str:
    """The secret, or a new one. Raises `click.BadParameter` for what nothing can be signed with."""
    if secret is None:
        return new_secret()
    probe = {"id": str(UUID(int=0)), "type": "", "version": 1, "timestamp": "2026-01-01T00:00:00Z", "teamId": None,
             "subject": str(UUID(int=0)), "sequence": 1, "previousSequence": None, "data": {}}  # fmt: skip
    try:
        signed_again(probe, secret, datetime.now(UTC))
    except (ValueError, RuntimeError, EmptyWebhookSecretError):
        words = "this is no secret of a webhook; it looks like whsec_ and base64 behind it."
        raise click.BadParameter(words, param_hint="--secret") from None
    return secret
