from core.ledger.states import MOVES, OPEN, State, may_follow
from tests.world import Pool


def test_every_state_has_its_row() -> None:
    assert set(MOVES) == set(State)


def test_every_open_state_leads_to_an_end() -> None:
    for start in OPEN:
        reached: set[State] = {start}
        frontier: set[State] = {start}
        while frontier:
            frontier = {after for state in frontier for after in MOVES[state]} - reached
            reached |= frontier
        assert reached & {State.PUBLISHED, State.FAILED}, start


async def test_the_database_holds_the_same_table(pool: Pool) -> None:
    async with pool.connection() as connection:
        rows = await (await connection.execute("select before, after from delivery_moves")).fetchall()
    assert set(rows) == {(before, after) for before, afters in MOVES.items() for after in afters}


def test_nothing_follows_a_cancellation_and_only_a_look_may_be_corrected() -> None:
    assert MOVES[State.CANCELLED] == frozenset()
    assert MOVES[State.PUBLISHED] == {State.UNCONFIRMED}


def test_an_unclear_outcome_is_never_queued_again_without_a_look() -> None:
    assert not may_follow(State.UNCONFIRMED, State.QUEUED)
    assert not may_follow(State.UNCONFIRMED, State.PUBLISHING)
    assert not may_follow(State.NEEDS_REVIEW, State.QUEUED)


def test_nothing_under_way_can_be_cancelled() -> None:
    for state in (State.PUBLISHING, State.PROCESSING, State.UNCONFIRMED, State.NEEDS_REVIEW):
        assert not may_follow(state, State.CANCELLED)
