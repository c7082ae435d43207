"""The broker: Dramatiq over Redis or RabbitMQ, carrying wake-ups and nothing else."""

from collections.abc import Sequence

import dramatiq
from dramatiq.broker import Broker
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import Middleware

from core.errors import Misconfigured

WEBHOOKS = "webhooks"
"""The queue, and the actor, of webhook messages."""

TOKENS = "tokens"
"""The queue, and the actor, of tokens that are to be renewed."""


MEDIA = "media"
"""The queue, and the actor, of work on media files."""


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
        return RedisBroker(  # type: ignore[no-untyped-call]  # dramatiq has no types here
            url=url, middleware=list(middleware), heartbeat_timeout=10_000, maintenance_chance=20_000
        )
    if scheme in ("amqp", "amqps"):
        # Here, as it brings a client of RabbitMQ that most have no use for.
        from dramatiq.brokers.rabbitmq import RabbitmqBroker

        return RabbitmqBroker(url=url, middleware=list(middleware), confirm_delivery=True)
    raise Misconfigured("FINGERPOST_BROKER_URL has to begin with redis://, rediss://, unix:// or amqp://.")


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
