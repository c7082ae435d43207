"""The broker: Dramatiq over Redis or RabbitMQ, carrying wake-ups and nothing else."""

from collections.abc import Iterable, Sequence
from typing import Any

import dramatiq
import redis
from dramatiq.broker import Broker, Consumer, MessageProxy
from dramatiq.brokers.redis import RedisBroker
from dramatiq.errors import ConnectionClosed
from dramatiq.middleware import Middleware

from core.errors import Misconfigured

WEBHOOKS = "webhooks"
"""The queue, and the actor, of webhook messages."""

TOKENS = "tokens"
"""The queue, and the actor, of tokens that are to be renewed."""


MEDIA = "media"
"""The queue, and the actor, of work on media files."""

_BELL_SECONDS = 60


def publishing(platform: str) -> str:
    """The queue, and the actor, of one platform's deliveries."""
    return f"publish.{platform.lower()}"


def open_broker(url: str, middleware: Sequence[Middleware] = ()) -> Broker:
    """The broker at `url` (redis, rediss, unix or amqp), without Dramatiq's retries and time limits.

    Those would raise in the middle of a call to a platform; the ledger has its own. A message only says that
    there is work, so one that is lost or doubled does no harm.
    """
    scheme = url.partition(":")[0]
    if scheme in ("redis", "rediss", "unix"):
        return HeardBroker(  # type: ignore[no-untyped-call]  # dramatiq has no types here
            url=url, middleware=list(middleware), heartbeat_timeout=10_000, maintenance_chance=20_000
        )
    if scheme in ("amqp", "amqps"):
        # Here, as it brings a client of RabbitMQ that most have no use for.
        from dramatiq.brokers.rabbitmq import RabbitmqBroker

        return RabbitmqBroker(url=url, middleware=list(middleware), confirm_delivery=True)
    raise Misconfigured("FINGERPOST_BROKER_URL has to begin with redis://, rediss://, unix:// or amqp://.")


class HeardBroker(RedisBroker):
    """Dramatiq's broker over Redis, whose consumers hear at once what is put on their queue.

    Its own ask again and again, at rest about once a second, and what is due waits for that. Each queue has a list
    beside it, of one item at most, on which a consumer waits.
    """

    def enqueue(self, message: dramatiq.Message[Any], *, delay: int | None = None) -> dramatiq.Message[Any]:
        """Put a message on its queue, and tell one of those who wait there."""
        sent = super().enqueue(message, delay=delay)
        bell = _bell(message.queue_name)
        with self.client.pipeline(transaction=False) as calls:
            calls.lpush(bell, "")
            calls.ltrim(bell, 0, 0)
            calls.expire(bell, _BELL_SECONDS)
            calls.execute()
        return sent

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> Consumer:
        """A consumer of a queue that waits up to `timeout` milliseconds for a message."""
        if queue_name not in self.queues:  # that of delayed messages, which nobody sends here
            return super().consume(queue_name, prefetch, timeout)
        # Without a time of its own, Dramatiq's consumer asks once and does not sleep.
        return _Hearing(super().consume(queue_name, prefetch, 0), self.client, _bell(queue_name), timeout)


class _Hearing(Consumer):
    """A consumer that waits at a bell, and has another one fetch messages and see to them."""

    def __init__(self, fetching: Consumer, client: "redis.Redis", bell: str, timeout: int) -> None:
        self._fetching = fetching
        self._client = client
        self._bell = bell
        self._seconds = max(timeout // 1000, 1)

    def __next__(self) -> MessageProxy | None:
        message = next(self._fetching)
        return next(self._fetching) if message is None and self._rung() else message

    def _rung(self) -> bool:
        try:
            return self._client.blpop([self._bell], timeout=self._seconds) is not None
        except redis.TimeoutError:
            return False  # the client's own bound: where the network is cut without a word, it connects anew
        except redis.ConnectionError as error:
            raise ConnectionClosed(error) from None  # type: ignore[no-untyped-call]  # dramatiq has no types here

    def ack(self, message: MessageProxy) -> None:
        self._fetching.ack(message)

    def nack(self, message: MessageProxy) -> None:
        self._fetching.nack(message)

    def requeue(self, messages: Iterable[MessageProxy]) -> None:
        self._fetching.requeue(messages)

    def close(self) -> None:
        self._fetching.close()


def _bell(queue: str) -> str:
    return f"fingerpost:bell:{queue}"


class Bell:
    """Rings for workers: puts a wake-up on a queue."""

    def __init__(self, broker: Broker, queues: Sequence[str]) -> None:
        self._broker = broker
        for queue in queues:
            broker.declare_queue(queue)

    def ring(self, queue: str) -> None:
        """Send one wake-up. Raises what the broker's client raises when the broker is away."""
        message = dramatiq.Message[None](queue_name=queue, actor_name=queue, args=(), kwargs={}, options={})
        self._broker.enqueue(message)
