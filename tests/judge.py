"""The judge: in whatever test a platform's sandbox serves, what we send it and what it answers fits its description.

A sandbox in a test's own process tells the judge of each call; one in a process of its own adds them to a record, whose
name it finds in its environment, and the judge reads on there.
"""

import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web

from core.sandbox import Recorded, Sandbox
from tests.description import PINTEREST, Description

RUNNING = import_module("core.sandbox.running")
"""Where the application of a sandbox is made; the package has a function of that name."""

RECORD = "FINGERPOST_SANDBOX_RECORD"
PREFIX = "/v5"
PLATFORM = "PINTEREST"

LONG = 200


class Judge:
    """Hears of every exchange with a sandbox, and looks at the first of those that look alike when it is asked.

    A request is judged if it is ours, since those that tests make by hand may be wrong on purpose; an answer if the
    sandbox made it, and no fault.
    """

    def __init__(self, description: Description, record: Path) -> None:
        self._description = description
        self._record = record
        self._read_to = 0
        self._seen: set[Any] = set()
        self._requests: list[Recorded] = []
        self._answers: list[Recorded] = []

    def hear(self, told: Recorded) -> None:
        """Keeps what has not been seen before."""
        path, _, query = told.path.partition("?")
        if told.platform != PLATFORM or not path.startswith(f"{PREFIX}/"):
            return
        ours, kind = told.headers.get("User-Agent", "").startswith("fingerpost/"), told.headers.get("Content-Type", "")
        place = told.method, _like_text(path)
        if ours and self._is_new(*place, re.sub(r"[0-9]{5,}", "9", query), kind, _like(_read(told.body))):
            self._requests.append(told)
        if told.fault is None and told.status is not None:
            kind = told.answer_headers.get("Content-Type", "")
            if self._is_new(*place, told.status, kind, _like(_read(told.answer))):
                self._answers.append(told)

    def complaints(self) -> list[str]:
        """What does not fit, since this was asked last."""
        self._read_on()
        requests, self._requests = self._requests, []
        answers, self._answers = self._answers, []
        return [words for told in requests for words in self._of_request(told)] + [
            words for told in answers for words in self._of_answer(told)
        ]

    def _read_on(self) -> None:
        if not self._record.exists():
            return
        with self._record.open("rb") as record:
            record.seek(self._read_to)
            for line in record:
                # The last one may still be on its way.
                if line.endswith(b"\n"):
                    self._read_to += len(line)
                    self.hear(msgspec.json.decode(line, type=Recorded))

    def _of_request(self, told: Recorded) -> list[str]:
        path, _, query = told.path.removeprefix(PREFIX).partition("?")
        try:
            mistakes = self._description.mistakes_of_request(told.method, path, query, told.headers, told.body)
        except ValueError as unreadable:
            mistakes = [str(unreadable)]
        return [f"{told.method} {told.path}: {mistake}" for mistake in mistakes]

    def _of_answer(self, told: Recorded) -> list[str]:
        path = told.path.removeprefix(PREFIX).partition("?")[0]
        mistakes = self._description.mistakes_of_answer(
            told.method, path, told.status or 0, told.answer_headers, told.answer
        )
        return [f"{told.method} {told.path} answered {told.status}: {mistake}" for mistake in mistakes]

    def _is_new(self, *facts: Any) -> bool:
        before = len(self._seen)
        self._seen.add(facts)
        return len(self._seen) > before


def _read(body: str | None) -> Any:
    try:
        return json.loads(body or "null")
    except ValueError:
        return body


def _like(value: Any) -> Any:
    """What a value is like: whatever has the same likeness is as right, or as wrong."""
    if isinstance(value, dict):
        return tuple((name, _like(value[name])) for name in sorted(value))
    if isinstance(value, list):
        return frozenset(map(_like, value)), min(len(value), 300)
    if isinstance(value, str):
        return _like_text(value) if len(value) < LONG else (len(value) // 50, value[:20], value[-20:])
    return type(value) if isinstance(value, float) else value if value is None or isinstance(value, bool) else 0


@lru_cache(maxsize=50_000)
def _like_text(text: str) -> str:
    return re.sub(r"[0-9]+", "9", re.sub(r"\b[0-9a-f]{16,}\b", "f", text))


@contextmanager
def judging(description: Description, record: Path) -> Iterator[Judge]:
    """For as long as the context lasts the judge hears of every sandbox, and those in new processes write a record."""
    judge = Judge(description, record)
    plain: Callable[..., web.Application] = RUNNING.application

    def application(sandbox: Sandbox, witness: Callable[[Recorded], None] | None = None) -> web.Application:
        return plain(sandbox, witness or judge.hear)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RUNNING, "application", application)
        patch.setenv(RECORD, str(record))
        yield judge


@pytest.fixture(scope="session")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judge | None]:
    """The judge of the whole session; None where nobody has the description."""
    if not PINTEREST:
        yield None
        return
    with judging(Description(Path(PINTEREST)), tmp_path_factory.mktemp("record") / "exchanges.jsonl") as made:
        yield made
        # What came after the last test, from processes that several tests share.
        _fail_with(made.complaints())


ON_PURPOSE = frozenset({"test_the_bounds_are_those_of_the_platform"})
"""Tests in which adapters send what is wrong, to see it refused."""


@pytest.fixture(autouse=True)
def judged(judge: Judge | None, request: pytest.FixtureRequest) -> Iterator[None]:
    """No test passes in which something did not fit."""
    yield
    if judge is not None:
        complaints = judge.complaints()
        if request.node.name not in ON_PURPOSE:
            _fail_with(complaints)


def _fail_with(complaints: list[str]) -> None:
    if complaints:
        pytest.fail("\n".join(complaints[:20]))


def recorded() -> dict[str, str]:
    """What a process of ours finds in its environment, so that its sandboxes are judged."""
    return {RECORD: os.environ[RECORD]} if RECORD in os.environ else {}
