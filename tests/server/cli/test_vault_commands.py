"""`fingerpost vault` and `fingerpost keys`, as commands: what they print, and that a kill does no harm."""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from core.database.pool import open_pool
from core.vault import Vault
from core.vault.register import check_keys
from tests.core.vault.secrets_at_rest import expected, opened, store, versions
from tests.server.cli.running import environment, run

OLD, NEW = Vault.generate(1), Vault.generate(2)


def settings(database_url: str, *keys: str) -> dict[str, str]:
    joined = ",".join(keys)
    return {"DATABASE_URL": database_url, "REDIS_URL": "redis://127.0.0.1:1", "FINGERPOST_MASTER_KEYS": joined}


async def settle(database_url: str, count: int) -> list[UUID]:
    async with open_pool(database_url, size=1, name="tests") as pool:
        await check_keys(pool, Vault.parse(OLD))
        return await store(pool, Vault.parse(OLD), count)


async def found(database_url: str, ids: list[UUID], key: str) -> tuple[set[int], Any]:
    async with open_pool(database_url, size=1, name="tests") as pool:
        return await versions(pool), await opened(pool, Vault.parse(key), ids)


def test_secrets_move_to_the_newest_key_and_are_counted(database_url: str) -> None:
    ids = asyncio.run(settle(database_url, 10))
    before = run("vault", "check", **settings(database_url, OLD, NEW))
    assert before.returncode == 0, before.stderr
    assert "key 1" in before.stdout
    assert "key 2" not in before.stdout
    done = run("vault", "rotate", **settings(database_url, OLD, NEW))
    assert done.returncode == 0, done.stderr
    assert "15 sealed anew, 0 left." in done.stdout
    (line,) = [line for line in done.stdout.splitlines() if "grants.access_token" in line]
    assert line.split() == ["grants.access_token", "10"]
    assert asyncio.run(found(database_url, ids, NEW)) == ({2}, expected(10))
    assert run("vault", "check", **settings(database_url, NEW)).returncode == 0


def test_a_rotation_that_is_killed_harms_nothing_and_goes_on(database_url: str) -> None:
    ids = asyncio.run(settle(database_url, 3000))
    argv = [sys.executable, "-m", "server.cli", "vault", "rotate"]
    surroundings = environment(**settings(database_url, OLD, NEW))
    child = subprocess.Popen(argv, env=surroundings, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    moved = "select count(*) from grants where substring(access_token from 4 for 4) = '\\x00000002'"
    with psycopg.connect(database_url, autocommit=True) as connection:
        while connection.execute(moved).fetchone() == (0,):
            assert child.poll() is None, "it ended before it was killed"
        child.kill()
        child.wait()
        (left,) = connection.execute(moved).fetchone() or (0,)
    assert 0 < left < 3000
    both = asyncio.run(found(database_url, ids, f"{OLD},{NEW}"))
    assert both == ({1, 2}, expected(3000))
    assert run("vault", "rotate", **settings(database_url, OLD, NEW)).returncode == 0
    assert asyncio.run(found(database_url, ids, NEW)) == ({2}, expected(3000))


@pytest.mark.parametrize("command", [("serve", "--port", "0"), ("work",), ("schedule",), ("vault", "rotate")])
@pytest.mark.parametrize("keys", [[NEW], [Vault.generate(1), NEW]], ids=["lost", "wrong"])
def test_a_lost_or_wrong_key_is_told_at_the_start_by_its_version(
    database_url: str, redis_url: str, tmp_path: Path, command: tuple[str, ...], keys: list[str]
) -> None:
    asyncio.run(settle(database_url, 1))
    own = settings(database_url, *keys) | {"REDIS_URL": redis_url, "FINGERPOST_STATE": str(tmp_path)}
    done = run(*command, **own)
    assert done.returncode == 1, done.stderr
    last = done.stderr.splitlines()[-1]
    assert "Key 1" in last
    assert "FINGERPOST_MASTER_KEYS" in last
    assert not any(key[2:] in done.stderr + done.stdout for key in [OLD, *keys])


def test_what_stands_under_a_lost_key_is_still_counted(database_url: str) -> None:
    asyncio.run(settle(database_url, 2))
    done = run("vault", "check", **settings(database_url, NEW))
    assert done.returncode == 1
    assert "key 1" in done.stdout
    assert "lacks key 1" in done.stderr
    assert run("vault", "check", "--quick", **settings(database_url, NEW)).returncode == 0


def test_a_fresh_key_has_the_next_number(database_url: str) -> None:
    fresh = run("vault", "key", **settings(database_url, OLD, NEW)).stdout
    assert fresh.startswith("3:")
    assert Vault.parse(f"{OLD},{fresh}").versions == (1, 3)


def test_keys_are_made_listed_and_revoked(database_url: str) -> None:
    own = settings(database_url, OLD)
    made = run("keys", "create", "--organization", "Ours", "--only-team", "--scope", "read", "--days", "3", **own)
    assert made.returncode == 0, made.stderr
    secret = made.stdout.split()[1]
    admin = run("keys", "admin", **own).stdout.split()[1]
    listed = run("keys", "list", **own)
    assert secret not in listed.stdout
    assert admin not in listed.stdout
    (ours,) = [line for line in listed.stdout.splitlines() if secret[:8] in line]
    assert "read" in ours
    assert "team" in ours
    assert run("keys", "revoke", ours.split()[0], **own).returncode == 0
    assert "revoked" in run("keys", "list", **own).stdout
    for wrong in ("x", "0190b3f0-0000-7000-8000-000000000000"):
        refused = run("keys", "revoke", wrong, **own)
        assert refused.returncode == 1
        assert "no such key" in refused.stderr
