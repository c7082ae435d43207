"""What a client is told when something went wrong on our side."""

import asyncio
import time
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import httpx
import psycopg
import pytest
import structlog
from litestar import Litestar, get
from litestar.testing import TestClient
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.sql import SQL, Identifier

from adapters.vocabulary import BUNDLE_SOCIAL
from core import errors
from core.database.group import CommitUnknown, ConnectionLost
from core.errors import FingerpostError
from core.findings import Finding, Report
from core.governor.allowance import Exhausted
from core.posts.bulk import BulkRefused
from core.posts.filters import InvalidQuery
from core.posts.intake import UnclearPost
from core.registry import Registry
from server.app import create_app
from server.bodies import InvalidRequest
from server.problems import MOST_ISSUES, answer
from tests.server.conftest import COOK, House, running, settings_for, settle

SECRET = "a word that nobody may read"
FINDING = Finding(code="x", path=("a", 0), message="words")
MADE: dict[type[Exception], Exception] = {
    errors.InvalidPost: errors.InvalidPost(Report((FINDING,))),
    InvalidRequest: InvalidRequest(Report((FINDING,))),
    InvalidQuery: InvalidQuery(Report((FINDING,))),
    errors.RateLimited: errors.RateLimited("words", after=timedelta(seconds=1)),
    errors.TooManyRequests: errors.TooManyRequests("words", after=1.0),
    Exhausted: Exhausted("words", after=timedelta(seconds=1)),
    BulkRefused: BulkRefused([FINDING]),
    UnclearPost: UnclearPost("words", post_id=uuid4(), outcome="unknown"),
}


def raised(error: Exception) -> httpx.Response:
    @get("/")
    async def handler() -> None:
        raise error

    app = Litestar([handler], exception_handlers={Exception: answer}, logging_config=None, openapi_config=None)
    with TestClient(app, raise_server_exceptions=False) as client:
        return client.get("/")


def every(kind: type[FingerpostError]) -> set[type[FingerpostError]]:
    return {kind}.union(*(every(child) for child in kind.__subclasses__()))


def makeable(kind: type[FingerpostError]) -> bool:
    """Whether a test can make one: all but those of which only their own room knows how."""
    return kind in MADE or kind.__init__ is FingerpostError.__init__ or issubclass(kind, errors.PublishError)


@pytest.mark.parametrize("kind", sorted([kind for kind in every(FingerpostError) if makeable(kind)], key=str))
def test_every_error_of_ours_becomes_a_problem(kind: type[FingerpostError]) -> None:
    problem = raised(MADE.get(kind) or kind(SECRET)).json()
    assert problem["status"] == problem["statusCode"] >= 400
    assert problem["code"]
    assert problem["message"] == problem["detail"]
    if problem["status"] == 500:
        assert SECRET not in str(problem)
        assert "x-request-id" in problem["detail"]


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (errors.NotFound("words"), 404, "not_found"),
        (errors.Conflict("words", code="reference_key_taken"), 409, "reference_key_taken"),
        (errors.InvalidUpload("words", code="empty_file"), 400, "empty_file"),
        (errors.RefusedUrl("words"), 400, "url_refused"),
        (errors.Unready("words"), 503, "unready"),
        (ConnectionLost("words"), 503, "unready"),
        (CommitUnknown("words", backend=1), 500, "internal"),
        (psycopg.OperationalError("words"), 503, "unready"),
        (psycopg.errors.AdminShutdown("words"), 503, "unready"),
        (psycopg.errors.UniqueViolation("words"), 500, "internal"),
        (RecursionError("words"), 500, "internal"),
        (errors.Misconfigured("words"), 500, "internal"),
    ],
)
def test_the_table_of_errors_holds(error: Exception, status: int, code: str) -> None:
    got = raised(error)
    assert (got.status_code, got.json()["code"]) == (status, code)
    assert ("retry-after" in got.headers) == (status == 503)


def test_an_unclear_post_tells_its_id_and_outcome() -> None:
    error = MADE[UnclearPost]
    assert isinstance(error, UnclearPost)
    problem = raised(error).json()
    assert (problem["id"], problem["outcome"], problem["code"]) == (str(error.post_id), "unknown", "post_unknown")
    assert "id" not in raised(errors.NotFound("words")).json()


def test_an_answer_lists_a_bounded_number_of_faults() -> None:
    problem = raised(errors.InvalidPost(Report((FINDING,) * 10_000))).json()
    assert len(problem["issues"]) == MOST_ISSUES
    assert "10000 faults" in problem["message"]


def test_what_nobody_foresaw_is_logged_with_its_id_and_not_told(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    settings = settings_for(database_url, redis_url, tmp_path)
    app = create_app(settings, Registry())

    @get("/broken", opt={"open": True})
    async def broken() -> None:
        raise ZeroDivisionError(SECRET)

    app.register(broken)
    with structlog.testing.capture_logs() as logs, running(app) as url:
        got = httpx.get(f"{url}/broken?key={SECRET}", headers={"x-request-id": "r-1"})
    assert got.status_code == 500
    assert SECRET not in got.text
    assert "Traceback" not in got.text
    (failed,) = [line for line in logs if line["event"] == "request failed"]
    assert isinstance(failed["exc_info"], ZeroDivisionError)
    (line,) = [line for line in logs if line["event"] == "request"]
    assert (line["path"], line["status"], line["method"]) == ("/broken", 500, "GET")
    assert SECRET not in str(line)


def test_no_log_line_holds_a_key_a_query_or_a_body(database_url: str, redis_url: str, tmp_path: Path) -> None:
    settings = settings_for(database_url, redis_url, tmp_path)
    owner, _, _ = asyncio.run(settle(settings, COOK))
    with structlog.testing.capture_logs() as logs, running(create_app(settings, Registry.installed())) as url:
        headers = {"x-api-key": owner.secret}
        httpx.post(f"{url}/api/v1/post", json={"title": SECRET}, headers=headers)
        httpx.get(f"{url}/api/v1/post?q={SECRET}&teamId={owner.team_id}", headers=headers)
        httpx.get(f"{url}/api/v1/post?x-api-key={owner.secret}")
    assert [line["status"] for line in logs if line["event"] == "request"] == [400, 200, 401]
    assert SECRET not in str(logs)
    assert owner.secret not in str(logs)
    assert str(owner.key_id) in str(logs)


def test_without_its_database_the_server_says_so_and_comes_back(
    database_url: str, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.app.PATIENCE_SECONDS", 1.0)
    settings = settings_for(database_url, redis_url, tmp_path)
    owner, _, _ = asyncio.run(settle(settings, COOK))
    name = conninfo_to_dict(database_url)["dbname"]
    with (
        running(create_app(settings, Registry.installed())) as url,
        httpx.Client(base_url=url, headers={"x-api-key": owner.secret}, timeout=30) as client,
        psycopg.connect(make_conninfo(database_url, dbname="template1"), autocommit=True) as server,
    ):
        allow = SQL("alter database {} allow_connections {}")
        server.execute(allow.format(Identifier(str(name)), SQL("false")))
        server.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [name])
        health = client.get("/health")
        assert (health.status_code, health.json()) == (503, {"status": "down", "database": "down", "redis": "ok"})
        refused = client.get("/api/v1/webhook-endpoint")
        assert (refused.status_code, refused.json()["code"]) == (503, "unready")
        assert int(refused.headers["retry-after"]) > 0
        server.execute(allow.format(Identifier(str(name)), SQL("true")))
        deadline = time.monotonic() + 20
        while client.get("/health").status_code != 200:
            assert time.monotonic() < deadline
        assert client.get("/api/v1/webhook-endpoint").status_code == 200


def test_health_tells_which_server_is_away(database_url: str, redis_url: str, tmp_path: Path) -> None:
    settings = settings_for(database_url, f"unix://{tmp_path}/no.sock", tmp_path)
    with running(create_app(settings, Registry.installed())) as url:
        got = httpx.get(f"{url}/health")
        assert got.status_code == 503
        assert got.json() == {"status": "down", "database": "ok", "redis": "down"}
        api = httpx.get(f"{url}/api/v1/").json()
    assert api["platforms"]["PINTEREST"]["status"] == "outage"


def test_a_healthy_server_says_so(house: House) -> None:
    got = httpx.get(f"{house.url}/health")
    assert (got.status_code, got.json()) == (200, {"status": "ok", "database": "ok", "redis": "ok"})
    api = httpx.get(f"{house.url}/api/v1/").json()
    assert api["platforms"]["PINTEREST"] == {"status": "operational", "note": ""}
    assert api["createdAt"].endswith("Z")


def test_a_platform_without_an_adapter_is_told_as_such_and_this_server_is_well(house: House) -> None:
    api = httpx.get(f"{house.url}/api/v1/").json()
    assert (api["status"], api["note"]) == ("ok", "")
    served = {told["platform"] for told in httpx.get(f"{house.url}/api/v1/platforms").json()}
    assert api["platforms"].keys() == served | BUNDLE_SOCIAL
    for platform in BUNDLE_SOCIAL - served:
        assert api["platforms"][platform]["status"] == "outage"
        assert "No adapter for it is installed" in api["platforms"][platform]["note"]
    assert all(api["platforms"][platform]["status"] == "operational" for platform in served)
