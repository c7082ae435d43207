"""What is stored when posts come in, also together, and also when the database goes away."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import msgspec
import pytest
from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from core.adapter import Profile
from core.database.notices import heard, listen
from core.database.pool import open_pool
from core.errors import Conflict, InvalidPost, NotFound
from core.ids import new_id
from core.posts.intake import UnclearPost
from core.posts.new_post import Made, MadeDelivery, NewDelivery, NewPost
from core.sandbox.picture import sample_picture
from tests.core.posts.conftest import Desk, Pool, desk_over


async def test_a_scheduled_post_is_stored_with_all_its_rows(desk: Desk) -> None:
    view = await desk.posts.create(desk.organization_id, desk.request())
    ((state, due, expires, lane, grant, block, position, organization, team),) = await desk.rows(
        "select d.state, d.due_at = p.post_date, d.expires_at - d.due_at,"
        " (l.grant_id, l.team_id) = (d.grant_id, d.team_id), a.grant_id = d.grant_id, d.block, d.position,"
        " d.organization_id, d.team_id"
        " from deliveries d join posts p on p.id = d.post_id join lanes l on l.id = d.lane_id"
        " join social_accounts a on a.id = d.social_account_id where p.id = %(id)s",
        id=view.id,
    )
    assert (state, due, expires.total_seconds(), lane, grant, position) == ("scheduled", True, 86_400, True, True, 0)
    assert block == desk.request()["data"]["PINTEREST"]
    assert (organization, team) == (desk.organization_id, desk.team_id)
    assert await desk.rows("select content, platforms, status from posts") == [
        (desk.request(), ["PINTEREST"], "SCHEDULED")
    ]


async def test_a_draft_has_no_deliveries(desk: Desk) -> None:
    view = await desk.posts.create(desk.organization_id, desk.request(status="DRAFT"))
    assert (view.status, view.deliveries) == ("DRAFT", [])
    assert await desk.rows("select 1 from deliveries") == []


async def test_a_past_date_falls_due_now(desk: Desk) -> None:
    await desk.posts.create(desk.organization_id, desk.request(postDate="2001-01-01T00:00:00Z"))
    assert await desk.rows("select d.due_at = p.created_at from deliveries d join posts p on p.id = d.post_id") == [
        (True,)
    ]


async def test_a_post_that_is_due_soon_is_told_to_the_schedulers_once_it_is_on_disk(
    desk: Desk, database_url: str
) -> None:
    soon = (datetime.now(UTC) + timedelta(seconds=100)).isoformat()
    async with await listen(database_url) as ear:
        await desk.posts.create(desk.organization_id, desk.request())
        assert await heard(ear, 0.3) == set(), "they look for themselves every few seconds"
        await desk.posts.create(desk.organization_id, desk.request(postDate=soon))
        assert await heard(ear, 30) == {"deliveries"}


async def test_uploads_are_kept_with_the_post_however_their_ids_are_written(desk: Desk) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield sample_picture()

    upload = await desk.uploads.create(desk.organization_id, desk.team_id, chunks())
    written = str(upload.id).upper()
    view = await desk.posts.create(
        desk.organization_id, desk.request({"mediaUrls": None, "uploadIds": [written]}, uploadIds=[str(upload.id)])
    )
    full = await desk.posts.get(desk.organization_id, str(view.id))
    assert [entry.upload.id for entry in full.uploads] == [upload.id]


async def test_posts_at_the_same_time_share_a_transaction(desk: Desk) -> None:
    await asyncio.gather(*(desk.posts.create(desk.organization_id, desk.request()) for _ in range(50)))
    ((posts, transactions),) = await desk.rows("select count(*), count(distinct xmin::text) from posts")
    assert posts == 50
    assert transactions < 25


async def test_one_bad_row_takes_nobody_along(desk: Desk) -> None:
    """Two bodies of different organizations and one whose account is not there, written as one group."""
    intake = desk.posts.intake
    other = await desk.tenants.create_organization("other")
    other_team = (await desk.tenants.create_team(other, "team")).id

    good = [new_post(desk.organization_id, desk.team_id, accounts=[desk.account_id]), new_post(other, other_team)]
    gone = new_post(desk.organization_id, desk.team_id, accounts=[new_id()])
    strange = new_post(other, other_team, accounts=[desk.account_id])
    deleted = new_post(desk.organization_id, desk.team_id, accounts=[desk.account_id], uploads=[new_id()])
    group = [good[0], gone, strange, deleted, good[1]]
    answers = await asyncio.gather(*(intake.store(item) for item in group), return_exceptions=True)
    assert [type(answer) for answer in answers[1:4]] == [Conflict] * 3
    assert {row[0] for row in await desk.rows("select id from posts")} == {item.id for item in good}
    assert await desk.rows("select count(*) from deliveries") == [(1,)]


async def test_an_account_that_goes_away_while_a_post_comes_in_is_told(desk: Desk) -> None:
    class Leaving(type(desk.accounts)):  # type: ignore[misc]  # the class of what the fixture made
        async def of_team(self, *tenant: UUID) -> object:
            found = await super().of_team(*tenant)
            await desk.rows("update social_accounts set disconnected_at = now() returning 1")
            return found

    desk.posts.preparation._accounts = Leaving(desk.pool, desk.accounts._vault)
    with pytest.raises(Conflict):
        await desk.posts.create(desk.organization_id, desk.request())
    assert await desk.rows("select 1 from posts") == []


async def test_a_post_is_held_against_the_accounts_as_they_are_when_it_is_stored(desk: Desk) -> None:
    """What was read for an earlier post is remembered, and compared."""

    def by_name(name: str) -> dict[str, Any]:
        return desk.request({"boardId": None, "boardName": name})

    async def rename(name: str) -> None:
        board = msgspec.json.encode([{"id": "4711", "name": name}]).decode()
        await desk.rows("update social_accounts set channels = %(board)s::jsonb returning 1", board=board)

    async def faults(name: str) -> list[str]:
        with pytest.raises(InvalidPost) as caught:
            await desk.posts.create(desk.organization_id, by_name(name))
        return [finding.code for finding in caught.value.report.errors]

    await desk.posts.create(desk.organization_id, by_name("Recipes"))
    await rename("Dishes")
    assert await faults("Recipes") == ["pinterest.board-name"]
    await rename("Meals")
    await desk.posts.create(desk.organization_id, by_name("Meals"))
    await desk.rows("update grants set hosts = '{}' returning 1")
    await desk.posts.create(desk.organization_id, by_name("Meals"))
    await desk.rows("update social_accounts set disconnected_at = now() returning 1")
    assert await faults("Meals") == ["no_account"]
    assert await desk.rows("select count(*) from posts") == [(3,)]


async def test_another_account_that_is_connected_meanwhile_makes_it_ambiguous(desk: Desk) -> None:
    await desk.posts.create(desk.organization_id, desk.request())
    await desk.accounts.connect(
        organization_id=desk.organization_id,
        team_id=desk.team_id,
        platform="PINTEREST",
        profile=Profile(external_user="124", username="second", display_name="Second"),
        channels=[],
        access_token="token",
    )
    with pytest.raises(InvalidPost) as caught:
        await desk.posts.create(desk.organization_id, desk.request())
    assert [finding.code for finding in caught.value.report.errors] == ["account_ambiguous"]


async def test_a_reference_key_may_be_used_by_every_team(desk: Desk) -> None:
    second = await desk.tenants.create_team(desk.organization_id, "second")
    draft = desk.request(referenceKey="k", status="DRAFT")
    first = await desk.posts.create(desk.organization_id, draft)
    latest = await desk.posts.create(desk.organization_id, draft | {"teamId": str(second.id)})
    with pytest.raises(Conflict, match="'k'"):
        await desk.posts.create(desk.organization_id, draft)
    assert (await desk.posts.by_reference_key(desk.organization_id, "nothing", "k")).id == latest.id != first.id
    await desk.rows("update posts set deleted_at = now() returning 1")
    await desk.posts.create(desk.organization_id, draft)


async def test_what_is_not_the_organizations_own_is_never_a_fact(desk: Desk) -> None:
    stranger = await desk.tenants.create_organization("stranger")
    facts = await desk.posts.preparation.facts(stranger, desk.request({"uploadIds": [str(new_id())]}))
    assert (facts.team_known, facts.accounts, facts.uploads) == (False, (), {})
    with pytest.raises(NotFound):
        await desk.posts.create(stranger, desk.request())
    with pytest.raises(InvalidPost) as caught:
        await desk.posts.create(stranger, desk.request(title=""))
    assert {finding.code for finding in caught.value.report.errors} == {"unknown_team", "too_short"}


async def test_a_team_without_accounts_is_known(desk: Desk) -> None:
    second = await desk.tenants.create_team(desk.organization_id, "second")
    with pytest.raises(InvalidPost) as caught:
        await desk.posts.create(desk.organization_id, desk.request(teamId=str(second.id)))
    assert [finding.code for finding in caught.value.report.errors] == ["no_account"]


async def test_warnings_come_with_the_answer(desk: Desk) -> None:
    view = await desk.posts.create(desk.organization_id, desk.request({"link": "http://example.com"}))
    assert [(warning.code, warning.path) for warning in view.warnings] == [
        ("pinterest.link-https", ["data", "PINTEREST", "link"])
    ]


Break = Literal["answer", "commit", "statement", "silence"]


@pytest.mark.parametrize(
    ("breaks", "status", "outcome"),
    [
        ("answer", "SCHEDULED", None),
        ("statement", "SCHEDULED", "not_stored"),
        ("silence", "SCHEDULED", "unknown"),
        ("answer", "REVIEW", None),
        ("commit", "REVIEW", "not_stored"),
        ("statement", "REVIEW", "not_stored"),
    ],
)
async def test_a_connection_that_is_lost_never_makes_a_lie(
    database_url: str, tmp_path: Path, breaks: Break, status: str, outcome: str | None
) -> None:
    """Lost behind the writing: stored, and said to be. Before it: not stored, as soon as nobody can write it any more.

    As long as the server's end of the connection lives it may be written yet: unknown, with the id.
    """
    async with (
        cut_once(database_url, breaks) as url,
        open_pool(url, size=2, name="cut") as pool,
        desk_over(pool, tmp_path) as desk,
    ):
        if outcome is None:
            view = await desk.posts.create(desk.organization_id, desk.request(status=status))
            assert (await desk.posts.get(desk.organization_id, str(view.id))).title == "A Pin"
            return
        with pytest.raises(UnclearPost) as caught:
            await desk.posts.create(desk.organization_id, desk.request(status=status))
        assert caught.value.outcome == outcome
        assert isinstance(caught.value.post_id, UUID)
        assert await desk.rows("select 1 from posts") == []


async def test_a_pool_without_a_connection_stores_nothing_for_certain(pool: Pool, tmp_path: Path) -> None:
    async with desk_over(pool, tmp_path, patience_seconds=0.5) as desk, desk.intake.connection():
        with pytest.raises(UnclearPost) as caught:
            await desk.posts.intake.store(new_post(desk.organization_id, desk.team_id))
        assert caught.value.outcome == "not_stored"


def new_post(
    organization_id: UUID, team_id: UUID, *, accounts: Sequence[UUID] = (), uploads: Sequence[UUID] = ()
) -> NewPost:
    deliveries = [
        NewDelivery(id=new_id(), social_account_id=id, platform="PINTEREST", position=0, block={}, calls={})
        for id in accounts
    ]
    return NewPost(
        id=new_id(),
        organization_id=organization_id,
        team_id=team_id,
        title="x",
        reference_key=None,
        post_date=datetime(2030, 1, 1, tzinfo=UTC),
        status="SCHEDULED",
        platforms=["PINTEREST"],
        content={},
        max_delay=1,
        deliveries=deliveries,
        uploads=list(uploads),
        folded="x",
        terms=[],
        made=Made(
            deliveries=[
                MadeDelivery(id=each.id, platform=each.platform, social_account_id=each.social_account_id)
                for each in deliveries
            ],
            warnings=[],
        ),
    )


@asynccontextmanager
async def cut_once(url: str, breaks: Break) -> AsyncIterator[str]:
    """A way to the same database that breaks once, on the connection that stores a post.

    At `statement` the statement is not handed on, at `commit` the COMMIT is not, at `answer` the answer to what stores
    it is not; at `silence` nothing is handed on, and the server does not hear that the client has gone.
    """
    target = conninfo_to_dict(url)
    tasks: set[asyncio.Task[None]] = set()
    left = asyncio.Event()
    broken = False

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal broken
        host, port = str(target.get("host", "127.0.0.1")), int(target.get("port") or 5432)
        way = asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}") if host[0] == "/" else None
        back, forth = await (way or asyncio.open_connection(host, port))
        silent = False

        async def answers() -> None:
            while data := await back.read(65536):
                if not silent:
                    writer.write(data)
            writer.close()

        task = asyncio.create_task(answers())
        tasks.add(task)
        begun = wrote = False
        while data := await reader.read(65536):
            begun, writes = begun or b"BEGIN" in data, _writes(data)
            wrote = wrote or writes
            commits = writes if not begun else wrote and b"COMMIT" in data
            if not broken and ((writes and breaks in ("statement", "silence")) or (commits and breaks == "commit")):
                broken = True
                break
            if not broken and commits and breaks == "answer":
                broken = silent = True
                forth.write(data)
                await _until_stored(url)
                break
            forth.write(data)
        writer.close()
        if breaks == "silence":
            await left.wait()
        forth.close()

    with tempfile.TemporaryDirectory(prefix="fp-", dir="/tmp") as folder:
        async with await asyncio.start_unix_server(serve, Path(folder) / ".s.PGSQL.5432"):
            yield make_conninfo(url, host=folder, port=5432, sslmode="disable", gssencmode="disable")
            left.set()
        await asyncio.gather(*tasks, return_exceptions=True)


def _writes(data: bytes) -> bool:
    """Whether a post is stored by what is sent: by the statement, or by its name where it is prepared."""
    return b"\0express\0" in data or (b"insert into posts" in data and b"prepare" not in data)


async def _until_stored(url: str) -> None:
    async with asyncio.timeout(10), await AsyncConnection.connect(url, autocommit=True) as other:
        while not await (await other.execute("select 1 from posts")).fetchone():
            await other.execute("select pg_sleep(0.005)")


async def test_what_is_computed_for_each_row_is_no_statement_of_its_own(desk: Desk) -> None:
    plan = await desk.rows(
        "explain (verbose) select delivery_fingerprint(d.block, '', d.calls), account_stamp(a.id, a.xmin, a.xmin)"
        " from deliveries d join social_accounts a on a.id = d.social_account_id"
    )
    words = " ".join(line for (line,) in plan)
    assert "sha256(" in words
    assert "delivery_fingerprint" not in words
    assert "account_stamp" not in words
