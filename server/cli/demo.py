"""`fingerpost demo`: a post goes out before your eyes."""

import asyncio
import os
import secrets
import shutil
import signal
import time
from collections import defaultdict
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import click
import httpx
from aiohttp import web
from rich.console import Console
from standardwebhooks import Webhook, WebhookVerificationError

from core.embedded.state import default_state
from core.errors import FingerpostError
from core.registry import Registry
from core.sandbox.picture import sample_picture
from server.cli.machine import Machine
from server.cli.newcomer import Newcomer

PATIENCE_SECONDS = 60.0


class NotPublished(FingerpostError):
    """The demonstration did not come to its end."""

    code = "demo_failed"


@click.command()
def demo() -> None:
    """Start everything with sandboxes, publish a picture, receive the signed webhooks, and stop again.

    Exit code 0 means that all of it happened. Nothing is left running, and nothing is kept.
    """
    console = Console(highlight=False)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    state = default_state(os.environ, uid=os.getuid()).resolve() / f"demo-{secrets.token_hex(4)}"
    # Servers of one's own are left alone: what the demo writes goes with it.
    theirs = ("DATABASE_URL", "REDIS_URL", "FINGERPOST_")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(theirs)}
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, state, ignore_errors=True)
        console.print("\n[bold]Fingerpost demo[/bold]: one post, from the request to the signed webhook\n")
        machine = stack.enter_context(
            Machine(
                state,
                host="127.0.0.1",
                port=0,
                say=lambda words: console.print(f"  [dim]… {words}[/dim]"),
                environ=environ,
            )
        )
        asyncio.run(Show(console, machine.newcomer, machine.plan.registry).run())
    console.print("\n  [dim]everything has been stopped[/dim]\n")


class Show:
    """The demonstration itself, with a timeline that a person can follow."""

    def __init__(self, console: Console, newcomer: Newcomer, registry: Registry) -> None:
        self._console = console
        self._newcomer = newcomer
        self._registry = registry
        self._received: asyncio.Queue[tuple[dict[str, str], bytes]] = asyncio.Queue()
        self._verified: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self._start = time.monotonic()

    async def run(self) -> None:
        """Raises `NotPublished` where anything does not happen as it should."""
        runner = web.AppRunner(self._receiver())
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            port = runner.addresses[0][1]
            async with httpx.AsyncClient(
                base_url=self._newcomer.api_url,
                headers={"x-api-key": self._newcomer.api_key},
                timeout=PATIENCE_SECONDS,
                trust_env=False,
            ) as client:
                await self._play(client, f"http://127.0.0.1:{port}/webhooks")
        finally:
            await runner.cleanup()

    async def _play(self, client: httpx.AsyncClient, receiver: str) -> None:
        endpoint = _answer(await client.post("/api/v1/webhook-endpoint", json={"url": receiver}))
        files = {"file": ("fingerpost.png", sample_picture(), "image/png")}
        upload = _answer(await client.post("/api/v1/upload/", data={"teamId": self._newcomer.team_id}, files=files))
        request = self._newcomer.request(self._registry, post_date=datetime.now(UTC).isoformat())
        for block in request["data"].values():
            block.pop("mediaUrls")
            block["uploadIds"] = [upload["id"]]
        self._console.print()
        self._start = time.monotonic()
        post = _answer(await client.post("/api/v1/post/", json=request))
        self._tell("accepted", f"POST /api/v1/post/ has stored post {post['id']}")
        events = await self._heard(endpoint["secret"], "delivery.published", len(request["data"]))
        links = {event["data"]["platform"]: event["data"]["permalink"] for event in events}
        for platform, link in sorted(links.items()):
            self._tell("published", f"{platform} {link}")
        self._tell("webhook", "delivery.published came in, its signature verified by the standardwebhooks package")
        await self._heard(endpoint["secret"], "post.published", 1)
        shown = _answer(await client.get(f"/api/v1/post/{post['id']}"))
        missing = [link for link in links.values() if link not in str(shown["externalData"])]
        if shown["status"] != "POSTED" or missing:
            raise NotPublished(f"The post should be POSTED with {links}, and is {shown['status']}.")
        self._tell("POSTED", f"GET /api/v1/post/{post['id']} says so, with the same links")

    async def _heard(self, secret: str, kind: str, count: int) -> list[dict[str, Any]]:
        """So many webhooks of a kind, in whatever order they come; every one must bear a true signature."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while len(self._verified[kind]) < count:
                    headers, body = await self._received.get()
                    event: dict[str, Any] = Webhook(secret).verify(body, headers)
                    if event["type"].endswith(".failed"):
                        raise NotPublished(f"{event['type']}: {event['data']}")
                    self._verified[event["type"]].append(event)
        except TimeoutError:
            raise NotPublished(f"No {kind} came within {PATIENCE_SECONDS:.0f} seconds.") from None
        except WebhookVerificationError as error:
            raise NotPublished(f"A webhook's signature is wrong: {error}") from error
        return self._verified[kind]

    def _receiver(self) -> web.Application:
        async def receive(request: web.Request) -> web.Response:
            await self._received.put((dict(request.headers), await request.read()))
            return web.Response(status=204)

        application = web.Application()
        application.router.add_post("/webhooks", receive)
        return application

    def _tell(self, what: str, words: str) -> None:
        elapsed = time.monotonic() - self._start
        self._console.print(
            f"  [dim]{elapsed:6.2f} s[/dim]  [green]✓[/green] [bold]{what:<10}[/bold] {words}", soft_wrap=True
        )


def _answer(response: httpx.Response) -> dict[str, Any]:
    if not response.is_success:
        raise NotPublished(
            f"{response.request.method} {response.url.path} answered {response.status_code}: {response.text}"
        )
    answer: dict[str, Any] = response.json()
    return answer
