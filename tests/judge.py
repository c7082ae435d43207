"""The judge: in whatever test a platform's sandbox serves, what we send it and what it answers fits its description."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.typedefs import Handler

from core.sandbox import Sandbox, route_of
from tests.description import PINTEREST, Description

RUNNING = import_module("core.sandbox.running")
"""Where the application of a sandbox is made; the package has a function of that name."""

PREFIX = "/v5"
PLATFORM = "PINTEREST"

LONG = 200


class Judge:
    """Looks at every exchange of the sandboxes in this process; of what looks alike, at the first."""

    def __init__(self, description: Description) -> None:
        self.complaints: list[str] = []
        self.requests = self.answers = 0
        self._description = description
        self._seen: set[Any] = set()

    @web.middleware
    async def hear(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Judges a request of ours; those that tests make by hand may be wrong on purpose."""
        try:
            return await handler(request)
        finally:
            ours = request.headers.get("User-Agent", "").startswith("fingerpost/")
            if ours and request.path.startswith(f"{PREFIX}/"):
                self._hear(request)

    @web.middleware
    async def see(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Judges an answer as the sandbox made it, before a fault spoils it."""
        answer = await handler(request)
        method, _, template = (route_of(request) or "").partition(" ")
        if template.startswith(f"{PREFIX}/") and isinstance(answer, web.Response):
            self._see(method, template.removeprefix(PREFIX), answer)
        return answer

    def _hear(self, request: web.Request) -> None:
        self.requests += 1
        # A call that was broken off has none.
        body = request._read_bytes
        query = sorted(request.query.items())
        kind = request.headers.get("Content-Type", "")
        if not self._is_new(request.method, _like(request.path), _like(query), kind, _like(_read(body or b""))):
            return
        path = request.path.removeprefix(PREFIX)
        try:
            mistakes = self._description.mistakes_of_request(request.method, path, query, request.headers, body)
        except ValueError as unreadable:
            mistakes = [str(unreadable)]
        self._complain(f"{request.method} {request.path_qs}", mistakes)

    def _see(self, method: str, template: str, answer: web.Response) -> None:
        self.answers += 1
        body = _read(bytes(answer.body)) if isinstance(answer.body, bytes) and answer.body else None
        if self._is_new(method, template, answer.status, _like(body)):
            mistakes = self._description.mistakes(method, template, answer.status, body)
            self._complain(f"{method} {template} answered {answer.status}", mistakes)

    def _is_new(self, *facts: Any) -> bool:
        before = len(self._seen)
        self._seen.add(facts)
        return len(self._seen) > before

    def _complain(self, what: str, mistakes: list[str]) -> None:
        self.complaints += [f"{what}: {mistake}" for mistake in mistakes]


def _read(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body


def _like(value: Any) -> Any:
    """What a value is like: whatever has the same likeness is as right, or as wrong."""
    if isinstance(value, dict):
        return tuple((name, _like(value[name])) for name in sorted(value))
    if isinstance(value, list | tuple):
        return frozenset(map(_like, value)), min(len(value), 300)
    if isinstance(value, str | bytes):
        return _like_text(value) if len(value) < LONG else (len(value) // 50, value[:20], value[-20:])
    return type(value) if isinstance(value, float) else value if value is None or isinstance(value, bool) else 0


@lru_cache(maxsize=50_000)
def _like_text(text: str | bytes) -> str:
    plain = text if isinstance(text, str) else text.decode(errors="replace")
    return re.sub(r"[0-9]+", "9", re.sub(r"\b[0-9a-f]{16,}\b", "f", plain))


@contextmanager
def judging(description: Description) -> Iterator[Judge]:
    """For as long as the context lasts every sandbox of the platform is looked at."""
    judge = Judge(description)
    plain: Callable[[Sandbox], web.Application] = RUNNING.application

    def application(sandbox: Sandbox) -> web.Application:
        app = plain(sandbox)
        if sandbox.platform == PLATFORM:
            app.middlewares.insert(0, judge.hear)
            app.middlewares.append(judge.see)
        return app

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RUNNING, "application", application)
        yield judge


@pytest.fixture(scope="session")
def judge() -> Iterator[Judge | None]:
    """The judge of the whole session; None where nobody has the description."""
    if not PINTEREST:
        yield None
        return
    with judging(Description(Path(PINTEREST))) as made:
        yield made


ON_PURPOSE = frozenset({"test_the_bounds_are_those_of_the_platform"})
"""Tests in which adapters send what is wrong, to see it refused."""


@pytest.fixture(autouse=True)
def judged(judge: Judge | None, request: pytest.FixtureRequest) -> Iterator[None]:
    """No test passes in which something did not fit."""
    yield
    if judge is not None and judge.complaints:
        complaints, judge.complaints = judge.complaints, []
        if request.node.name not in ON_PURPOSE:
            pytest.fail("\n".join(complaints[:20]))
