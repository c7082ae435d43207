"""What the description says of the API is so: requests made from it are answered as it says, one by one and in turn."""

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import FlakyStrategyDefinition
from hypothesis.stateful import get_state_machine_test
from schemathesis import Case, GenerationMode
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation, BaseSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from adapters.pinterest.sandbox import PinterestSandbox
from core.uploads.links import Links
from core.vault import Vault
from tests.conftest import Servers, new_database
from tests.server.branch.conftest import ROOMY, Branch, branch_on
from tests.server.conftest import picture, pin_of
from tests.server.routes import Route, all_routes, request_for

AnyCase = Case[Any]
CHECKS = [status_code_conformance, content_type_conformance, response_schema_conformance]
ROUTES = {route.operation: route for route in all_routes()}
OPERATIONS = sorted(ROUTES)
OFFERED = [operation for operation in OPERATIONS if not ROUTES[operation].refused]
APP = {"FINGERPOST_PINTEREST_CLIENT_ID": "1500000", "FINGERPOST_PINTEREST_CLIENT_SECRET": "hush"}
LONGEST_URL = 60_000
"""The HTTP server itself refuses longer ones, in its own words."""
ALIKE = settings(
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
)


class Ground:
    """A branch with one of everything, and the description that it gives of itself."""

    def __init__(self, branch: Branch) -> None:
        self.house = house = branch.house
        self.headers = {"x-api-key": house.owner.secret}
        self.schema: BaseSchema = schemathesis.openapi.from_url(f"{house.url}/schema/openapi.json")
        self.operations: dict[str, APIOperation[Any, Any, Any, Any]] = {
            found.ok().definition.raw["operationId"]: found.ok()
            for found in self.schema.get_all_operations()
            if isinstance(found, Ok)
        }
        self.file = picture()
        self.addresses = (f"{branch.url}/_sandbox/picture.png", f"{branch.url}/nothing", "http://127.0.0.1:9/p.png")
        with house.client() as client:
            post = client.post("/api/v1/post/", json=pin_of(house, referenceKey="ground")).json()
            files = {"file": ("p.png", self.file, "image/png")}
            upload = client.post("/api/v1/upload", files=files).json()
            slot = client.post("/api/v1/upload/init", json={"fileName": "p.png", "mimeType": "image/png"}).json()
            endpoint = client.post("/api/v1/webhook-endpoint", json={"url": "http://127.0.0.1:9/ground"}).json()
            message = client.post(f"/api/v1/webhook-endpoint/{endpoint['id']}/test").json()
        links = Links(Vault.parse(house.settings.master_keys), "http://127.0.0.1", hours=1)
        link = links.media_url(house.owner.organization_id, UUID(upload["id"]), "png") or ""
        self.known = {
            "post": post["id"],
            "delivery": branch.live()["id"],
            "upload": upload["id"],
            "webhook_endpoint": endpoint["id"],
            "webhook_message": message["messageId"],
            "team": str(house.owner.team_id),
            "social_account": str(house.account_id),
        }
        self.said = {
            "reference_key": "ground",
            "token": slot["url"].rpartition("/")[2],
            "name": link.rpartition("/")[2],
            "platform": "PINTEREST",
            "channel_id": branch.seed.channel_id,
        }

    def planted(self, case: AnyCase, route: Route) -> AnyCase:
        """A case that names what is there, where it names anything; what would take it away keeps its own ids."""
        if route.asked is not None and route.asked.scope == "destructive":
            return case
        for name, noun in (route.asked.ids if route.asked else {}).items():
            if noun in self.known:
                case.path_parameters[name] = self.known[noun]
        case.path_parameters.update({name: self.said[name] for name in case.path_parameters if name in self.said})
        own = {"teamId": self.known["team"], "socialAccountId": self.known["social_account"], "type": "PINTEREST"}
        for holder in (case.body, case.query):
            if isinstance(holder, dict):
                holder.update({name: id for name, id in own.items() if name in holder and holder[name] is not None})
        body: Any = case.body
        if isinstance(body, dict) and "file" in body:
            body["file"] = self.file
        return case

    def sound(self, case: AnyCase, route: Route, *, alone: bool) -> AnyCase:
        """A planted case that holds all that it has to, and that `alone`, or what was generated besides."""
        if route.asked is None or route.asked.scope == "destructive":
            return case
        held = request_for(route.operation, self.house.owner.team_id, self.house.account_id)
        body: Any = case.body
        if route.operation == "uploadCreate":
            form: dict[str, Any] = {"teamId": self.known["team"], "file": self.file}
            case.body = form
        elif "json" in held:
            own = json.loads(json.dumps(held["json"]).replace("4711", self.said["channel_id"]))
            case.body = {**body, **own} if isinstance(body, dict) and not alone else own
        if "params" in held:
            case.query = {**({} if alone else case.query), **held["params"]}
        return case

    def tamed(self, case: AnyCase) -> AnyCase:
        """A case that sends nobody but to this machine."""
        if isinstance(case.body, dict) and isinstance(url := case.body.get("url"), str) and "://" in url:
            case.body["url"] = self.addresses[len(url) % len(self.addresses)]
        return case

    def judge(self, case: AnyCase) -> None:
        """Send it, and hold the answer against the description."""
        if len(urlencode(case.query or {}, doseq=True, errors="surrogatepass")) < LONGEST_URL:
            judged(case, self.tamed(case).call(headers=self.headers))


def judged(case: AnyCase, answer: Any) -> None:
    """No fault of ours, and nothing but what is described; 501 and 503 are described."""
    assert answer.status_code != 500, answer.text
    case.validate_response(answer, checks=CHECKS)


@pytest.fixture(scope="module")
def ground(servers: Servers, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with (
        new_database(servers.database_url, template=template) as url,
        branch(url, servers.redis_url, tmp_path_factory.mktemp("ground")) as made,
    ):
        yield Ground(made)


def branch(database_url: str, redis_url: str, folder: Path) -> AbstractContextManager[Branch]:
    return branch_on(
        PinterestSandbox(rng=Random(3), limits=ROOMY),
        database_url,
        redis_url,
        folder,
        hosts=APP,
        public_url="http://127.0.0.1:1",
    )


def conform(ground: Ground, operation: str, examples: int) -> None:
    route, described = ROUTES[operation], ground.operations[operation]
    modes = [GenerationMode.POSITIVE, GenerationMode.NEGATIVE]
    cases = st.one_of([described.as_strategy(generation_mode=mode) for mode in modes])

    @settings(ALIKE, max_examples=examples)
    @given(cases, st.sampled_from(["as it is", "planted", "sound", "alone"]))
    def judge(case: AnyCase, kind: str) -> None:
        if kind != "as it is":
            ground.planted(case, route)
        if kind in ("sound", "alone"):
            ground.sound(case, route, alone=kind == "alone")
        ground.judge(case)

    judge()


def in_turn(ground: Ground, runs: int, steps: int) -> None:
    """Calls that follow from the answers to others, as far as the description tells how."""
    machine: Any = ground.schema.as_state_machine()
    broken: list[Exception] = []

    class Workflow(machine):  # type: ignore[misc]  # it is made of the schema
        def get_call_kwargs(self, case: AnyCase) -> dict[str, Any]:
            return {"headers": ground.headers}

        def before_call(self, case: AnyCase) -> None:
            ground.tamed(case)
            if (operation := case.operation.definition.raw["operationId"]) in ROUTES:
                own = {"teamId": ground.known["team"]}
                for holder in (case.body, case.query):
                    if isinstance(holder, dict) and ROUTES[operation].asked:
                        holder.update({name: id for name, id in own.items() if name in holder})

        def validate_response(self, response: Any, case: AnyCase, **kwargs: Any) -> None:
            try:
                judged(case, response)
            except Exception as failure:
                broken.append(failure)
                raise

    for run in range(runs):
        once = settings(ALIKE, derandomize=False, max_examples=2, stateful_step_count=steps)
        # The server remembers, so that a beginning that is played once more may go on otherwise.
        with suppress(FlakyStrategyDefinition):
            seed(run)(get_state_machine_test(Workflow, settings=once))()
    assert not broken


@pytest.mark.parametrize("operation", OFFERED)
def test_every_answer_is_one_that_the_description_foresees(ground: Ground, operation: str) -> None:
    conform(ground, operation, examples=2)


def test_calls_that_follow_from_each_other_are_answered_as_described(ground: Ground) -> None:
    in_turn(ground, runs=2, steps=5)


@pytest.fixture
def fresh(database_url: str, redis_url: str, tmp_path: Path) -> Iterator[Ground]:
    with branch(database_url, redis_url, tmp_path) as made:
        yield Ground(made)


@pytest.mark.big
@pytest.mark.parametrize("operation", OPERATIONS)
def test_at_length_every_answer_is_one_that_the_description_foresees(ground: Ground, operation: str) -> None:
    conform(ground, operation, examples=300)


@pytest.mark.big
def test_at_length_calls_that_follow_from_each_other_are_answered_as_described(fresh: Ground) -> None:
    in_turn(fresh, runs=100, steps=12)
