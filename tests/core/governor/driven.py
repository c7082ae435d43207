"""The real scripts on a real server, in a time that a test drives: hours of it pass in a second."""

from collections.abc import Sequence
from importlib.resources import files
from typing import Any
from uuid import uuid4

import msgspec
import redis

from core.governor.asks import AHEAD_SECONDS, Ask, Window, micro
from core.governor.desk import RENEWAL_SECONDS

PRELUDE = """
local genuine, driven = redis, tonumber(ARGV[#ARGV])
local ends = KEYS[1] .. ':ends'
local gone = genuine.call('ZRANGEBYSCORE', ends, '-inf', driven)
for _, key in ipairs(gone) do genuine.call('DEL', key) genuine.call('ZREM', ends, key) end
local redis = {call = function(word, key, ...)
  local rest = {...}
  if word == 'TIME' then return {math.floor(driven / 1000000), driven % 1000000} end
  if word == 'PEXPIRE' then return genuine.call('ZADD', ends, driven + rest[1] * 1000, key) end
  if word == 'SET' and rest[2] == 'PX' then
    genuine.call('ZADD', ends, driven + rest[3] * 1000, key)
    return genuine.call('SET', key, rest[1])
  end
  return genuine.call(word, key, ...)
end}
"""
"""Stands before a script: the time is the last argument, and keys end in that time."""

BEGINNING = 1_800_000_000_000_000
"""Some microsecond in 2027."""


class Driven:
    """The log of one app. `now` is in microseconds."""

    def __init__(self, url: str, *, bound: float, slack: float, grace: float) -> None:
        self.now = BEGINNING
        self.server = "one"
        self._client = redis.Redis.from_url(url)
        self._prefix = f"fp:{{{uuid4().hex}}}:"
        life = RENEWAL_SECONDS + AHEAD_SECONDS + slack + bound
        self._times = [micro(seconds) for seconds in (bound, slack, grace, life, RENEWAL_SECONDS)]
        self._renewed: dict[tuple[Window, ...], int] = {}
        self._take, self._reopen = (
            self._client.register_script(PRELUDE + files("core.governor").joinpath(f"{name}.lua").read_text())
            for name in ("take", "reopen")
        )

    def ask(self, asks: Sequence[Ask]) -> Any:
        """What the script answers at this moment."""
        found = self._client.get(f"{self._prefix}epoch")
        server, since, used = (found.decode() if isinstance(found, bytes) else "none 0 0").split()
        if server != self.server:
            return b"lost"
        windows = tuple(dict.fromkeys(window for ask in asks for window in ask.windows))
        packed = [(ask.kind, [windows.index(window) + 1 for window in ask.windows], *ask.rest) for ask in asks]
        widths = [each for window in windows for each in (window.calls, micro(window.seconds), window.long)]
        logs = [f"{self._prefix}{window.name}" for window in windows]
        keys = [f"{self._prefix}epoch", *(f"{log}:word" for log in logs), *logs]
        epoch = (f"{server} {since} {used}", int(since), used == "1")
        values = (*epoch, *self._times, self._renewed.get(windows, 0), widths, packed)
        answers = msgspec.msgpack.decode(self._take(keys=keys, args=[msgspec.msgpack.encode(values)[1:], self.now]))
        if len(answers) > len(asks):
            (self._renewed[windows],) = answers.pop()
        return answers

    def reopen(self, *, in_use: bool) -> None:
        """Let the log begin anew."""
        self._reopen(keys=[f"{self._prefix}epoch"], args=[self.server, 0 if in_use else "", 0, 0, self.now])

    def lose(self, *, keep: bool) -> None:
        """Another server takes over, with what the log held or with nothing."""
        self.server += "+"
        if not keep:
            self.clear()

    def clear(self) -> None:
        """Delete everything."""
        keys = list(self._client.scan_iter(f"{self._prefix}*", count=1000))
        if keys:
            self._client.delete(*keys)

    def members(self, window: Window) -> int:
        """How many entries the log of a window has."""
        return int(self._client.zcard(f"{self._prefix}{window.name}"))

    def close(self) -> None:
        """Leave nothing behind."""
        self.clear()
        self._client.close()
