"""The embedded servers start anywhere, keep what they are told, and leave nothing behind."""

import asyncio
import os
import signal
import stat
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
import redis
from psycopg_pool import AsyncConnectionPool

from core.database.pool import open_pool
from core.embedded import binaries
from core.embedded.account import server_account
from core.embedded.servers import EmbeddedServers, find_running
from core.embedded.state import command_of
from core.embedded.supervisor import Supervisor
from core.errors import Misconfigured
from tests.core.embedded.holding import Holder, descendants, nobody_holds, runs, until

Hold = Callable[..., Holder]


def test_both_are_ready_inside_and_gone_outside(tmp_path: Path) -> None:
    with EmbeddedServers(tmp_path / "new/state", durable=False) as servers:
        pids = servers.pids
        with psycopg.connect(servers.database_url) as connection:
            asked = "select current_database(), current_setting('server_encoding'), current_setting('fsync')"
            assert connection.execute(asked).fetchone() == ("fingerpost", "UTF8", "off")
        with redis.Redis.from_url(servers.redis_url) as client:
            assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        sockets = Path(servers.redis_url.removeprefix("unix://")).parents[1]
        assert find_running(tmp_path / "new/state") == (servers.database_url, servers.redis_url)
    assert len(pids) == 2
    assert not any(runs(pid) for pid in pids)
    assert not sockets.exists()
    assert find_running(tmp_path / "new/state") is None


def test_what_is_committed_is_on_disk_unless_it_is_a_test(tmp_path: Path) -> None:
    with EmbeddedServers(tmp_path) as servers, psycopg.connect(servers.database_url) as connection:
        asked = (
            "select current_setting('fsync'), current_setting('full_page_writes'), current_setting('listen_addresses')"
        )
        assert connection.execute(asked).fetchone() == ("on", "on", "")


def test_what_was_stored_is_there_after_a_restart(hold: Hold) -> None:
    for visits in (1, 2):
        holder = hold()
        assert holder.ready()["visits"] == [visits, visits]
        assert holder.finish() == 0


def test_a_killed_supervisor_leaves_no_process(hold: Hold) -> None:
    holder = hold()
    said = holder.ready()
    pids = descendants(holder.process.pid)
    assert set(said["pids"]) < set(pids)  # PostgreSQL has processes of its own
    assert all(runs(pid) for pid in said["pids"])
    holder.kill()
    until(lambda: not any(runs(pid) for pid in pids), "every process has ended")
    assert nobody_holds(holder.state)


def test_a_killed_supervisor_is_followed_at_once_by_the_next(hold: Hold) -> None:
    first = hold()
    sockets = Path(first.ready()["redis_url"].removeprefix("unix://")).parents[1]
    first.kill()
    second = hold()
    assert second.ready()["visits"] == [2, 2]
    assert not sockets.exists()


def test_a_killed_first_start_leaves_nothing_half_made(hold: Hold) -> None:
    first = hold()
    making, made = first.state / "postgres.making", first.state / "postgres"
    until((making / "PG_VERSION").exists, "the database is being made")
    first.kill()
    assert not made.exists()
    assert hold().ready()["visits"][0] == 1
    assert made.exists()
    assert not making.exists()


def test_a_second_supervisor_is_refused_and_told_who_holds(hold: Hold) -> None:
    first = hold()
    first.ready()
    refused = hold().ready()["refused"]
    assert f"in use by the process {first.process.pid}." in refused
    assert first.process.poll() is None


def test_an_impatient_user_does_not_break_the_stop(hold: Hold) -> None:
    holder = hold()
    said = holder.ready()
    while holder.process.poll() is None:
        for number in (signal.SIGINT, signal.SIGTERM):
            holder.process.send_signal(number)
        time.sleep(0.001)
    valkey, postgres, bystander = said["pids"]
    assert not runs(valkey)
    assert not runs(postgres)
    until(lambda: not runs(bystander), "the child that nobody stopped was ended by the kernel")
    assert not (holder.state / "running.json").exists()


def test_a_server_that_died_is_revived_at_the_same_url(tmp_path: Path) -> None:
    supervisor = Supervisor()
    with EmbeddedServers(tmp_path, durable=False, supervisor=supervisor) as servers:
        for pid in servers.pids:
            os.kill(pid, signal.SIGKILL)
            child = supervisor.wait_any(timeout_seconds=10)
            assert child is not None
            assert child.pid == pid
            assert servers.owns(child)
            servers.revive(child)
            assert pid not in servers.pids
        psycopg.connect(servers.database_url).close()
        redis.Redis.from_url(servers.redis_url).ping()


def test_postgresql_is_revived_when_the_last_query_of_the_dead_one_has_ended(tmp_path: Path) -> None:
    busy = (
        b"do $$ declare enough timestamptz := clock_timestamp() + '2s'; "
        b"begin while clock_timestamp() < enough loop end loop; end $$"
    )
    supervisor = Supervisor()
    with EmbeddedServers(tmp_path, durable=False, supervisor=supervisor) as servers:
        connection = psycopg.connect(servers.database_url, autocommit=True)
        backend = connection.info.backend_pid
        connection.pgconn.send_query(busy)
        until(lambda: command_of(backend).rstrip().endswith(" DO"), "the query runs")
        os.kill(int((tmp_path / "postgres/postmaster.pid").read_text().split()[0]), signal.SIGKILL)
        child = supervisor.wait_any(timeout_seconds=10)
        assert child is not None
        assert runs(backend)
        servers.revive(child)
        assert not runs(backend)
        connection.close()
        psycopg.connect(servers.database_url).close()


async def test_a_pool_outlives_a_restart_of_postgresql(tmp_path: Path) -> None:
    supervisor = Supervisor()
    with EmbeddedServers(tmp_path, durable=False, supervisor=supervisor) as servers:
        async with open_pool(servers.database_url, size=3, name="through") as pool:
            await asyncio.gather(*(ask(pool) for _ in range(3)))
            os.kill(int((tmp_path / "postgres/postmaster.pid").read_text().split()[0]), signal.SIGKILL)
            child = supervisor.wait_any(timeout_seconds=10)
            assert child is not None
            servers.revive(child)
            assert await asyncio.gather(*(ask(pool) for _ in range(6))) == [(1,)] * 6


async def ask(pool: AsyncConnectionPool) -> object:
    async with pool.connection() as connection:
        return await (await connection.execute("select 1 from pg_sleep(0.02)")).fetchone()


def test_the_environment_of_libpq_does_not_matter(hold: Hold) -> None:
    assert "visits" in hold(PGPORT="1", PGDATA="/nowhere", PGUSER="elsewho", PGHOST="/nowhere").ready()


def test_a_state_of_another_postgresql_is_refused(hold: Hold) -> None:
    first = hold()
    first.ready()
    first.finish()
    version = first.state / "postgres/PG_VERSION"
    ours = version.read_text().strip()
    version.write_text("14\n")
    refused = hold().ready()["refused"]
    assert f"made by PostgreSQL 14, and this installation brings PostgreSQL {ours}" in refused
    assert "DATABASE_URL" in refused
    version.write_text(f"{ours}\n")
    assert hold().ready()["visits"] == [2, 2]


def test_without_a_wheel_the_two_settings_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "VALKEY_PACKAGE", "no_such_wheel")
    with (
        pytest.raises(Misconfigured, match=r"'no_such_wheel'.*Set DATABASE_URL and REDIS_URL"),
        EmbeddedServers(tmp_path),
    ):
        pass
    assert nobody_holds(tmp_path)
    assert not (tmp_path / "running.json").exists()


def test_a_server_that_cannot_start_says_why(hold: Hold) -> None:
    first = hold()
    first.ready()
    first.finish()
    with (first.state / "postgres/postgresql.conf").open("a") as settings:
        settings.write("no_such_setting = 1\n")
    refused = hold().ready()["refused"]
    assert "postgres did not start" in refused
    assert "no_such_setting" in refused


def test_a_stranger_with_the_pid_of_a_killed_server_is_in_nobodys_way(tmp_path: Path) -> None:
    with EmbeddedServers(tmp_path, durable=False):
        written = (tmp_path / "postgres/postmaster.pid").read_text()
    supervisor = Supervisor()
    owner = server_account()
    stranger = supervisor.spawn("stranger", ["/bin/sleep", "600"], env={}, user=owner)
    try:
        (tmp_path / "postgres/postmaster.pid").write_text(written.replace(written.split()[0], str(stranger.pid), 1))
        with EmbeddedServers(tmp_path, durable=False) as servers:
            psycopg.connect(servers.database_url).close()
        assert runs(stranger.pid)
    finally:
        supervisor.stop(stranger, signal.SIGTERM, 5)


def test_sockets_have_short_paths_whatever_the_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("deep" * 30)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    with EmbeddedServers(tmp_path / "state", durable=False) as servers:
        assert str(long) not in servers.database_url
        psycopg.connect(servers.database_url).close()
        sockets = Path(servers.redis_url.removeprefix("unix://")).parents[1]
        assert stat.S_IMODE(sockets.stat().st_mode) == 0o711
        assert {stat.S_IMODE(inside.stat().st_mode) for inside in sockets.iterdir()} == {0o700}


def test_no_folder_above_the_state_is_opened_up(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    state = tmp_path / "a/state"
    state.mkdir(parents=True)
    state.parent.chmod(0o700)
    before = [(folder, folder.stat().st_mode, folder.stat().st_uid) for folder in (state, *state.parents)]
    with EmbeddedServers(state, durable=False) as servers:
        psycopg.connect(servers.database_url).close()
    assert [(folder, folder.stat().st_mode, folder.stat().st_uid) for folder in (state, *state.parents)] == before


def test_a_state_that_is_not_ours_is_refused_in_words(tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.touch()
    with (
        pytest.raises(Misconfigured, match=r"state folder .*file/state cannot be used"),
        EmbeddedServers(in_the_way / "state"),
    ):
        pass
