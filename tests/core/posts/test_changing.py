"""Posts that are rewritten as a whole, approved and rejected; and who comes too late."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.adapter import Profile
from core.database.notices import Notices
from core.errors import Conflict, InvalidPost, NotFound, PreconditionFailed
from core.ids import new_id
from core.ledger.ledger import Ledger
from core.ledger.moves import Outcome
from core.ledger.states import State
from core.post import Channel
from core.posts.changing import Changing, Review
from core.posts.filters import read_filters
from core.posts.views import FullPostView
from tests.core.posts.conftest import Desk

LATER = "2031-02-03T04:05:06Z"


@pytest.fixture
def changing(desk: Desk) -> Changing:
    return Changing(desk.pool, desk.posts, Notices(desk.pool))


async def change(changing: Changing, desk: Desk, post: Any, **changes: Any) -> FullPostView:
    return await changing.change(desk.organization_id, post.id, changes)


async def create(desk: Desk, block: dict[str, Any] | None = None, **changes: Any) -> FullPostView:
    made = await desk.posts.create(desk.organization_id, desk.request(block, **changes))
    return await desk.posts.get(desk.organization_id, str(made.id))


async def second_account(desk: Desk) -> str:
    id = await desk.accounts.connect(
        organization_id=desk.organization_id,
        team_id=desk.team_id,
        platform="PINTEREST",
        profile=Profile(external_user="456", username="gardener", display_name="The Gardener"),
        channels=[Channel(id="4711", name="Roses")],
        access_token="token",
    )
    return str(id)


async def tried(desk: Desk, post: FullPostView) -> None:
    """Bring the post's delivery to where it waits after an attempt that failed."""
    ledger = Ledger(desk.pool)
    await desk.rows("update deliveries set due_at = now(), turn_at = now() returning 1")
    await ledger.claim()
    (taken,) = await ledger.take("PINTEREST", 1)
    await ledger.settle(taken.subject, Outcome(state=State.RETRYING, due_in=60.0))
    await ledger.aclose()


async def test_every_field_is_changed_and_the_delivery_stays_the_same(desk: Desk, changing: Changing) -> None:
    post = await create(desk, referenceKey="r", text="Old")
    block = {"boardId": "4711", "text": "Another title", "mediaUrls": ["https://example.com/q.jpg"]}
    changed = await change(
        changing, desk, post, title="Nightingale", postDate=LATER, referenceKey=None, text=None,
        data={"PINTEREST": block}, maxDelay=60,
    )  # fmt: skip
    assert (changed.title, changed.post_date, changed.reference_key) == (
        "Nightingale",
        "2031-02-03T04:05:06.000Z",
        None,
    )
    assert changed.data == {"PINTEREST": block}
    (before,), (after,) = post.deliveries, changed.deliveries
    assert (after.id, after.state, after.due_at[:16]) == (before.id, "scheduled", "2031-02-03T04:05")
    ((stored, content, late, fits),) = await desk.rows(
        "select d.block, p.content, extract(epoch from d.expires_at - d.due_at)::int,"
        " d.fingerprint = delivery_fingerprint(d.block, p.title, p.content)"
        " from deliveries d join posts p on p.id = d.post_id"
    )
    assert (stored, late, fits) == (block, 60, True)
    assert not {"text", "referenceKey"} & set(content)
    for words, count in (("nightin", 1), ("a pin", 0)):
        filters = read_filters([("teamId", str(desk.team_id)), ("q", words)])
        assert (await desk.posts.page(desk.organization_id, filters)).total == count


async def test_a_change_is_checked_like_a_create_and_leaves_nothing_half_done(desk: Desk, changing: Changing) -> None:
    post = await create(desk)
    with pytest.raises(InvalidPost) as caught:
        await change(
            changing, desk, post, title="", postDate="soon", colour="red", data={"PINTEREST": {"boardId": "x"}}
        )
    found = {(finding.code, finding.path[-1]) for finding in caught.value.report.errors}
    assert {("too_short", "title"), ("unknown_field", "colour"), ("bad_format", "boardId")} <= found
    assert any(path == "postDate" for _, path in found)
    for nonsense in ("x", None, 7):
        with pytest.raises(InvalidPost):
            await changing.change(desk.organization_id, post.id, nonsense)
    with pytest.raises(InvalidPost) as caught:
        await change(changing, desk, post, teamId=str(new_id()))
    assert [finding.code for finding in caught.value.report.errors] == ["team_fixed"]
    assert await desk.posts.get(desk.organization_id, str(post.id)) == post


async def test_a_draft_becomes_scheduled_and_back(desk: Desk, changing: Changing) -> None:
    post = await create(desk, {"boardId": None, "mediaUrls": None}, status="DRAFT")
    with pytest.raises(InvalidPost):
        await change(changing, desk, post, status="SCHEDULED")
    scheduled = await change(changing, desk, post, status="SCHEDULED", data=desk.request()["data"])
    assert (scheduled.status, [each.state for each in scheduled.deliveries]) == ("SCHEDULED", ["scheduled"])
    back = await change(changing, desk, post, status="DRAFT")
    assert (back.status, back.deliveries) == ("DRAFT", [])
    assert await desk.rows("select content->>'status' from posts") == [("DRAFT",)]


async def test_blocks_and_accounts_come_and_go(desk: Desk, changing: Changing) -> None:
    mine, other = str(desk.account_id), await second_account(desk)
    pin = desk.request()["data"]["PINTEREST"]
    post = await create(desk, socialAccountIds=[mine])
    both = await change(changing, desk, post, socialAccountIds=[mine, other])
    assert post.deliveries[0].id in {each.id for each in both.deliveries}
    assert {str(each.social_account_id) for each in both.deliveries} == {mine, other}
    third = await change(changing, desk, post, data={"PINTEREST": [pin, pin | {"text": "Twice"}]})
    assert len(third.deliveries) == 4
    one = await change(changing, desk, post, socialAccountIds=[other], data={"PINTEREST": pin})
    assert [str(each.social_account_id) for each in one.deliveries] == [other]
    assert one.deliveries[0].id in {each.id for each in both.deliveries}


async def test_what_was_tried_stays_with_another_date_and_is_replaced_with_another_text(
    desk: Desk, changing: Changing
) -> None:
    post = await create(desk)
    await tried(desk, post)
    moved = await change(changing, desk, post, postDate=LATER, referenceKey="k", firstComment=None)
    assert [(each.id, each.state, each.attempts) for each in moved.deliveries] == [
        (post.deliveries[0].id, "scheduled", 1)
    ]
    rewritten = await change(
        changing, desk, post, data={"PINTEREST": desk.request({"text": "New"})["data"]["PINTEREST"]}
    )
    assert sorted(each.state for each in rewritten.deliveries) == ["cancelled", "scheduled"]
    assert (rewritten.status, len(rewritten.social_accounts)) == ("SCHEDULED", 1)
    drafted = await change(changing, desk, post, status="DRAFT")
    assert (drafted.status, [each.state for each in drafted.deliveries]) == ("DRAFT", ["cancelled"])
    assert drafted.social_accounts == []
    events = await desk.rows(
        "select type, data->>'postStatus' from events where type = 'delivery.cancelled' order by number"
    )
    assert events == [("delivery.cancelled", "SCHEDULED")]


async def test_a_tried_draft_is_told_to_be_one(desk: Desk, changing: Changing) -> None:
    post = await create(desk)
    await tried(desk, post)
    await change(changing, desk, post, status="DRAFT")
    told = await desk.rows("select data->>'postStatus' from events where type = 'delivery.cancelled'")
    assert told == [("DRAFT",)]


async def test_a_reference_key_that_is_taken_is_told(desk: Desk, changing: Changing) -> None:
    await create(desk, referenceKey="taken")
    post = await create(desk)
    with pytest.raises(Conflict, match="taken"):
        await change(changing, desk, post, referenceKey="taken")


async def test_changes_at_once_are_all_made_one_after_the_other(desk: Desk, changing: Changing) -> None:
    post = await create(desk)
    fields: list[dict[str, Any]] = [{"title": "Mine"}, {"postDate": LATER}, {"referenceKey": "k"}]
    await asyncio.gather(*(changing.change(desk.organization_id, post.id, each) for each in fields))
    after = await desk.posts.get(desk.organization_id, str(post.id))
    assert (after.title, after.post_date[:4], after.reference_key) == ("Mine", "2031", "k")


async def test_a_change_that_expects_another_post_is_refused(desk: Desk, changing: Changing) -> None:
    post = await create(desk)
    with pytest.raises(PreconditionFailed):
        await changing.change(desk.organization_id, post.id, {"title": "x"}, expected=lambda view: False)
    await changing.change(desk.organization_id, post.id, {"title": "x"}, expected=lambda view: view == post)


async def test_a_race_with_a_worker_has_one_winner(desk: Desk, changing: Changing) -> None:
    ledger = Ledger(desk.pool)
    won = {"change": 0, "worker": 0}
    for number in range(12):
        post = await create(desk, postDate=datetime.now(UTC).isoformat())
        await ledger.claim()
        later = (datetime.now(UTC) + timedelta(days=3)).isoformat()
        wait = asyncio.sleep(0.002 * (number % 6))

        async def work(wait: Any = wait) -> list[Any]:
            await wait
            return await ledger.take("PINTEREST", 1)

        changed, taken = await asyncio.gather(
            change(changing, desk, post, postDate=later, title="New"), work(), return_exceptions=True
        )
        assert isinstance(taken, list)
        if isinstance(changed, Conflict):
            assert changed.code == "not_editable"
            assert len(taken) == 1
            assert taken[0].content["title"] == "A Pin"
            won["worker"] += 1
        else:
            assert isinstance(changed, FullPostView)
            assert taken == []
            assert changed.deliveries[0].state == "scheduled"
            won["change"] += 1
        await desk.rows("update deliveries set due_at = now() + interval '9 days', turn_at = now() + interval '9 days'"
                        " where state <> 'publishing' returning 1")  # fmt: skip
    await ledger.aclose()
    assert sum(won.values()) == 12


def review(desk: Desk, note: str | None = None, verdict: Any = "approved") -> Review:
    return Review(verdict=verdict, key_id=desk.organization_id, note=note)


async def test_a_post_in_review_waits_until_it_is_approved(desk: Desk, changing: Changing) -> None:
    with pytest.raises(InvalidPost):
        await create(desk, {"boardId": "x"}, status="REVIEW")
    post = await create(desk, status="REVIEW")
    assert (post.status, post.deliveries, post.reviews) == ("REVIEW", [], [])
    changed = await change(changing, desk, post, title="Better")
    assert (changed.status, changed.title) == ("REVIEW", "Better")
    with pytest.raises(Conflict) as caught:
        await change(changing, desk, post, status="SCHEDULED")
    assert caught.value.code == "in_review"
    org = desk.organization_id
    answers = await asyncio.gather(
        *(changing.approve(org, post.id, review(desk, "Good")) for _ in range(3)), return_exceptions=True
    )
    (approved,) = [answer for answer in answers if isinstance(answer, FullPostView)]
    assert {answer.code for answer in answers if isinstance(answer, Conflict)} == {"not_in_review"}
    assert (approved.status, [each.state for each in approved.deliveries]) == ("SCHEDULED", ["scheduled"])
    (said,) = approved.reviews
    assert (said.verdict, said.note, said.api_key_id) == ("approved", "Good", desk.organization_id)
    events = await desk.rows("select type from events where subject = %(id)s order by number", id=post.id)
    assert events == [("post.review_requested",), ("post.approved",)]


async def test_a_post_that_is_rejected_is_a_draft_again_and_may_be_sent_in_once_more(
    desk: Desk, changing: Changing
) -> None:
    post = await create(desk, status="REVIEW")
    org = desk.organization_id
    rejected = await changing.reject(org, post.id, review(desk, "Too loud", "rejected"))
    assert (rejected.status, rejected.reviews[0].note) == ("DRAFT", "Too loud")
    with pytest.raises(Conflict):
        await changing.reject(org, post.id, review(desk, verdict="rejected"))
    await change(changing, desk, post, status="REVIEW", title="Quieter")
    approved = await changing.approve(org, post.id, review(desk))
    assert [said.verdict for said in approved.reviews] == ["rejected", "approved"]
    told = [
        row[0] for row in await desk.rows("select type from events where subject = %(id)s order by number", id=post.id)
    ]
    assert told == ["post.review_requested", "post.rejected", "post.review_requested", "post.approved"]


async def test_an_approval_is_checked_as_of_now(desk: Desk, changing: Changing) -> None:
    post = await create(desk, status="REVIEW")
    await desk.rows("update social_accounts set disconnected_at = now() returning 1")
    with pytest.raises(InvalidPost):
        await changing.approve(desk.organization_id, post.id, review(desk))
    assert (await desk.posts.get(desk.organization_id, str(post.id))).status == "REVIEW"


async def test_a_stranger_changes_nothing(desk: Desk, changing: Changing) -> None:
    post = await create(desk, status="REVIEW")
    stranger = await desk.tenants.create_organization("stranger")
    for call in (
        changing.change(stranger, post.id, {"title": "x"}),
        changing.approve(stranger, post.id, review(desk)),
        changing.reject(stranger, post.id, review(desk)),
        changing.change(desk.organization_id, new_id(), {"title": "x"}),
    ):
        with pytest.raises(NotFound):
            await call
