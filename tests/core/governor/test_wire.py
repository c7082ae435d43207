"""The wire: answers in any pieces, refusals, silence, and a server that talks nonsense."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.governor.wire import Refused, Wire, words

BULKS = st.none() | st.binary(max_size=40)
ANSWERS = st.recursive(BULKS | st.integers(-(2**63), 2**63 - 1), lambda inner: st.lists(inner, max_size=4))


def spoken(answer: Any) -> bytes:
    """An answer as a server sends it."""
    if answer is None:
        return b"$-1\r\n"
    if isinstance(answer, bytes):
        return words(answer)
    if isinstance(answer, int):
        return b":%d\r\n" % answer
    return b"*%d\r\n" % len(answer) + b"".join(map(spoken, answer))


@asynccontextmanager
async def wired(seconds: float = 5.0) -> AsyncIterator[tuple[Wire, socket.socket]]:
    """A wire, and the server's end of it."""
    ours, theirs = socket.socketpair()
    with theirs:
        transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=ours)
        wire = Wire(transport, seconds)
        try:
            yield wire, theirs
        finally:
            wire.close()


async def in_pieces(server: socket.socket, told: bytes, cuts: list[int]) -> None:
    """Send in pieces that arrive one by one."""
    start = 0
    for end in [*sorted({cut % len(told) for cut in cuts}), len(told)]:
        server.sendall(told[start:end])
        start = end
        await asyncio.sleep(0)


@settings(max_examples=50)
@given(answers=st.lists(ANSWERS, min_size=1, max_size=3), cuts=st.lists(st.integers(0, 500), max_size=4))
async def test_answers_come_whole_in_whatever_pieces(answers: list[Any], cuts: list[int]) -> None:
    async with wired() as (wire, server):
        for answer in answers:
            asked = asyncio.create_task(wire.call(b"PING"))
            await in_pieces(server, spoken(answer), cuts)
            assert await asked == answer


async def test_a_command_is_sent_as_words() -> None:
    async with wired() as (wire, server):
        server.sendall(b"+OK\r\n")
        assert await wire.call(b"SET", b"a", b"") == b"OK"
        assert server.recv(100) == b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$0\r\n\r\n"


async def test_what_is_pushed_is_no_answer() -> None:
    async with wired() as (wire, server):
        asked = asyncio.create_task(wire.call(b"PING"))
        server.sendall(b">2\r\n+MOVING\r\n:1\r\n" + b"$4\r\nPONG\r\n>1\r\n+MORE\r\n")
        assert await asked == b"PONG"


async def test_a_refusal_is_told_and_the_wire_goes_on() -> None:
    async with wired() as (wire, server):
        asked = asyncio.create_task(wire.call(b"EVALSHA"))
        server.sendall(b"-NOSCRIPT No matching script.\r\n")
        with pytest.raises(Refused, match="No matching") as refused:
            await asked
        assert refused.value.word == "NOSCRIPT"
        server.sendall(b":1\r\n")
        assert await wire.call(b"PING") == 1


async def test_silence_ends_the_wire() -> None:
    async with wired(seconds=0.05) as (wire, server):
        server.sendall(b"$4\r\nPO")
        with pytest.raises(TimeoutError):
            await wire.call(b"PING")
        with pytest.raises(TimeoutError):
            await wire.call(b"PING")


async def test_an_early_answer_does_not_spare_the_next_its_limit() -> None:
    async with wired(seconds=0.2) as (wire, server):
        server.sendall(b":1\r\n")
        assert await wire.call(b"PING") == 1
        await asyncio.sleep(0.1)
        start = asyncio.get_running_loop().time()
        with pytest.raises(TimeoutError):
            await wire.call(b"PING")
        assert asyncio.get_running_loop().time() - start >= 0.2


async def test_a_server_that_hangs_up_is_told_at_once() -> None:
    async with wired() as (wire, server):
        asked = asyncio.create_task(wire.call(b"PING"))
        await asyncio.sleep(0)
        server.close()
        with pytest.raises(ConnectionError):
            await asked


@settings(max_examples=50)
@given(nonsense=st.binary(min_size=1, max_size=30) | st.just(b"*1\r\n" * 5000))
async def test_nonsense_is_an_error_and_nothing_hangs(nonsense: bytes) -> None:
    async with wired(seconds=0.01) as (wire, server):
        asked = asyncio.create_task(wire.call(b"PING"))
        server.sendall(nonsense)
        await asyncio.wait([asked])
        outcome = asked.exception()
        assert outcome is None or isinstance(outcome, ConnectionError | TimeoutError | Refused)
