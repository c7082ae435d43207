"""The broker over Redis: who waits for wake-ups hears them at once, and they do not pile up."""

import threading
from collections.abc import Iterator
from queue import Queue
from uuid import uuid4

import pytest
import redis
from dramatiq.broker import Broker, Consumer, MessageProxy
from dramatiq.errors import ConnectionClosed

from workers.broker import Bell, open_broker

pytestmark = pytest.mark.engine
DEADLINE = 20.0
LONG_MS = 4_000
"""How long a consumer waits by itself, with less patience than its client has with a silent server."""


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url, decode_responses=True) as opened:
        yield opened


@pytest.fixture
def queue() -> str:
    return f"queue-{uuid4()}"


def declared(url: str, queue: str) -> Broker:
    """A broker whose connections bear the name of the queue."""
    broker = open_broker(f"{url}{'&' if '?' in url else '?'}client_name={queue}")
    broker.declare_queue(queue)
    return broker


def waiting(client: redis.Redis, queue: str) -> int:
    return sum(each["name"] == queue and "b" in each["flags"] for each in client.client_list())


def listening(consumer: Consumer) -> "Queue[MessageProxy]":
    heard: Queue[MessageProxy] = Queue()

    def listen() -> None:
        while (message := next(consumer)) is None:
            pass
        heard.put(message)

    threading.Thread(target=listen, daemon=True).start()
    return heard


def until_waiting(client: redis.Redis, queue: str, number: int) -> None:
    ended = threading.Event()
    timer = threading.Timer(DEADLINE, ended.set)
    timer.start()
    while waiting(client, queue) < number:
        assert not ended.wait(0.005), "nobody waits"
    timer.cancel()


def test_who_waits_hears_at_once(client: redis.Redis, redis_url: str, queue: str) -> None:
    bell = Bell(open_broker(redis_url), [queue])
    heard = listening(declared(redis_url, queue).consume(queue, timeout=LONG_MS))
    until_waiting(client, queue, 1)
    bell.ring(queue)
    assert heard.get(timeout=DEADLINE).queue_name == queue


def test_a_wake_up_that_nobody_has_heard_yet_is_there_for_the_next(redis_url: str, queue: str) -> None:
    broker = open_broker(redis_url)
    bell = Bell(broker, [queue])
    bell.ring(queue)
    consumer = broker.consume(queue, timeout=LONG_MS)
    consumer.ack(listening(consumer).get(timeout=DEADLINE))


def test_each_of_two_wake_ups_has_somebody_hear_it(client: redis.Redis, redis_url: str, queue: str) -> None:
    bell = Bell(open_broker(redis_url), [queue])
    heard = [listening(declared(redis_url, queue).consume(queue, timeout=LONG_MS)) for _ in range(2)]
    until_waiting(client, queue, 2)
    for _ in range(2):
        bell.ring(queue)
    assert {each.get(timeout=DEADLINE).queue_name for each in heard} == {queue}


def test_wake_ups_that_nobody_hears_leave_one_bell_that_ends(client: redis.Redis, redis_url: str, queue: str) -> None:
    bell = Bell(open_broker(redis_url), [queue])
    for _ in range(5):
        bell.ring(queue)
    assert client.llen(f"fingerpost:bell:{queue}") == 1
    assert 0 < int(client.ttl(f"fingerpost:bell:{queue}")) <= 60


def test_a_consumer_that_waited_in_vain_says_so_and_goes_on(redis_url: str, queue: str) -> None:
    broker = open_broker(redis_url)
    bell = Bell(broker, [queue])
    consumer = broker.consume(queue, timeout=1)
    assert next(consumer) is None
    bell.ring(queue)
    assert next(consumer) is not None


def test_a_redis_that_is_away_is_told_as_dramatiq_has_it(queue: str) -> None:
    broker = open_broker("redis://127.0.0.1:1")
    broker.declare_queue(queue)
    with pytest.raises(ConnectionClosed):
        next(broker.consume(queue, timeout=1))
