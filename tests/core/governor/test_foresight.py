"""Foresight: when calls could go, from how a window stands and what goes before."""

import pytest

from core.governor.asks import Reading, Window
from core.governor.foresight import Before, ahead_of, foretold
from core.limits import Quota

WINDOW = Window(name="w", calls=10, seconds=60.0, category="write")


def reading(used: int = 0, booked: int = 0, free_in: float = 0.0) -> Reading:
    return Reading(window=WINDOW, limit=10, used=used, booked=booked, free_in=free_in)


@pytest.mark.parametrize(
    ("stands", "ahead", "lead", "expected"),
    [
        (reading(), 0, 0.0, 0.0),
        (reading(), 9, 0.0, 0.0),
        (reading(), 10, 0.0, 60.0),
        (reading(), 20, 0.0, 120.0),
        (reading(used=10, free_in=7.0), 0, 0.0, 7.0),
        (reading(used=6, booked=4, free_in=7.0), 9, 0.0, 7.0),
        (reading(used=10, free_in=7.0), 10, 0.0, 67.0),
        (reading(used=10, free_in=50.0), 0, 20.0, 30.0),
        (reading(used=10, free_in=50.0), 0, 60.0, 0.0),
        (reading(used=10, free_in=50.0), 10, 3600.0, 60.0),
    ],
)
def test_a_call_goes_when_there_is_room_behind_those_before_it(
    stands: Reading, ahead: int, lead: float, expected: float
) -> None:
    assert foretold(stands, ahead, 1, lead) == expected


def test_lanes_take_turns_so_another_teams_import_is_not_all_before_a_single_post() -> None:
    def before(lane: int, calls: int, *, own: bool = True, category: str = "write", seconds: int = 60) -> Before:
        return Before(seconds=seconds, category=category, lane_id=lane, own=own, calls=calls)

    account = Quota(calls=10, seconds=60, scope="account", category="write")
    app = Quota(calls=10, seconds=60, scope="app", category="all")
    rows = [before(1, 2), before(2, 5000), before(3, 7, own=False), before(1, 9, category="read")]
    assert ahead_of(account, rows, 1) == 2 + 3
    assert ahead_of(app, rows, 1) == 11 + 12 + 7
    assert ahead_of(account, rows, None) == 1 + 1
    assert ahead_of(account, [before(1, 2, seconds=3600)], 1) == 0
