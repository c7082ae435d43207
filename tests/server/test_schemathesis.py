"""What the description says of the API is so: requests made from it are answered as it says, one by one and in turn."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation, BaseSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.server.conftest import House, opened, picture, pin_of
from tests.server.routes import Route, all_routes

AnyCase = Case[Any]
CHECKS = [status_code_conformance, content_type_conformance, response_schema_conformance]
ROUTES = {route.operation: route for route in all_routes()}
OUTBOUND = {
    *("uploadCreateFromUrl", "webhookEndpointCreate", "webhookEndpointUpdate"),
    *("socialAccountConnectionCheck", "socialAccountProfileRefresh", "socialAccountRefreshChannels"),
}
"""Calls that would ask other servers of what is generated, or for an account."""
STREAMS = {"uploadCreate", "uploadPut", "mediaRead", "mediaReadHead", "metrics"}
"""What takes or gives files, or is for no key of an organization."""
OPERATIONS = sorted(set(ROUTES) - OUTBOUND - STREAMS)
OFFERED = [operation for operation in OPERATIONS if not ROUTES[operation].refused]
ALIKE = settings(
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
)


class Ground:
    """A house with one of everything, and the description that it gives of itself."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.headers = {"x-api-key": house.owner.secret}
        self.schema: BaseSchema = schemathesis.openapi.from_url(f"{house.url}/schema/openapi.json")
        self.operations: dict[str, APIOperation[Any, Any, Any, Any]] = {
            found.ok().definition.raw["operationId"]: found.ok()
            for found in self.schema.get_all_operations()
            if isinstance(found, Ok)
        }
        with house.client() as client:
            post = client.post("/api/v1/post/", json=pin_of(house, referenceKey="ground")).json()
            files = {"file": ("p.png", picture(), "image/png")}
            upload = client.post("/api/v1/upload", files=files).json()
            endpoint = client.post("/api/v1/webhook-endpoint", json={"url": "http://127.0.0.1:9/ground"}).json()
            message = client.post(f"/api/v1/webhook-endpoint/{endpoint['id']}/test").json()
        self.known = {
            "post": post["id"],
            "delivery": post["deliveries"][0]["id"],
            "upload": upload["id"],
            "webhook_endpoint": endpoint["id"],
            "webhook_message": message["messageId"],
            "team": str(house.owner.team_id),
            "social_account": str(house.account_id),
        }

    def planted(self, case: AnyCase, route: Route) -> AnyCase:
        """A case that names what is there, where it names anything; what would take it away keeps its own ids."""
        if route.asked is None or route.asked.scope == "destructive":
            return case
        for name, noun in route.asked.ids.items():
            if noun in self.known:
                case.path_parameters[name] = self.known[noun]
        if "reference_key" in case.path_parameters:
            case.path_parameters["reference_key"] = "ground"
        own = {"teamId": self.known["team"], "socialAccountId": self.known["social_account"]}
        for holder in (case.body, case.query):
            if isinstance(holder, dict):
                holder.update({name: id for name, id in own.items() if name in holder})
        return case

    def judge(self, case: AnyCase) -> None:
        """Send it, and hold the answer against the description."""
        judged(case, case.call(headers=self.headers))


def judged(case: AnyCase, answer: Any) -> None:
    """No fault of ours, and nothing but what is described; 501 and 503 are described."""
    assert answer.status_code != 500, answer.text
    case.validate_response(answer, checks=CHECKS)


@pytest.fixture(scope="module")
def ground(module_house: House) -> Ground:
    return Ground(module_house)


def conform(ground: Ground, operation: str, examples: int) -> None:
    route, described = ROUTES[operation], ground.operations[operation]
    modes = [GenerationMode.POSITIVE, GenerationMode.NEGATIVE]
    cases = st.one_of([described.as_strategy(generation_mode=mode) for mode in modes])

    @settings(ALIKE, max_examples=examples)
    @given(cases, st.booleans())
    def judge(case: AnyCase, plant: bool) -> None:
        ground.judge(ground.planted(case, route) if plant else case)

    judge()


def in_turn(ground: Ground, runs: int, steps: int) -> None:
    """Calls that follow from the answers to others, as far as the description tells how."""
    machine: Any = ground.schema.as_state_machine()

    class Workflow(machine):  # type: ignore[misc]  # it is made of the schema
        def get_call_kwargs(self, case: AnyCase) -> dict[str, Any]:
            return {"headers": ground.headers}

        def before_call(self, case: AnyCase) -> None:
            if (operation := case.operation.definition.raw["operationId"]) in ROUTES:
                own = {"teamId": ground.known["team"]}
                for holder in (case.body, case.query):
                    if isinstance(holder, dict) and ROUTES[operation].asked:
                        holder.update({name: id for name, id in own.items() if name in holder})

        def validate_response(self, response: Any, case: AnyCase, **kwargs: Any) -> None:
            judged(case, response)

    Workflow.run(settings=settings(ALIKE, max_examples=runs, stateful_step_count=steps))


@pytest.mark.parametrize("operation", OFFERED)
def test_every_answer_is_one_that_the_description_foresees(ground: Ground, operation: str) -> None:
    conform(ground, operation, examples=2)


def test_calls_that_follow_from_each_other_are_answered_as_described(ground: Ground) -> None:
    in_turn(ground, runs=2, steps=5)


@pytest.fixture
def fresh(database_url: str, redis_url: str, tmp_path: Any) -> Iterator[Ground]:
    with opened(database_url, redis_url, tmp_path) as house:
        yield Ground(house)


@pytest.mark.big
@pytest.mark.parametrize("operation", OPERATIONS)
def test_at_length_every_answer_is_one_that_the_description_foresees(ground: Ground, operation: str) -> None:
    conform(ground, operation, examples=300)


@pytest.mark.big
def test_at_length_calls_that_follow_from_each_other_are_answered_as_described(fresh: Ground) -> None:
    in_turn(fresh, runs=100, steps=12)
