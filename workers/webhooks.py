"""Webhooks: messages from the outbox, sent, and their outcome written down."""

import asyncio
import ssl
from random import Random

import httpx
import msgspec
import structlog

from core.clock import elapsed
from core.database.group import CommitUnknown, ConnectionLost
from core.errors import FingerpostError, RefusedUrl
from core.guard import Guard
from core.http import BodyTooLarge, Transport, read_bounded
from core.retry import WEBHOOKS, Policy
from core.webhooks.outbox import LEASE_SECONDS, Message, Outbox
from core.webhooks.results import Result, after_answer, after_failure, asked_to_wait
from core.webhooks.signing import Signed
from workers.drain import Drain

IN_FLIGHT = 128
"""How many messages a sender has under way at a time, from the take until what came of it is written down."""

TRY_SECONDS = 15.0
"""How long a try may take, from the look-up of the name to the end of the answer."""

ANSWER_BYTES = 1024
"""How much of an answer is read."""


class Sender:
    """Sends what is due to the endpoints that want it, each try bounded in time and size.

    `transport` belongs to the caller and carries the guard, so that names are checked as they are looked up.
    """

    def __init__(
        self,
        outbox: Outbox,
        transport: Transport,
        guard: Guard,
        *,
        random: Random,
        policy: Policy = WEBHOOKS,
        in_flight: int = IN_FLIGHT,
        try_seconds: float = TRY_SECONDS,
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        self._outbox = outbox
        self._transport = transport
        self._guard = guard
        self._random = random
        self._policy = policy
        self._try_seconds = try_seconds
        self._lease_seconds = lease_seconds
        self._drain = Drain(self._take, self._send, in_flight=in_flight)
        self._log = structlog.get_logger(__name__)

    async def drain(self) -> None:
        """Send until nothing is due. Where that is under way already, it is told to look again."""
        await self._drain.run()

    def stop(self) -> None:
        """Take nothing more; what is under way is finished by `drain`."""
        self._drain.stop()

    async def _take(self, limit: int) -> list[Message]:
        return await self._outbox.take(limit, self._lease_seconds)

    async def _send(self, message: Message) -> None:
        start = elapsed()
        result = msgspec.structs.replace(await self._tried(message), seconds=elapsed() - start)
        try:
            settled = await self._outbox.settle(message, result)
        except (ConnectionLost, CommitUnknown):
            # Unsettled, it falls due again when its lease ends, and goes out with the same id.
            self._log.warning("webhook_unsettled", message=str(message.id), endpoint=str(message.endpoint_id))
            return
        self._log.info(
            "webhook_settled" if settled else "result_came_late",
            message=str(message.id),
            endpoint=str(message.endpoint_id),
            webhook_id=str(message.event_id),
            state=result.state,
            status=result.http_status,
            attempt=message.attempts,
        )

    async def _tried(self, message: Message) -> Result:
        try:
            self._guard.check(message.url)
            return await self._answered(message, self._outbox.signed(message))
        except RefusedUrl as error:
            return self._failed(message, error.message)
        except FingerpostError as error:
            self._log.error("webhook_unsigned", endpoint=str(message.endpoint_id), error=error.message)
            return self._failed(message, "The message could not be signed.")
        except TimeoutError:
            return self._failed(message, f"The endpoint did not answer within {self._try_seconds:g} seconds.")
        except httpx.HTTPError as error:
            return self._failed(message, _words(error))
        except Exception:  # noqa: BLE001 - what nobody foresaw must use up its tries like anything else
            self._log.exception("webhook_broken", message=str(message.id), endpoint=str(message.endpoint_id))
            return self._failed(message, "The message could not be sent.")

    async def _answered(self, message: Message, signed: Signed) -> Result:
        response: httpx.Response | None = None
        text = ""
        headers = {**signed.headers, "accept": "*/*", "accept-encoding": "identity"}
        try:
            async with asyncio.timeout(self._try_seconds):
                response = await self._transport.post(message.url, headers=headers, body=signed.body)
                try:
                    text = await _start_of(response)
                finally:
                    await response.aclose()
        except TimeoutError:
            # Once the status is known the rest of the answer changes nothing.
            if response is None:
                raise
        return after_answer(
            response.status_code,
            text,
            tries=message.attempts,
            asked=asked_to_wait(response),
            policy=self._policy,
            random=self._random,
        )

    def _failed(self, message: Message, words: str) -> Result:
        return after_failure(words, tries=message.attempts, policy=self._policy, random=self._random)


async def _start_of(response: httpx.Response) -> str:
    """The first of an answer, fit to be stored; what of it cannot be read is left out."""
    try:
        start = await read_bounded(response, ANSWER_BYTES)
    except BodyTooLarge as error:
        start = error.start
    except httpx.HTTPError:
        return ""
    return start.decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}").strip()


def _words(error: httpx.HTTPError) -> str:
    """What went wrong, without the addresses that only our side of the network knows."""
    if isinstance(error.__cause__, ssl.SSLError):
        return "The endpoint's TLS certificate or handshake was refused."
    if isinstance(error, httpx.TimeoutException):
        return "The endpoint took too long to answer."
    if isinstance(error, httpx.ConnectError | httpx.UnsupportedProtocol):
        return "The endpoint could not be reached."
    return "The connection to the endpoint broke off before it had answered."
