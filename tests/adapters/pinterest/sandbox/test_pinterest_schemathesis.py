"""Whatever Pinterest's description lets one send, and what it does not: the sandbox breaks at none of it."""

import asyncio
import base64
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from random import Random
from threading import Thread
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from adapters.pinterest.sandbox import PinterestSandbox
from core.sandbox import running
from core.sandbox.picture import sample_picture
from tests.description import PINTEREST

pytestmark = pytest.mark.skipif(not PINTEREST, reason="PINTEREST_OPENAPI names no description of the API")

AnyCase = Case[Any]
CHECKS = [content_type_conformance, response_schema_conformance]
WITHOUT_BOUNDS = dict.fromkeys(("safety_net", "org_read", "org_write", "org_analytics"), (10**6, 1.0))


@contextmanager
def serving(sandbox: PinterestSandbox) -> Iterator[str]:
    """The URL of a sandbox that serves in a thread of its own, for as long as the context lasts."""
    url: Future[str] = Future()

    async def live() -> None:
        async with running(sandbox) as at:
            url.set_result(at.url)
            await asyncio.get_running_loop().create_future()

    loop = asyncio.new_event_loop()
    task = loop.create_task(live())

    def run() -> None:
        with suppress(asyncio.CancelledError):
            loop.run_until_complete(task)
        loop.close()

    thread = Thread(target=run)
    thread.start()
    try:
        yield url.result(60)
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join()


class Ground:
    """A user with one of everything, and the ids by which it is called."""

    def __init__(self, sandbox: PinterestSandbox, url: str) -> None:
        seed = sandbox.seed()
        self.url = f"{url}/v5"
        self.bearer = {"Authorization": f"Bearer {seed.access_token}"}
        self.basic = {"Authorization": httpx.BasicAuth(*(sandbox.app or ("", "")))._auth_header}
        picture = f"{url}/_sandbox/picture.png"
        source = {"source_type": "image_url", "url": picture}
        with httpx.Client(base_url=self.url, headers=self.bearer, trust_env=False, timeout=60.0) as http:
            section = http.post(f"/boards/{seed.channel_id}/sections", json={"name": "s"}).json()["id"]
            pin = http.post("/pins", json={"board_id": seed.channel_id, "media_source": source}).json()["id"]
            film = http.post("/media", json={"media_type": "video"}).json()["media_id"]
        self.known = {"board_id": seed.channel_id, "section_id": section, "board_section_id": section}
        self.known |= {"pin_id": pin, "media_id": film, "pin_ids": [pin], "url": picture, "cover_image_url": picture}
        self.known |= {"content_type": "image/png", "data": base64.b64encode(sample_picture()).decode(), "link": None}
        today = datetime.now(UTC).date()
        self.known |= {"start_date": str(today - timedelta(days=3)), "end_date": str(today)}

    def planted(self, case: AnyCase) -> AnyCase:
        """A case that names what is there, where it names anything; what is taken away keeps its own ids."""
        for holder in (case.path_parameters, case.query, case.body):
            if case.method != "DELETE":
                self._plant(holder)
        return case

    def _plant(self, value: Any) -> None:
        if isinstance(value, list):
            for item in value:
                self._plant(item)
        elif isinstance(value, dict):
            value.update({name: known for name, known in self.known.items() if name in value})
            if "media_source" in value:
                value["board_id"] = self.known["board_id"]
            for item in value.values():
                self._plant(item)

    def judge(self, case: AnyCase) -> None:
        """Send it: the sandbox is not broken by it, and answers in the description's shapes."""
        ours = self.basic if case.path.startswith("/oauth/") else self.bearer
        answer = case.call(base_url=self.url, headers=ours)
        assert answer.status_code < 500, f"{case.method} {case.path}: {answer.text}"
        case.validate_response(answer, checks=CHECKS)


@pytest.fixture(scope="module")
def ground() -> Iterator[Ground]:
    sandbox = PinterestSandbox(rng=Random(1), media_seconds=0.0, limits=WITHOUT_BOUNDS)
    with serving(sandbox) as url:
        yield Ground(sandbox, url)


@pytest.fixture(scope="module")
def operations() -> list[APIOperation[Any, Any, Any, Any]]:
    schema = schemathesis.openapi.from_path(PINTEREST)
    return [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]


def look_for_faults(ground: Ground, operation: APIOperation[Any, Any, Any, Any], examples: int) -> None:
    modes = [GenerationMode.POSITIVE, GenerationMode.NEGATIVE]
    cases = st.one_of([operation.as_strategy(generation_mode=mode) for mode in modes])

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(cases, st.sampled_from([True, True, False]))
    def judge(case: AnyCase, plant: bool) -> None:
        ground.judge(ground.planted(case) if plant else case)

    judge()


def test_nothing_that_the_description_could_mean_breaks_the_sandbox(ground: Ground, operations: Any) -> None:
    assert len(operations) == 29
    for operation in operations:
        look_for_faults(ground, operation, examples=8)


@pytest.mark.big
def test_at_length_nothing_that_the_description_could_mean_breaks_the_sandbox(ground: Ground, operations: Any) -> None:
    for operation in operations:
        look_for_faults(ground, operation, examples=300)
