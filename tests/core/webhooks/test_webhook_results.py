"""What an answer means for its message."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from random import Random

import httpx
import pytest

from core.retry import WEBHOOKS, Policy
from core.webhooks.results import Result, after_answer, after_failure, asked_to_wait

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


class Middle(Random):
    """Draws the mean of every range."""

    def uniform(self, a: float, b: float) -> float:
        return (a + b) / 2


def answered(status: int, *, tries: int = 1, asked: float = 0.0, text: str = "") -> Result:
    return after_answer(status, text, tries=tries, asked=asked, policy=WEBHOOKS, random=Random(1))


def test_the_waits_of_the_policy_come_to_about_27_hours_in_the_mean() -> None:
    waits: list[float] = []
    while (wait := WEBHOOKS.after(len(waits) + 1, Middle())) is not None:
        waits.append(wait)
    assert 26.5 * 3600 <= sum(waits) <= 27.5 * 3600
    assert waits == sorted(waits)
    assert waits[0] < 10


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_every_2xx_is_delivered(status: int) -> None:
    assert answered(status) == Result(state="delivered", http_status=status, answer="")


def test_410_fails_for_good_and_switches_the_endpoint_off() -> None:
    result = answered(410, text="gone")
    assert (result.state, result.disable, result.due_in) == ("failed", True, None)


@pytest.mark.parametrize("status", [301, 307, 400, 401, 404, 422, 429, 500, 502, 503])
def test_every_other_status_is_tried_again_and_switches_nothing_off(status: int) -> None:
    result = answered(status, text="because")
    assert (result.state, result.disable, result.http_status) == ("waiting", False, status)
    assert result.due_in is not None
    assert result.error == f"The endpoint answered {status}: because"


def test_the_last_try_of_the_policy_fails_for_good() -> None:
    policy = Policy(attempts=3)
    states = [after_failure("no", tries=n, policy=policy, random=Random(1)).state for n in (1, 2, 3)]
    assert states == ["waiting", "waiting", "failed"]


def test_what_was_asked_for_is_the_least_wait() -> None:
    assert answered(503, asked=5000.0).due_in == 5000.0


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        (format_datetime(NOW + timedelta(minutes=5), usegmt=True), 300),
        (format_datetime(NOW - timedelta(minutes=5), usegmt=True), 0),
        (format_datetime(NOW + timedelta(days=400), usegmt=True), 86_400),
        ("100000000", 86_400),
        ("soon", 0),
        ("-5", 0),
        ("Mon, 99 Foo 2026 99:99:99 GMT", 0),
    ],
)
def test_retry_after_is_read_as_seconds_and_as_a_date(status: int, header: str, seconds: float) -> None:
    headers = {"retry-after": header, "date": format_datetime(NOW, usegmt=True)}
    assert asked_to_wait(httpx.Response(status, headers=headers)) == seconds


def test_retry_after_means_nothing_beside_other_statuses() -> None:
    assert asked_to_wait(httpx.Response(500, headers={"retry-after": "120"})) == 0
    assert asked_to_wait(httpx.Response(429)) == 0
