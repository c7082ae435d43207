"""Nothing secret is written down: not in the log, not in an event, not in a dump of the database."""

import io
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
import structlog

from tests.server.portal.conftest import APP, Door


def dump(url: str) -> str:
    """Every row of every table as text, and the bytes of it as far as they are text."""
    with psycopg.connect(url) as connection:
        tables = connection.execute("select tablename from pg_tables where schemaname = 'public'").fetchall()
        rows = [connection.execute(f'select t::text from "{name}" t').fetchall() for (name,) in tables]
    text = "\n".join(row for table in rows for (row,) in table)
    raw = b"".join(bytes.fromhex(found) for found in re.findall(r"\\x((?:[0-9a-f]{2})+)", text))
    return text + raw.decode("latin-1")


async def test_secrets_are_in_no_log_and_no_dump(door: Door, capsys: pytest.CaptureFixture[str]) -> None:
    log = io.StringIO()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(log))
    secrets: set[str] = {APP["FINGERPOST_PINTEREST_CLIENT_SECRET"], "organizations-own-secret"}
    await door.call("PUT", "/app/PINTEREST", clientId="mine", clientSecret="organizations-own-secret")
    await door.call("DELETE", "/app/PINTEREST")
    browser = door.browser()
    link = await door.portal()
    secrets.add(link.rpartition("/")[2])
    page = await browser.go(f"{link}/pinterest")
    secrets |= set(parse_qs(urlsplit(page.url).query)["state"])
    await browser.decide(page)
    secrets |= {cookie.value or "" for cookie in browser.http.cookies.jar}
    form = await browser.go(f"{link}/echo")
    secrets.add(form.fields()["state"])
    await browser.go(form.url, form.fields() | {"name": ""})
    world: Any = door.sandbox
    secrets |= set(world._world.access) | set(world._world.refresh)
    assert len(secrets) >= 7
    assert all(len(secret) > 20 for secret in secrets)
    written = dump(door.database_url) + log.getvalue() + "".join(capsys.readouterr())
    structlog.reset_defaults()
    assert "/connect/…" in log.getvalue(), "the log is there, and links are not in it"
    assert [secret for secret in secrets if secret in written] == []
