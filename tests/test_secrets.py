"""No secret leaves its place: not into a log, an event, an answer, Redis, or a dump of the database."""

import asyncio
import base64
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import httpx
import psycopg
import redis
from psycopg.sql import SQL, Identifier

from adapters.pinterest.sandbox import PinterestSandbox
from core.vault import Vault
from tests.fleet import api, process, running_world, until
from tests.world import Pool, World

REFRESH_TOKEN = "pinr_planted_refresh_token_of_an_account"
FORGED_KEY = "fp_planted-key-that-nobody-has-issued-0123456789"


def forms(secret: bytes) -> set[bytes]:
    """A secret as it may be written: as it is, in hex, and in base64 wherever in a longer text it begins."""
    found = {secret, secret.hex().encode(), secret.hex().upper().encode()}
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for offset in range(3):
            # Whole groups of three bytes alone: what is around them does not change their letters.
            start = (3 - offset) % 3
            middle = secret[start : start + (len(secret) - start) // 3 * 3]
            found.add(encode(middle))
    return found


def leaks(text: bytes, secrets: dict[str, bytes]) -> list[str]:
    """The names of the secrets that stand in a text."""
    return [name for name, secret in secrets.items() if any(form in text for form in forms(secret))]


def dump(database_url: str) -> bytes:
    """Every row of every table, as `pg_dump` would write it."""
    with psycopg.connect(database_url) as connection, connection.cursor() as cursor:
        cursor.execute("select tablename from pg_tables where schemaname = 'public' order by 1")
        tables = [row[0] for row in cursor.fetchall()]
        return b"".join(piece for table in tables for piece in _copied(cursor, table))


def _copied(cursor: psycopg.Cursor[Any], table: str) -> Iterator[bytes]:
    with cursor.copy(SQL("copy {} to stdout").format(Identifier(table))) as copy:
        yield from map(bytes, copy)


def cached(redis_url: str) -> bytes:
    """Everything in Redis."""
    with redis.Redis.from_url(redis_url) as client:
        return b"".join(key + (client.dump(key) or b"") for key in client.scan_iter())


def test_a_secret_is_found_in_every_form() -> None:
    secret = b"pina_a_secret_token"
    for around in (b"", b"x", b"xy", b"xyz"):
        text = around + secret + b" and more"
        for form in (text, text.hex().encode(), base64.b64encode(text), base64.urlsafe_b64encode(text)):
            assert leaks(b"{" + form + b"}", {"token": secret}) == ["token"]
    assert leaks(b"pina_another_token", {"token": secret}) == []


class Watched:
    """A world with all its processes, the answers that its API gave, and the secrets that were planted in it."""

    def __init__(self, here: World, client: httpx.AsyncClient, master_keys: str) -> None:
        self.here = here
        self.client = client
        self.answers: list[bytes] = []
        self.secrets = {
            "token": here.account.token.encode(),
            "refresh token": REFRESH_TOKEN.encode(),
            "API key": here.key.encode(),
            "forged key": FORGED_KEY.encode(),
            "master key": base64.b64decode(master_keys.partition(":")[2]),
            "master key as it is set": master_keys.partition(":")[2].encode(),
        }

    async def call(self, method: str, path: str, key: str | None = None, **request: Any) -> Any:
        """Call the API, and keep what it answers."""
        headers = {"x-api-key": key or self.here.key, **request.pop("headers", {})}
        answer = await self.client.request(method, f"/api/v1/{path}", headers=headers, **request)
        self.answers.append(answer.content + str(answer.headers).encode())
        return answer.json() if answer.content else None

    async def plant_endpoint(self, url: str) -> None:
        """A webhook endpoint; the answer that shows its secret is the one in which it may stand."""
        made = await self.call("POST", "webhook-endpoint", json={"url": url})
        self.answers.pop()
        self.secrets["webhook secret"] = base64.b64decode(made["secret"].removeprefix("whsec_"))
        self.secrets["webhook secret as it is shown"] = made["secret"].encode()

    async def plant_key(self) -> str:
        """Another key, made over the API; the same holds for its answer."""
        made = await self.call("POST", "api-key", json={"name": "second", "scopes": ["read"]})
        self.answers.pop()
        self.secrets["second key"] = made["secret"].encode()
        return str(made["id"])


@asynccontextmanager
async def watched(pool: Pool, folder: Path, database_url: str, redis_url: str) -> AsyncIterator[Watched]:
    sandbox = PinterestSandbox(rng=Random(1))
    async with running_world(pool, folder, sandbox, database_url, redis_url, readback="0.1,0.2") as (here, given):
        environment = given | {"FINGERPOST_LOG_LEVEL": "debug", "FINGERPOST_ALLOW_URLS": "loopback"}
        await _plant_refresh_token(here)
        log = folder / "log"
        with api(environment, log) as url, process("work", environment, log), process("schedule", environment, log):
            async with httpx.AsyncClient(base_url=url, timeout=30, trust_env=False) as client:
                house = Watched(here, client, here.settings.master_keys)
                yield house
        newer = Vault.generate(2)
        house.secrets["newer master key"] = base64.b64decode(newer.partition(":")[2])
        keys = {"FINGERPOST_MASTER_KEYS": f"{here.settings.master_keys},{newer}"}
        rotated = await asyncio.to_thread(_rotate, environment | keys)
        with log.open("ab") as sink:
            sink.write(rotated)


async def _plant_refresh_token(here: World) -> None:
    async with here.pool.connection() as connection:
        for (id,) in await (await connection.execute("select id from grants")).fetchall():
            sealed = here.vault.seal(REFRESH_TOKEN, table="grants", row=str(id), column="refresh_token")
            await connection.execute("update grants set refresh_token = %s where id = %s", (sealed, id))


def _rotate(environment: dict[str, str]) -> bytes:
    argv = [sys.executable, "-m", "server.cli", "vault", "rotate"]
    done = subprocess.run(argv, env=environment, capture_output=True, check=True)
    return done.stdout + done.stderr


async def _do_everything(house: Watched) -> None:
    """What works and what fails, with secrets sent to where clients and platforms should not send any."""
    here, token = house.here, house.here.account.token
    await house.plant_endpoint("http://127.0.0.1:9/nobody")
    revoked = await house.plant_key()
    body = {"socialAccountTypes": ["PINTEREST"], "teamId": str(here.team_id), "status": "SCHEDULED", "title": "Well"}
    block = here.adapter.example(here.account.channel, f"{here.sandbox_url}/_sandbox/picture.png")
    well = {**body, "postDate": "2001-01-01T00:00:00Z", "data": {"PINTEREST": block}}
    await house.call("POST", "post", json=well)
    await _fail_in_every_way(here, token)
    for number in range(6):
        await house.call("POST", "post", json={**well, "title": f"Ill {number}"})
    await house.call("POST", "post", json={**body, "postDate": "now", "data": []})
    await house.call("POST", "post", content=b"{" + b"[" * 10_000)
    await house.call("GET", f"post?teamId={here.key}", key=FORGED_KEY)
    await house.call("GET", "team", key=FORGED_KEY, headers={"authorization": f"Bearer {house.here.key}"})
    await house.call("GET", "post/x", key=house.secrets["second key"].decode())
    await house.call("DELETE", "post/x", key=house.secrets["second key"].decode())
    await house.call("DELETE", f"api-key/{revoked}")
    for place in ("team", "organization", "api-key", "webhook-endpoint", f"post?teamId={here.team_id}", "nothing"):
        await house.call("GET", place)


async def _fail_in_every_way(here: World, token: str) -> None:
    """A platform that repeats the token in what it answers, in its own words and in fields."""
    echo = {"code": 1, "message": f"the token {token} did not please us", "access_token": token}
    for status in (400, 401, 500):
        await here.fault("POST /v5/pins", "error", status=status, body=echo, times=1)
    await here.fault("POST /v5/pins", "reset_after", times=1)


async def at_rest(here: World) -> bool:
    """Whether every delivery has ended, or waits for an account whose token the platform has refused."""
    rows = await here.rows(
        "select count(*) as n from deliveries where state not in ('published', 'failed', 'cancelled', 'needs_review')"
        " and error->>'code' is distinct from 'account_needs_reauth'"
    )
    return bool(rows[0]["n"] == 0)


async def test_no_secret_leaves_its_place(pool: Pool, tmp_path: Path, database_url: str, redis_url: str) -> None:
    async with watched(pool, tmp_path, database_url, redis_url) as house:
        await _do_everything(house)

        await until(lambda: at_rest(house.here))
    stored, log = dump(database_url), (tmp_path / "log").read_bytes()
    # What is searched is what is meant: rows, lines and answers are there.
    assert all(word in stored for word in (b"Ill 0", b"delivery.", b"[redacted]"))
    assert all(word in log for word in (b'"request"', b"3 sealed anew, 0 left.", b"webhook_settled", b"/api/v1/post"))
    assert len(house.answers) > 15
    assert len(house.secrets) == 10
    assert leaks(stored, house.secrets) == []
    assert leaks(log, house.secrets) == []
    assert leaks(cached(redis_url), house.secrets) == []
    assert leaks(b"\n".join(house.answers), house.secrets) == []
    shown = repr([house.here.settings, house.here.vault, house.here.accounts, house.here.posts]).encode()
    assert leaks(shown, house.secrets) == []
