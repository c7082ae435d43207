"""What a reader sees of a post, for every state that its deliveries can be in."""

from typing import Any

import pytest
from psycopg import AsyncCursor
from psycopg.types.json import Jsonb

from core.errors import NotFound
from core.ids import new_id
from core.ledger.states import State
from core.posts.filters import InvalidQuery, read_filters
from core.posts.views import FullPostView
from tests.core.posts.conftest import Desk

FAILURE = {
    "code": "board_not_found",
    "message": "Gone.",
    "hint": "Choose another.",
    "platformCode": "40",
    "httpStatus": 404,
}


async def made(desk: Desk, *states: tuple[str, dict[str, Any]]) -> FullPostView:
    """A post whose deliveries are in these states, with these columns changed."""
    pin = desk.request()["data"]["PINTEREST"]
    view = await desk.posts.create(desk.organization_id, desk.request(data={"PINTEREST": [pin] * len(states)}))
    # Any state is put there at once, whatever way a real delivery would have had to go.
    async with desk.pool.connection() as connection:
        await connection.execute("alter table deliveries disable trigger user")
    for delivery, (state, columns) in zip(view.deliveries, states, strict=True):
        values = {"external_id": None, "permalink": None, "error": None, "attempts": 1, "published_at": None, **columns}
        error = Jsonb(values.pop("error")) if values["error"] else values.pop("error")
        await desk.rows(
            "update deliveries set state = %(state)s, external_id = %(external_id)s, permalink = %(permalink)s,"
            " error = %(error)s, attempts = %(attempts)s, published_at = %(published_at)s,"
            " lease_until = case when %(state)s = 'publishing' then now() end where id = %(id)s returning 1",
            id=delivery.id,
            state=state,
            error=error,
            **values,
        )
    await desk.rows(
        "update posts p set status = post_status((select array_agg(state) from deliveries where post_id = p.id))"
        " where id = %(id)s returning 1",
        id=view.id,
    )
    return await desk.posts.get(desk.organization_id, str(view.id))


@pytest.mark.parametrize(
    ("states", "status"),
    [
        (["scheduled"], "SCHEDULED"),
        (["scheduled", "cancelled"], "SCHEDULED"),
        (["queued"], "PROCESSING"),
        (["publishing", "failed"], "PROCESSING"),
        (["processing", "retrying"], "PROCESSING"),
        (["retrying", "published"], "RETRYING"),
        (["deferred"], "RETRYING"),
        (["unconfirmed", "failed"], "RETRYING"),
        (["needs_review"], "PROCESSING"),
        (["needs_review", "failed"], "PROCESSING"),
        (["scheduled", "published"], "PROCESSING"),
        (["published", "published"], "POSTED"),
        (["published", "cancelled"], "POSTED"),
        (["published", "failed"], "ERROR"),
        (["failed"], "ERROR"),
    ],
)
async def test_the_word_for_a_post_follows_its_deliveries(desk: Desk, states: list[str], status: str) -> None:
    ids = iter(str(new_id()) for _ in states)
    post = await made(desk, *[(state, {"external_id": next(ids)} if state == "published" else {}) for state in states])
    assert post.status == status
    assert [delivery.state for delivery in post.deliveries] == states


async def test_a_published_post_shows_where_it_is(desk: Desk) -> None:
    published = {"external_id": "99", "permalink": "https://example.com/99", "published_at": "2030-01-01T00:00:00.5Z"}
    post = await made(desk, ("published", published))
    assert post.external_data is not None
    assert (post.external_data["PINTEREST"].id, post.external_data["PINTEREST"].permalink) == (
        "99",
        "https://example.com/99",
    )
    assert (post.errors, post.errors_verbose, post.error) == (None, None, None)
    assert post.deliveries[0].published_at == "2030-01-01T00:00:00.500Z"
    assert post.social_accounts[0].external_post_id == "99"


async def test_a_failed_post_says_why_and_keeps_what_was_published(desk: Desk) -> None:
    post = await made(desk, ("failed", {"error": FAILURE, "attempts": 3}), ("published", {"external_id": "7"}))
    assert (post.status, post.error, post.errors) == ("ERROR", "Gone.", {"PINTEREST": "Gone."})
    assert post.external_data is not None
    assert post.external_data["PINTEREST"].id == "7"
    assert post.errors_verbose is not None
    error = post.errors_verbose["PINTEREST"]
    assert (error.code, error.http_status, error.is_transient) == ("board_not_found", 404, False)
    assert (error.retryability, error.user_facing_message) == ("non_retryable", "Gone. Choose another.")
    assert error.meta["platformCode"] == "40"
    assert post.retry_count == 2


@pytest.mark.parametrize(
    ("message", "hint", "said"),
    [
        ("Text is too odd", "Mend it.", "Text is too odd. Mend it."),
        ("Gone!", "Choose another.", "Gone! Choose another."),
        ("Gone", "", "Gone"),
        ("", "Look.", "Look."),
    ],
)
async def test_what_is_told_to_people_is_in_sentences(desk: Desk, message: str, hint: str, said: str) -> None:
    post = await made(desk, ("failed", {"error": FAILURE | {"message": message, "hint": hint}}))
    assert post.errors_verbose is not None
    assert post.errors_verbose["PINTEREST"].user_facing_message == said


async def test_what_needs_a_look_is_never_called_failed(desk: Desk) -> None:
    post = await made(desk, ("needs_review", {"error": FAILURE | {"code": "timeout"}}))
    assert (post.status, post.error) == ("PROCESSING", None)
    assert post.errors_verbose is not None
    error = post.errors_verbose["PINTEREST"]
    assert (error.code, error.retryability, error.is_transient) == ("outcome_unknown", "unknown", False)


async def test_what_is_tried_again_is_transient(desk: Desk) -> None:
    for state in (State.RETRYING, State.DEFERRED, State.UNCONFIRMED, State.QUEUED):
        post = await made(desk, (state, {"error": FAILURE}))
        assert post.error is None
        assert post.errors_verbose is not None
        assert post.errors_verbose["PINTEREST"].is_transient
        assert post.errors_verbose["PINTEREST"].retryability == "retryable"


async def test_the_worst_of_several_is_shown(desk: Desk) -> None:
    other = FAILURE | {"message": "Waits."}
    post = await made(desk, ("retrying", {"error": other}), ("failed", {"error": FAILURE}))
    assert post.errors == {"PINTEREST": "Gone."}


@pytest.mark.parametrize("code", ["platform_unavailable", "not_made", "worker_lost"])
async def test_a_failure_that_was_nobodys_fault_may_be_retried(desk: Desk, code: str) -> None:
    post = await made(desk, ("failed", {"error": FAILURE | {"code": code}}))
    assert post.errors_verbose is not None
    assert post.errors_verbose["PINTEREST"].retryability == "retryable"


async def test_a_page_takes_as_many_queries_as_it_would_with_one_post(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(20):
        await desk.posts.create(desk.organization_id, desk.request())
    count = 0
    execute = AsyncCursor.execute

    async def counted(self: Any, query: Any, *values: Any, **named: Any) -> Any:
        nonlocal count
        count += "posts p" in (query if isinstance(query, str) else query.as_string(None))
        return await execute(self, query, *values, **named)

    monkeypatch.setattr(AsyncCursor, "execute", counted)
    counts = []
    for limit in ("1", "19"):
        count = 0
        filters = read_filters([("teamId", str(desk.team_id)), ("limit", limit)])
        assert len((await desk.posts.page(desk.organization_id, filters)).items) == int(limit)
        counts.append(count)
    assert counts == [3, 3]


async def test_nothing_of_another_organization_is_read(desk: Desk) -> None:
    view = await desk.posts.create(desk.organization_id, desk.request(referenceKey="k"))
    stranger = await desk.tenants.create_organization("stranger")
    for read in (
        desk.posts.get(stranger, str(view.id)),
        desk.posts.by_reference_key(stranger, "k"),
        desk.posts.page(stranger, read_filters([("teamId", str(desk.team_id))])),
    ):
        with pytest.raises(NotFound):
            await read


def test_a_query_is_read_strictly() -> None:
    with pytest.raises(InvalidQuery) as caught:
        read_filters([("teamId", "x"), ("limit", "1_0"), ("limit", "2"), ("stauts", "DRAFT")])
    assert {(finding.code, finding.path) for finding in caught.value.report.errors} == {
        ("wrong_type", ("query", "limit")),
        ("duplicate", ("query", "limit")),
        ("unknown_field", ("query", "stauts")),
    }
    assert "'status'" in str([finding.message for finding in caught.value.report.errors])
