"""What a dry run promises is what a create does, for whatever is sent."""

from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings

from tests.server.conftest import House
from tests.server.test_fuzz import envelope


@pytest.fixture
def house(shared_house: House) -> House:
    return shared_house


def test_what_a_dry_run_finds_is_what_a_create_finds(house: House, client: httpx.Client) -> None:
    seen = {"valid": 0, "faulty": 0}

    @settings(max_examples=60, derandomize=True, database=None, suppress_health_check=list(HealthCheck), deadline=None)
    @given(envelope(house))
    def promised(body: Any) -> None:
        told = client.post("/api/v1/post/validate", json=body)
        made = client.post("/api/v1/post/", json=body)
        if told.status_code != 200:
            assert (told.status_code, told.json()["code"]) == (made.status_code, made.json()["code"])
            return
        dry = told.json()
        assert dry["valid"] == (made.status_code == 200), made.text
        seen["valid" if dry["valid"] else "faulty"] += 1
        if dry["valid"]:
            assert dry["warnings"] == made.json()["warnings"]
            if body["status"] == "SCHEDULED":
                planned = [(each["platform"], each["socialAccountId"]) for each in dry["deliveries"]]
                stored = [(each["platform"], each["socialAccountId"]) for each in made.json()["deliveries"]]
                assert planned == stored
        else:
            assert dry["issues"] == made.json()["issues"]

    promised()
    assert min(seen.values()) > 5, seen
